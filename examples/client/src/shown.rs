use std::fmt::Display;

/// Returns the text for a terminal and for line-based readers: text from a server cannot move the cursor, change
/// the writing direction or start a line. Such characters become `\u` and four digits, as JSON escapes them.
pub(crate) fn shown(text: impl Display) -> String {
    let mut shown = String::new();
    for unit in text.to_string().chars() {
        let turns = matches!(unit, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if unit.is_control() || turns {
            shown.push_str(&format!("\\u{:04x}", u32::from(unit)));
        } else {
            shown.push(unit);
        }
    }
    shown
}
