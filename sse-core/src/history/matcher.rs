//! Matches many patterns with wildcards at once.

use std::{collections::HashMap, str::Split};

use super::Pattern;

/// Patterns as a tree of their parts, so that a topic is compared once instead of once per pattern.
#[derive(Debug, Default)]
pub(crate) struct Matcher<'a> {
    next: HashMap<&'a str, Matcher<'a>>,
    /// Whether a pattern ends here.
    is_end: bool,
    /// Whether a pattern matches all further parts from here on.
    takes_rest: bool,
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(patterns: impl IntoIterator<Item = &'a Pattern>) -> Self {
        let mut root = Self::default();
        for pattern in patterns {
            let (parts, takes_rest) = match pattern.as_str().strip_suffix('>') {
                Some(parts) => (parts.strip_suffix('.').unwrap_or(parts), true),
                None => (pattern.as_str(), false),
            };
            let mut node = &mut root;
            for part in parts.split('.').filter(|part| !part.is_empty()) {
                node = node.next.entry(part).or_default();
            }
            node.takes_rest |= takes_rest;
            node.is_end |= !takes_rest;
        }
        root
    }

    /// Returns whether one of the patterns matches the topic.
    pub(crate) fn matches(&self, topic: &str) -> bool {
        self.matches_parts(topic.split('.'))
    }

    fn matches_parts(&self, mut parts: Split<'_, char>) -> bool {
        let Some(part) = parts.next() else { return self.is_end };
        let goes_on = |part: &str| self.next.get(part).is_some_and(|next| next.matches_parts(parts.clone()));
        self.takes_rest || goes_on(part) || goes_on("*")
    }
}

#[cfg(test)]
mod tests {
    use super::Matcher;
    use crate::history::Pattern;

    #[test]
    fn it_agrees_with_each_pattern() {
        let parts = ["a", "b", "*", ">"];
        let mut texts = vec![String::new()];
        for _ in 0..3 {
            let longer = texts.iter().flat_map(|text| {
                parts.map(|part| if text.is_empty() { part.to_owned() } else { format!("{text}.{part}") })
            });
            texts = texts.iter().cloned().chain(longer.collect::<Vec<_>>()).collect();
        }
        texts.sort();
        texts.dedup();
        let patterns: Vec<Pattern> = texts.iter().filter_map(|text| Pattern::new(text).ok()).collect();
        let topics: Vec<&str> =
            texts.iter().map(String::as_str).filter(|text| !text.contains(['*', '>'])).collect();
        assert!(patterns.len() > 50 && topics.len() > 10);
        for topic in topics.into_iter().chain(["a.b.a.b", "c"]) {
            for pair in patterns.windows(3) {
                let expected = pair.iter().any(|pattern| pattern.matches_text(topic));
                assert_eq!(Matcher::new(pair).matches(topic), expected, "{pair:?} {topic}");
            }
        }
        assert!(!Matcher::default().matches("a"));
    }
}
