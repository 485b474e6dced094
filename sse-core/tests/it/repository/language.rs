//! The language of the documentation: plain words, so that a busy engineer whose second language is English reads it once.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Phrases that a doc comment or a page must not contain, and what to write instead.
const REFUSED: [(&str, &str); 21] = [
    ("told", "sent, reported or announced"),
    ("tell", "send, report or show"),
    ("tells", "sends, reports or shows"),
    ("say", "report, return or state"),
    ("says", "reports, returns or states"),
    ("said", "reported, returned or stated"),
    ("is no", "is not a"),
    ("are no", "are not"),
    ("in vain", "without success"),
    ("takes notice", "is notified"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("heed", "process"),
    ("heeds", "processes"),
    ("nobody", "no reader, no client: name the noun"),
    ("nobody's", "no reader's: name the noun"),
    ("somebody", "a caller, a client: name the noun"),
    ("so many", "the number itself"),
    ("so much", "the amount itself"),
    ("stairs", "layers"),
];

/// How a doc comment must not begin, because lists of items show its first line alone.
const REFUSED_STARTS: [&str; 7] = ["Its ", "It ", "Of ", "From where", "Why.", "Does so", "Likewise"];

/// Folders and files that are read: sources of the crates and examples, and all pages.
const READ: [&str; 7] = ["sse-core", "sse-axum", "sse-rocket", "sse-warp", "sse-poem", "examples", "."];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn collect(folder: &Path, deep: bool, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_built = ["target", "node_modules", "recorded"].contains(&name) || name.starts_with('.');
        if path.is_dir() && deep && !is_built {
            collect(&path, deep, found);
        } else if name.ends_with(".rs") || name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// Returns lines of prose with their numbers: doc comments of a source, or all lines of a page outside code blocks.
fn prose(path: &Path, text: &str) -> Vec<(usize, String)> {
    let is_page = path.extension().is_some_and(|extension| extension == "md");
    let mut is_code = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let prose = match line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) {
            Some(comment) => comment.trim_start(),
            None if is_page => line,
            None => {
                is_code = false;
                continue;
            }
        };
        if prose.starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push((number + 1, without_code(prose)));
        }
    }
    lines
}

/// Returns the text without backquoted and quoted parts: code and quotations are not prose.
fn without_code(line: &str) -> String {
    let outside = |text: &str, mark: char| text.split(mark).step_by(2).collect::<Vec<_>>().join(" _ ");
    outside(&outside(line, '`'), '"')
}

fn refused(line: &str, is_first: bool) -> Option<(&'static str, &'static str)> {
    let words: Vec<String> = line
        .split(|unit: char| !unit.is_alphanumeric() && unit != '\'' && unit != '-')
        .map(str::to_lowercase)
        .filter(|word| !word.is_empty())
        .collect();
    let spaced = format!(" {} ", words.join(" "));
    // "There is no" and "is no longer", which may go on in the next line, are plain English.
    let plain = [" there is no ", " there are no ", " is no longer ", " are no longer "];
    let mut checked = plain.iter().fold(spaced, |text, plain| text.replace(plain, " _ "));
    if checked.ends_with(" is no ") || checked.ends_with(" are no ") {
        checked.push('_');
    }
    let phrase = REFUSED.into_iter().find(|(phrase, _)| {
        checked.contains(&format!(" {phrase} ")) && !checked.ends_with(&format!(" {phrase} _"))
    });
    let start = || REFUSED_STARTS.into_iter().find(|start| is_first && line.starts_with(start));
    phrase.or_else(|| start().map(|start| (start, "the thing itself or a third-person verb")))
}

#[test]
fn documentation_uses_plain_words() {
    let mut files = Vec::new();
    for folder in READ {
        collect(&root().join(folder), folder != ".", &mut files);
    }
    assert!(files.len() > 200, "{} files", files.len());
    let mut wrong = Vec::new();
    for path in files {
        if path.ends_with("repository/language.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text");
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        let mut before = 0;
        for (number, line) in prose(&path, &text) {
            let is_first = is_source && number != before + 1;
            before = number;
            if let Some((phrase, instead)) = refused(&line, is_first) {
                wrong.push(format!("{}:{number}: `{phrase}`: write {instead}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} lines\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_check_finds_each_pattern() {
    for (phrase, _) in REFUSED {
        assert_eq!(refused(&format!("A reader {phrase} once."), false).map(|(found, _)| found), Some(phrase));
    }
    for start in REFUSED_STARTS {
        assert!(refused(&format!("{start} reason"), true).is_some(), "{start}");
        assert!(refused(&format!("{start} reason"), false).is_none(), "{start}");
    }
    for plain in ["The event is no longer kept.", "If there is no reader.", "which is no"] {
        assert!(refused(plain, false).is_none(), "{plain}");
    }
    assert_eq!(without_code("a `told` reader \"says\" so"), "a  _  reader  _  so");
}
