//! Every kind of work runs, from end to end, in the short form; its figures are not judged.

use std::{fs, process::Command};

#[test]
fn a_quick_run_measures_everything_and_writes_it_down() {
    let results = tempfile::tempdir().unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_sse-bench"))
        .args(["all", "--quick", "--results"])
        .arg(results.path())
        .output()
        .unwrap();
    let (printed, complained) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{printed}\n{complained}");
    for work in
        ["encode", "decode", "fanout", "memory", "replay", "publish", "topics", "storm", "compress", "bounds"]
    {
        let json = fs::read_to_string(results.path().join(format!("{work}.json"))).unwrap();
        let outcome: serde_json::Value = serde_json::from_str(&json).unwrap();
        let tables = outcome["tables"].as_array().unwrap();
        assert!(!tables.is_empty(), "{work} measured nothing");
        for table in tables {
            let columns = table["columns"].as_array().unwrap().len();
            for row in table["rows"].as_array().unwrap() {
                assert_eq!(row["cells"].as_array().unwrap().len(), columns, "{work}: {row}");
            }
        }
        let plot = fs::read_to_string(results.path().join(format!("{work}.svg"))).unwrap();
        assert!(plot.starts_with("<svg") && plot.contains("<rect x="), "{work} drew nothing");
    }
}

#[test]
fn a_wrong_argument_is_refused_with_the_usage() {
    let run = Command::new(env!("CARGO_BIN_EXE_sse-bench")).arg("everything").output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).contains("usage: sse-bench"));
}
