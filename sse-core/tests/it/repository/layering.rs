//! The layers of the crate: a folder imports only from those above it in the list.

use std::{fs, path::Path};

use super::imports::{Graph, Modules, circles};

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

/// The inner order of the hub: a file or folder imports only from those in its own line and in the lines above.
const HUB: [&[&str]; 11] = [
    &["control_events", "end", "stats"],
    &["options"],
    &["readers", "replay_limits"],
    &["feeds", "window"],
    &["publish/runs"],
    &["shared"],
    &["existing", "publish", "sweep"],
    &["subscription"],
    &["subscribe"],
    &["builder"],
    &["hub"],
];

fn graph() -> Graph {
    let (graph, unknown) = Modules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).graph();
    assert!(unknown.is_empty(), "paths that this check cannot follow: {}", unknown.join(", "));
    assert!(graph.len() > 150, "{} files", graph.len());
    graph
}

#[test]
fn no_two_files_import_each_other() {
    let circles = circles(&graph());
    assert!(circles.is_empty(), "files that import each other: {circles:#?}");
}

/// The line of `HUB` that names a file, the longest name first: `publish/runs` before `publish`.
fn hub_rank(file: &str) -> Option<usize> {
    let path = file.strip_prefix("hub/")?.strip_suffix(".rs")?;
    let names = HUB.iter().enumerate().flat_map(|(rank, names)| names.iter().map(move |name| (rank, *name)));
    let is_in =
        |name: &str| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let (rank, _) = names.filter(|(_, name)| is_in(name)).max_by_key(|(_, name)| name.len())?;
    Some(rank)
}

#[test]
fn the_hub_keeps_its_inner_order() {
    let mut wrong = Vec::new();
    for (file, used) in graph().iter().filter(|(file, _)| file.starts_with("hub/")) {
        let rank = hub_rank(file).unwrap_or_else(|| panic!("{file} has no place in the order"));
        let higher = used.iter().filter(|used| hub_rank(used) > Some(rank));
        wrong.extend(higher.map(|used| format!("{file} imports {used}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!([hub_rank("hub/publish/runs.rs"), hub_rank("hub/publish/run.rs")], [Some(4), Some(6)]);
}

/// What the graph of imports sees.
mod imports {
    use super::*;

    fn graph_of(files: &[(&str, &str)]) -> (Graph, Vec<String>) {
        let mut modules = Modules::default();
        files.iter().for_each(|(file, text)| modules.add(file, text));
        modules.graph()
    }

    fn uses(files: &[(&str, &str)]) -> Vec<String> {
        let (graph, unknown) = graph_of(files);
        assert_eq!(unknown, [""; 0]);
        graph.iter().flat_map(|(file, used)| used.iter().map(move |used| format!("{file} {used}"))).collect()
    }

    #[test]
    fn groups_paths_aliases_and_globs() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c; pub mod api { pub use crate::b::*; }"),
            ("a.rs", "use crate::{api::B, c::{self, C as Other}}; fn f(_: B) { c::g(); }"),
            ("b.rs", "pub struct B; impl B { fn f() -> Vec<super::c::C> {} }"),
            ("c.rs", "pub struct C; pub fn g() { \"crate::a::x\"; 'c'; /* no */ }"),
        ];
        assert_eq!(uses(&files), ["a.rs b.rs", "a.rs c.rs", "b.rs c.rs"]);
    }

    #[test]
    fn a_face_is_passed_through_to_the_file_behind_it() {
        let files = [
            ("x/mod.rs", "mod x; mod y; pub use x::X; pub use y::Y as Z;"),
            ("x/x.rs", "use super::Z; pub struct X;"),
            ("x/y.rs", "pub enum Y {}"),
            ("z.rs", "use crate::x::X;"),
            ("z2.rs", "fn f() { crate::x::X::new(); x::Z::new() } use crate::x;"),
        ];
        assert_eq!(uses(&files), ["x/x.rs x/y.rs", "z2.rs x/x.rs", "z2.rs x/y.rs"]);
    }

    #[test]
    fn tests_and_documents_do_not_count() {
        let files = [
            ("a.rs", "#[cfg(doc)] use crate::b::B; /// [`B`](crate::b::B)\n struct A; // crate::b::B"),
            ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; } pub(in crate::a) fn f() {}"),
            (
                "c.rs",
                "#[cfg(test)] impl C { fn f() { crate::a::A; } } struct C; macro_rules! m { () => { $crate::a::A } }",
            ),
        ];
        assert_eq!(uses(&files), [""; 0]);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_reported() {
        let (_, unknown) = graph_of(&[("a.rs", "use crate::b::B; struct A;"), ("b.rs", "struct C;")]);
        assert_eq!(unknown, ["a.rs: crate::b::B"]);
    }

    #[test]
    fn circles_are_found() {
        let files = [
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "use crate::c::C; pub struct B;"),
            ("c.rs", "pub struct C(crate::a::A);"),
            ("d.rs", "struct D(crate::a::A);"),
        ];
        assert_eq!(circles(&graph_of(&files).0), [["a.rs", "b.rs", "c.rs"]]);
        assert_eq!(circles(&graph_of(&files[1..]).0), [[""; 0]; 0]);
    }
}

const ADAPTERS: [&str; 4] = ["sse-axum", "sse-rocket", "sse-warp", "sse-poem"];

fn adapter_file(adapter: &str, file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(adapter).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_four_adapters_have_the_same_files() {
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
        let mut expected = vec![
            "browser.rs",
            "error.rs",
            "lib.rs",
            "mount.rs",
            "origin.rs",
            "request.rs",
            "sse.rs",
            "test.rs",
        ];
        expected.extend(extra);
        expected.sort_unstable();
        assert_eq!(files, expected, "{adapter}");
    }
}

#[test]
fn the_four_adapters_export_the_same() {
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
