//! Splits Rust source into tokens, as far as the graph of imports needs them.

/// Splits source into names, `::` and single signs, without comments, texts and numbers.
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => text_len(rest),
            'b' if rest.starts_with("b\"") => 1 + text_len(&rest[1..]),
            'r' | 'b' if raw_len(rest) > 0 => raw_len(rest),
            '\'' => char_len(rest),
            _ if first.is_alphanumeric() || first == '_' => {
                let is_part = |unit: char| unit.is_alphanumeric() || unit == '_';
                let len = rest.find(|unit| !is_part(unit)).unwrap_or(rest.len());
                tokens.push(rest[..len].to_owned());
                len
            }
            ':' if rest.starts_with("::") => {
                tokens.push("::".to_owned());
                2
            }
            _ => {
                if !first.is_whitespace() {
                    tokens.push(first.to_string());
                }
                first.len_utf8()
            }
        };
        rest = &rest[len..];
    }
    tokens
}

/// The length of the text in quotes at the start.
fn text_len(rest: &str) -> usize {
    let mut is_escaped = false;
    let end = rest[1..].find(|unit| {
        let is_end = unit == '"' && !is_escaped;
        is_escaped = unit == '\\' && !is_escaped;
        is_end
    });
    end.map_or(rest.len(), |end| end + 2)
}

/// The length of the raw text at the start; 0 if there is none.
fn raw_len(rest: &str) -> usize {
    let start = rest.trim_start_matches('b');
    let Some(raw) = start.strip_prefix('r') else { return 0 };
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if !raw[hashes..].starts_with('"') {
        return 0;
    }
    let end = ["\"", &"#".repeat(hashes)].concat();
    let content = &raw[hashes + 1..];
    let len = content.find(&end).map_or(content.len(), |found| found + end.len());
    rest.len() - content.len() + len
}

/// The length of the character at the start; 1 if it is the quote of a lifetime.
fn char_len(rest: &str) -> usize {
    let mut units = rest[1..].char_indices();
    match units.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(1, |end| end + 4),
        Some((_, unit)) if rest[1 + unit.len_utf8()..].starts_with('\'') => unit.len_utf8() + 2,
        _ => 1,
    }
}

pub fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Returns the index after the first block from `start` on.
pub fn block_end(tokens: &[String], start: usize, [open, close]: [&str; 2]) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        depth += i32::from(token == open) - i32::from(token == close);
        if depth == 0 && token == close {
            return index + 1;
        }
    }
    tokens.len()
}

/// Returns the index after the item that begins at `start`, with its attributes.
pub fn item_end(tokens: &[String], start: usize) -> usize {
    let mut index = start;
    while tokens.get(index).is_some_and(|token| token == "#") {
        index = block_end(tokens, index, ["[", "]"]);
    }
    let is_use = tokens[index..]
        .iter()
        .find(|token| is_name(token) && *token != "pub")
        .is_some_and(|first| first == "use");
    let end = tokens[index..].iter().position(|token| token == ";" || (token == "{" && !is_use));
    match end {
        Some(end) if tokens[index + end] == ";" => index + end + 1,
        Some(end) => block_end(tokens, index + end, ["{", "}"]),
        None => tokens.len(),
    }
}
