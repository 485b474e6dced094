//! The floors of the house: a folder imports only from those above it in the list.

use std::{fs, path::Path};

const FLOORS: [&str; 5] = ["wire", "resume", "history", "hub", "response"];

/// `client` stands on these alone.
const BELOW_CLIENT: [&str; 2] = ["wire", "resume"];

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).expect("readable");
            found.push((entry.display().to_string(), text));
        }
    }
}

/// The floors that a source imports, by path or in a group such as `crate::{hub::End, wire::Frame}`.
fn imports(text: &str) -> Vec<String> {
    let mut imported = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let names: Vec<&str> = if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let end = group.find(|unit| {
                depth += i32::from(unit == '{') - i32::from(unit == '}');
                depth == 0
            });
            let group = &group[..end.unwrap_or(group.len())];
            let mut depth = 0;
            group
                .split(|unit: char| {
                    depth += i32::from(unit == '{') - i32::from(unit == '}');
                    depth == 0 && unit == ','
                })
                .collect()
        } else {
            vec![rest]
        };
        for name in names {
            let end = name.trim_start().find(|unit: char| !unit.is_alphanumeric() && unit != '_');
            let name = name.trim_start();
            imported.push(name[..end.unwrap_or(name.len())].to_owned());
        }
    }
    imported
}

fn violations(floor: &str, allowed: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(floor), &mut files);
    let mut wrong = Vec::new();
    for (file, text) in files {
        for import in imports(&text) {
            let is_floor = FLOORS.contains(&&*import) || import == "client";
            if is_floor && import != floor && !allowed.contains(&&*import) {
                wrong.push(format!("{file} imports `{import}`"));
            }
        }
    }
    wrong
}

#[test]
fn a_floor_imports_only_from_those_below_it() {
    let mut wrong = Vec::new();
    for (place, floor) in FLOORS.iter().enumerate() {
        wrong.extend(violations(floor, &FLOORS[..place]));
    }
    wrong.extend(violations("client", &BELOW_CLIENT));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_response_knows_http() {
    for floor in ["wire", "resume", "history", "hub"] {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(floor), &mut files);
        assert!(!files.is_empty());
        for (file, text) in files {
            assert!(!text.contains("http::"), "{file} knows HTTP");
        }
    }
}

#[test]
fn the_check_sees_what_it_should() {
    let text = "use crate::{hub::End, wire::{Frame, Event}};\nuse crate::response::Body;";
    assert_eq!(imports(text), ["hub", "wire", "response"]);
}
