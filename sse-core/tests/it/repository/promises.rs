//! The promises and the tests that hold them: what `docs/promises.md` and SECURITY.md name must exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The number of rules: the numbered ones, and those of the engines.
const RULES: usize = 19;
const ENGINES: [&str; 4] = ["of the file", "of Redis", "of JetStream", "of PostgreSQL"];

/// The files with the macros that make a test of each function named in them.
const LISTS: [&str; 4] = [
    "sse-core/testkit/src/cases/mod.rs",
    "sse-core/testkit/src/history_cases/mod.rs",
    "sse-core/interop/src/lib.rs",
    "sse-core/interop/src/judge.rs",
];

/// A test that a document names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    file: String,
    function: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(file: &str) -> Option<String> {
    fs::read_to_string(root().join(file)).ok()
}

/// The names in backquotes: a file, and after it the functions in it.
fn named(text: &str) -> Vec<Named> {
    let mut file = None;
    let mut found = Vec::new();
    for quoted in text.split('`').skip(1).step_by(2) {
        if quoted.ends_with(".rs") {
            file = Some(quoted);
        } else if let Some(file) = file {
            found.push(Named { file: file.to_owned(), function: quoted.to_owned() });
        }
    }
    found
}

/// The tests under each heading of the page.
fn sections(page: &str) -> BTreeMap<String, Vec<Named>> {
    let mut sections = BTreeMap::new();
    let mut heading = None;
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let title = title.split_once(':').map_or(title, |(name, _)| name);
            assert!(sections.insert(title.to_owned(), Vec::new()).is_none(), "{title} stands there twice");
            heading = Some(title.to_owned());
        } else if let (Some(heading), Some(item)) = (&heading, line.strip_prefix("- ")) {
            let tests = named(item);
            assert!(!tests.is_empty(), "under {heading}: `{line}` names no test");
            sections.entry(heading.clone()).or_default().extend(tests);
        }
    }
    sections
}

/// Whether the file has such a test: it has an attribute, or a macro makes a test of it.
fn is_test(named: &Named) -> Result<(), String> {
    let Named { file, function } = named;
    let source = text(file).ok_or_else(|| format!("{file} does not exist"))?;
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let declared = |line: &&str| {
        line.split_once("fn ").is_some_and(|(_, rest)| {
            rest.strip_prefix(&**function).is_some_and(|rest| rest.starts_with(['(', '<']))
        })
    };
    let at = lines.iter().position(declared).ok_or_else(|| format!("{file} has no `{function}`"))?;
    let attributes = lines.iter().take(at).rev().take_while(|line| line.starts_with("#["));
    if attributes.into_iter().any(|line| line.contains("test")) {
        return Ok(());
    }
    let is_listed = LISTS.iter().filter_map(|list| text(list)).any(|list| {
        list.split(|unit: char| !unit.is_alphanumeric() && unit != '_').any(|word| word == function)
    });
    if is_listed { Ok(()) } else { Err(format!("`{function}` of {file} is no test")) }
}

fn assert_exist<'a>(tests: impl IntoIterator<Item = &'a Named>) {
    let wrong: Vec<_> = tests.into_iter().filter_map(|named| is_test(named).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_promise_and_every_rule_names_tests_that_exist() {
    let page = text("sse-core/src/docs/promises.md").expect("the page");
    let sections = sections(&page);
    let promises = (1..=17).map(|number| format!("G{number}"));
    let rules = (1..=RULES).map(|number| format!("Rule {number}"));
    let engines = ENGINES.iter().map(|engine| format!("Rule {engine}"));
    let expected: BTreeSet<_> = promises.chain(rules).chain(engines).collect();
    assert_eq!(sections.keys().cloned().collect::<BTreeSet<_>>(), expected);
    for (title, tests) in &sections {
        assert!(!tests.is_empty(), "{title} has no test");
    }
    assert_exist(sections.values().flatten());
}

#[test]
fn every_threat_names_tests_that_exist() {
    let page = text("SECURITY.md").expect("the page");
    let mut threats = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Threat")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        let tests = named(cells[2]);
        assert!(!tests.is_empty() || row.contains("yours"), "without a test: {row}");
        assert_exist(&tests);
        threats += 1;
    }
    assert!(threats >= 20, "{threats} threats");
}

#[test]
fn the_check_sees_what_it_should() {
    let own = |function: &str| Named {
        file: "sse-core/tests/it/repository/promises.rs".into(),
        function: function.into(),
    };
    assert_eq!(is_test(&own("the_check_sees_what_it_should")), Ok(()));
    assert!(is_test(&own("is_test")).is_err_and(|error| error.ends_with("is no test")));
    assert!(is_test(&own("the_check_sees")).is_err_and(|error| error.contains("has no")));
    assert!(is_test(&Named { file: "nowhere.rs".into(), ..own("x") }).is_err());
    assert_eq!(named("- `a/b.rs`: `c`, `d`; `e.rs`: `f`").len(), 3);
    let case = Named {
        file: "sse-core/testkit/src/cases/resume.rs".into(),
        function: "g3_positions_increase".into(),
    };
    assert_eq!(is_test(&case), Ok(()));
}
