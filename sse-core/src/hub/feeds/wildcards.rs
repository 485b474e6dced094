use std::collections::HashMap;

use crate::history::{Pattern, Topic};

/// Patterns with wildcards as a tree of their parts: a lookup visits only the patterns that match a topic.
pub(crate) struct Wildcards<T> {
    root: Node<T>,
}

struct Node<T> {
    parts: HashMap<Box<str>, Self>,
    /// The branch for a `*`.
    any: Option<Box<Self>>,
    /// The values of patterns that end here.
    ends: Vec<T>,
    /// The values of patterns that end in `>` here.
    rest: Vec<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { parts: HashMap::new(), any: None, ends: Vec::new(), rest: Vec::new() }
    }
}

impl<T> Default for Wildcards<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Wildcards<T> {
    /// Adds `value` under a pattern.
    pub(crate) fn insert(&mut self, pattern: &Pattern, value: T) {
        let mut node = &mut self.root;
        for part in pattern.as_str().split('.') {
            node = match part {
                ">" => {
                    node.rest.push(value);
                    return;
                }
                "*" => node.any.get_or_insert_default(),
                part if node.parts.contains_key(part) => match node.parts.get_mut(part) {
                    Some(next) => next,
                    None => return,
                },
                part => node.parts.entry(part.into()).or_default(),
            };
        }
        node.ends.push(value);
    }

    /// Removes the values under a pattern for which `is_gone` returns `true`.
    pub(crate) fn remove(&mut self, pattern: &Pattern, is_gone: impl Fn(&T) -> bool + Copy) {
        self.root.remove(pattern.as_str().split('.'), is_gone);
    }

    /// Returns whether any pattern matches.
    pub(crate) fn matches(&self, topic: &Topic) -> bool {
        let mut found = false;
        self.root.visit(Some(topic.as_str()), &mut |_| {
            found = true;
            false
        });
        found
    }

    /// Calls `visit` with the value of each pattern that matches.
    pub(crate) fn for_each(&self, topic: &Topic, mut visit: impl FnMut(&T)) {
        self.root.visit(Some(topic.as_str()), &mut |value| {
            visit(value);
            true
        });
    }
}

impl<T> Node<T> {
    /// Continues until `visit` returns `false`; returns the last result.
    fn visit(&self, text: Option<&str>, visit: &mut impl FnMut(&T) -> bool) -> bool {
        let Some(text) = text else { return self.ends.iter().all(visit) };
        if !self.rest.iter().all(&mut *visit) {
            return false;
        }
        let (part, next) = match text.split_once('.') {
            Some((part, next)) => (part, Some(next)),
            None => (text, None),
        };
        self.parts.get(part).is_none_or(|node| node.visit(next, visit))
            && self.any.as_ref().is_none_or(|node| node.visit(next, visit))
    }

    fn remove<'a>(
        &mut self,
        mut parts: impl Iterator<Item = &'a str> + Clone,
        is_gone: impl Fn(&T) -> bool + Copy,
    ) {
        match parts.next() {
            None => self.ends.retain(|value| !is_gone(value)),
            Some(">") => self.rest.retain(|value| !is_gone(value)),
            Some("*") => {
                if let Some(next) = &mut self.any {
                    next.remove(parts, is_gone);
                    if next.is_empty() {
                        self.any = None;
                    }
                }
            }
            Some(part) => {
                if let Some(next) = self.parts.get_mut(part) {
                    next.remove(parts, is_gone);
                    if next.is_empty() {
                        self.parts.remove(part);
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.any.is_none() && self.ends.is_empty() && self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPICS: [&str; 7] = ["a", "a.b", "a.c", "a.b.c", "b", "b.b", "a.b.c.d"];
    const PATTERNS: [&str; 9] = ["*", ">", "a.*", "a.>", "*.b", "*.*.c", "a.*.c", "*.>", "a.b.*.*"];

    #[test]
    fn match_as_each_pattern_does() {
        let patterns = PATTERNS.map(|text| Pattern::new(text).unwrap());
        let mut all = Wildcards::default();
        for (number, pattern) in patterns.iter().enumerate() {
            all.insert(pattern, number);
        }
        for removed in 0..=PATTERNS.len() {
            for name in TOPICS {
                let topic = Topic::new(name).unwrap();
                let mut found = Vec::new();
                all.for_each(&topic, |number| found.push(*number));
                found.sort_unstable();
                let matching = (removed..PATTERNS.len()).filter(|number| patterns[*number].matches(&topic));
                assert_eq!(found, matching.collect::<Vec<_>>(), "{name}");
                assert_eq!(all.matches(&topic), !found.is_empty());
            }
            if let Some(pattern) = patterns.get(removed) {
                all.remove(pattern, |number| *number == removed);
            }
        }
        assert!(all.root.is_empty());
    }
}
