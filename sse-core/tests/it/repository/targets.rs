//! A target whose manifest turns its tests off has none: they would never run.

use std::{
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folders of the workspace's packages.
fn members() -> Vec<PathBuf> {
    let manifest = text(&Path::new(ROOT).join("Cargo.toml"));
    let list = manifest.split_once("members = [").and_then(|(_, rest)| rest.split_once(']'));
    let (list, _) = list.expect("the list of members");
    list.split('"').skip(1).step_by(2).map(|member| Path::new(ROOT).join(member)).collect()
}

/// The sources of the targets without tests: `[lib]` and `[[bin]]` with `test = false`.
fn sources_without_tests(package: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for section in text(&package.join("Cargo.toml")).split("\n[") {
        if !section.contains("\ntest = false") {
            continue;
        }
        if section.starts_with("lib]") {
            collect(&package.join("src"), &mut found);
        } else {
            let path = section.lines().find_map(|line| line.strip_prefix("path = \""));
            let path = path.expect("a target with `test = false` has a path").trim_end_matches('"');
            found.push(package.join(path));
        }
    }
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in
        fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("readable").path())
    {
        if entry.is_dir() {
            collect(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
}

fn has_test(source: &str) -> bool {
    source.lines().map(str::trim).any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

#[test]
fn targets_without_tests_have_none() {
    let sources: Vec<_> = members().iter().flat_map(|package| sources_without_tests(package)).collect();
    assert!(sources.len() > 20, "{sources:?}");
    for path in sources {
        assert!(!has_test(&text(&path)), "{} has a test that never runs", path.display());
    }
    assert!(has_test("mod tests {\n    #[test]\n    fn a() {}\n}"));
}
