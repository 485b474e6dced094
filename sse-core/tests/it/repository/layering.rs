//! The layers of the crate: a folder imports only from those above it in the list.

use std::{fs, path::Path};

const FLOORS: [&str; 6] = ["wire", "resume", "request", "history", "hub", "response"];

/// `client` depends only on these.
const BELOW_CLIENT: [&str; 2] = ["wire", "resume"];

/// `test` depends only on this.
const BELOW_TEST: [&str; 1] = ["wire"];

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

/// The layers that a source imports, by path or in a group such as `crate::{hub::EndReason, wire::Frame}`.
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
    wrong.extend(violations("test", &BELOW_TEST));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_requests_and_responses_know_http() {
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

const ADAPTERS: [&str; 4] = ["sse-axum", "sse-rocket", "sse-warp", "sse-poem"];

fn adapter_file(adapter: &str, file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(adapter).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_four_adapters_have_the_same_files_but_for_what_their_framework_asks_for() {
    for (adapter, extra) in ADAPTERS.iter().zip([
        &[][..],
        &["event_stream.rs", "fairing.rs"],
        &["filters.rs"],
        &["get.rs", "listen.rs"],
    ]) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(adapter).join("src");
        let mut files: Vec<_> = fs::read_dir(folder)
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
            .collect();
        files.sort_unstable();
        let mut expected =
            vec!["error.rs", "lib.rs", "mount.rs", "origin.rs", "request.rs", "sse.rs", "test.rs"];
        expected.extend(extra);
        expected.sort_unstable();
        assert_eq!(files, expected, "{adapter}");
    }
}

#[test]
fn the_four_adapters_export_the_same_names_and_forward_the_same_features() {
    let features = |adapter: &str| {
        let manifest = adapter_file(adapter, "Cargo.toml");
        let section =
            manifest.split("[features]\n").nth(1).expect("features").split("\n\n").next().unwrap_or("");
        // Features of the adapter itself are specific to its framework.
        let forwarded =
            |line: &str| line.split(", \"dep:").next().unwrap_or(line).trim_end_matches(']').to_owned();
        let mut lines: Vec<_> =
            section.lines().filter(|line| !line.starts_with('#')).map(forwarded).collect();
        lines.sort_unstable();
        lines
    };
    for adapter in ADAPTERS {
        let lib = adapter_file(adapter, "src/lib.rs");
        for export in [
            "pub use error::{Error, ErrorKind, Result};",
            "pub use request::{LastEventId, SseRequest};",
            "pub mod mount;",
            "pub mod origin;",
            "pub use mount::mount;",
            "pub use sse::Sse;",
            "pub use sse_core::__api::*;",
        ] {
            assert!(lib.contains(export), "{adapter} lacks `{export}`");
        }
        for (file, macro_name) in [
            ("sse", "__define_sse"),
            ("request", "__define_request"),
            ("mount", "__define_mount"),
            ("error", "__define_error"),
            ("origin", "__define_preflight"),
        ] {
            let source = adapter_file(adapter, &format!("src/{file}.rs"));
            assert!(
                source.contains(macro_name),
                "{adapter}'s {file}.rs does not define what all define alike"
            );
        }
        assert_eq!(features(adapter), features("sse-axum"), "{adapter}");
    }
}
