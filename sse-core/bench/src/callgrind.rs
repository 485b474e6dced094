//! Instructions and allocations per operation, counted by callgrind where it is installed.
//!
//! This program runs itself under valgrind, which writes one file for each call of [`counted`]. The counts hold for the
//! processor that valgrind plays, which has AVX2 and not more.

use std::{
    collections::BTreeMap,
    env, fs,
    hint::black_box,
    process::{Command, Stdio},
};

use crate::{
    Failure,
    measure::Case,
    options::Work,
    report::{Cell, Row, Table},
};

/// How many operations are counted.
const OPERATIONS: usize = 500;

/// How an allocation begins.
const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];

/// Runs each case once, as callgrind's subject; `column` is what the case belongs to.
pub(crate) fn count_each(column: &str, cases: &mut [Case<'_>]) {
    for case in cases {
        // What happens only once is not counted.
        black_box((case.run)(2));
        println!("{column}\t{}\t{}", u8::from(case.ours), case.label);
        counted(case);
    }
}

#[inline(never)]
fn counted(case: &mut Case<'_>) {
    black_box((case.run)(OPERATIONS));
}

/// The tables of a kind of work; none, with a note on the terminal, where valgrind is missing.
pub(crate) fn tables(work: Work) -> Result<Vec<Table>, Failure> {
    let folder = env::temp_dir().join(format!("sse-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let run = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--compress-strings=no",
            concat!("--zero-before=", module_path!(), "::counted"),
        ])
        .arg(concat!("--dump-after=", module_path!(), "::counted"))
        .arg(format!("--callgrind-out-file={}", folder.join("out").display()))
        .arg(env::current_exe()?)
        .args(["count", work.name()])
        .stderr(Stdio::null())
        .output();
    let output = match run {
        Ok(output) if output.status.success() => output,
        Ok(_) => return Err("callgrind failed".into()),
        Err(_) => {
            println!("no instruction counts: valgrind is not installed\n");
            return Ok(Vec::new());
        }
    };
    let cases = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut columns: Vec<String> = Vec::new();
    let mut found: Vec<(String, bool, BTreeMap<String, (f64, f64)>)> = Vec::new();
    for (index, line) in cases.lines().enumerate() {
        let mut parts = line.splitn(3, '\t');
        let (Some(column), Some(ours), Some(label)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let counts = read(&fs::read_to_string(folder.join(format!("out.{}", index + 1)))?);
        if !columns.iter().any(|known| known == column) {
            columns.push(column.to_owned());
        }
        match found.iter_mut().find(|(known, ..)| known == label) {
            Some((.., by_column)) => {
                by_column.insert(column.to_owned(), counts);
            }
            None => {
                let by_column = BTreeMap::from([(column.to_owned(), counts)]);
                found.push((label.to_owned(), ours == "1", by_column));
            }
        }
    }
    fs::remove_dir_all(&folder)?;
    let table = |title: &str, unit, pick: fn(&(f64, f64)) -> f64| Table {
        title: format!("{} {title}", work.name()),
        unit,
        columns: columns.clone(),
        rows: found
            .iter()
            .map(|(label, ours, by_column)| Row {
                label: label.clone(),
                ours: *ours,
                cells: columns
                    .iter()
                    .map(|column| by_column.get(column).map(|counts| Cell::exactly(pick(counts))))
                    .collect(),
            })
            .collect(),
        targets: Vec::new(),
        notes: Vec::new(),
    };
    Ok(vec![
        table("instructions, by callgrind", "instructions an event", |counts| counts.0),
        table("allocations, by callgrind", "allocations an event", |counts| counts.1),
    ])
}

/// Instructions and allocations an operation in one of callgrind's files.
fn read(file: &str) -> (f64, f64) {
    let mut instructions = 0;
    let mut allocations = 0;
    let mut allocates = false;
    for line in file.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            allocates = ALLOCATORS.contains(&name);
        } else if let Some(calls) = line.strip_prefix("calls=")
            && allocates
        {
            allocations += calls.split(' ').next().and_then(|calls| calls.parse().ok()).unwrap_or(0);
        } else if let Some(total) = line.strip_prefix("totals: ") {
            instructions = total.trim().parse().unwrap_or(0);
        }
    }
    let each = |count: u64| count as f64 / OPERATIONS as f64;
    (each(instructions), each(allocations))
}
