use crate::history::{InvalidTopic, Pattern};

/// Returns the patterns, sorted and without duplicates.
pub(in crate::hub) fn checked(
    mut patterns: Vec<Pattern>,
    max: usize,
) -> Result<Box<[Pattern]>, InvalidTopic> {
    patterns.sort_unstable();
    patterns.dedup();
    match patterns.len() {
        0 => Err(InvalidTopic::Missing),
        len if len > max => Err(InvalidTopic::TooMany { limit: max }),
        _ => Ok(patterns.into_boxed_slice()),
    }
}
