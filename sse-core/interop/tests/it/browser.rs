//! The module for pages without a browser: its size, its decoder, and how it applies patches. The tests of the example
//! applications run it in browsers.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

/// Maximum size of the module, minified and gzipped.
const MAX_SIZE: usize = 4 << 10;

fn core(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Runs a script with the path of the module and these arguments, and returns its output.
fn node(script: &str, arguments: &[PathBuf], stdin: &str) -> String {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the folder of builds");
    let tools = build.join("tools");
    let mut command = Command::new(tools.join("node/bin/node"));
    command.arg(core("interop/browser").join(script)).arg(core("browser/resumable.js")).args(arguments);
    command.env("SSE_TOOLS", &tools).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let missing = "Node is missing; install it with `.ci/interop/install`";
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{error}: {missing}"));
    child.stdin.take().expect("piped").write_all(stdin.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_module_is_at_most_4_kib_minified_and_gzipped() {
    let size: usize = node("size.mjs", &[], "").trim().parse().expect("a number");
    println!("{size} bytes");
    assert!((1_000..=MAX_SIZE).contains(&size), "{size} bytes");
}

#[test]
fn the_cases_of_all_suites_decode_as_expected_in_every_chunking() {
    let files = ["wpt", "extra"].map(|name| core(&format!("tests/cases/{name}.json")));
    let printed = node("cases.mjs", &files, "");
    let counts: Vec<usize> =
        printed.split_whitespace().map(|count| count.parse().expect("a number")).collect();
    println!("{} cases in {} runs", counts[0], counts[1]);
    assert!(counts[0] >= 202 && counts[1] >= 8_500, "{printed}");
}

/// RFC 6902 and RFC 7396, with most of their examples; `null` is a patch that does not fit.
#[test]
fn patches_are_applied_as_their_standards_describe() {
    let op = |op: &str, path: &str, value: Value| json!([{ "op": op, "path": path, "value": value }]);
    let cut = |path: &str| json!([{ "op": "remove", "path": path }]);
    let from = |op: &str, from: &str, path: &str| json!([{ "op": op, "from": from, "path": path }]);
    let cases = [
        ("patch", json!({ "a": 1 }), op("add", "/b", json!(2)), json!([{ "a": 1, "b": 2 }])),
        ("patch", json!({ "a": 1 }), op("add", "/a", json!(2)), json!([{ "a": 2 }])),
        ("patch", json!([1, 2]), op("add", "/1", json!(9)), json!([[1, 9, 2]])),
        ("patch", json!([1]), op("add", "/-", json!([2])), json!([[1, [2]]])),
        ("patch", json!({ "a": { "b": 1 } }), cut("/a/b"), json!([{ "a": {} }])),
        ("patch", json!([1, 2, 3]), cut("/1"), json!([[1, 3]])),
        ("patch", json!([1, 2]), op("replace", "/0", json!(0)), json!([[0, 2]])),
        ("patch", json!({ "a": null }), op("replace", "/a", json!(false)), json!([{ "a": false }])),
        ("patch", json!({ "a": 1 }), op("replace", "", json!([1])), json!([[1]])),
        ("patch", json!({ "a": 1, "b": {} }), from("move", "/a", "/b/c"), json!([{ "b": { "c": 1 } }])),
        ("patch", json!([1, 2, 3]), from("move", "/0", "/2"), json!([[2, 3, 1]])),
        (
            "patch",
            json!({ "a": [1] }),
            json!([{ "op": "copy", "from": "/a", "path": "/b" }, { "op": "add", "path": "/b/-", "value": 2 }]),
            json!([{ "a": [1], "b": [1, 2] }]),
        ),
        (
            "patch",
            json!({ "a/b": 1, "m~n": 2, "": 3 }),
            json!([
                { "op": "replace", "path": "/a~1b", "value": 4 },
                { "op": "remove", "path": "/m~0n" },
                { "op": "remove", "path": "/" }
            ]),
            json!([{ "a/b": 4 }]),
        ),
        (
            "patch",
            json!({ "a": { "x": 1, "y": [2] } }),
            op("test", "/a", json!({ "y": [2], "x": 1 })),
            json!([{ "a": { "x": 1, "y": [2] } }]),
        ),
        ("patch", json!({ "a": 1 }), op("test", "/a", json!("1")), json!(null)),
        ("patch", json!({ "a": [1, 2] }), op("test", "/a", json!([2, 1])), json!(null)),
        ("patch", json!({ "a": 1 }), cut("/b"), json!(null)),
        ("patch", json!({ "a": 1 }), op("replace", "/b", json!(1)), json!(null)),
        ("patch", json!({ "a": 1 }), op("add", "/b/c", json!(1)), json!(null)),
        ("patch", json!({ "a": 1 }), op("add", "/a/b", json!(1)), json!(null)),
        ("patch", json!({ "a": "text" }), op("add", "/a/0", json!(1)), json!(null)),
        ("patch", json!({ "a": null }), op("add", "/a/b", json!(1)), json!(null)),
        ("patch", json!([1]), op("add", "/3", json!(1)), json!(null)),
        ("patch", json!([1]), op("add", "/x", json!(1)), json!(null)),
        ("patch", json!([1]), cut("/-"), json!(null)),
        ("patch", json!({}), from("move", "/a", "/b"), json!(null)),
        (
            "merge",
            json!({ "a": "b", "c": { "d": "e", "f": "g" } }),
            json!({ "a": "z", "c": { "f": null } }),
            json!([{ "a": "z", "c": { "d": "e" } }]),
        ),
        ("merge", json!([1]), json!({ "a": 1 }), json!([{ "a": 1 }])),
        ("merge", json!({ "a": [{ "b": 1 }] }), json!({ "a": [1] }), json!([{ "a": [1] }])),
        ("merge", json!({ "a": 1 }), json!([2]), json!([[2]])),
        ("merge", json!({ "e": null }), json!({ "a": 1 }), json!([{ "e": null, "a": 1 }])),
        ("merge", json!({}), json!({ "a": { "b": { "c": null } } }), json!([{ "a": { "b": {} } }])),
    ];
    let lines: Vec<_> =
        cases.iter().map(|(kind, value, patch, _)| json!([kind, value, patch]).to_string()).collect();
    let printed = node("values.mjs", &[], &lines.join("\n"));
    let results: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(results.len(), cases.len());
    for ((kind, value, patch, expected), result) in cases.iter().zip(&results) {
        assert_eq!(result, expected, "{kind} {value} by {patch}");
    }
}
