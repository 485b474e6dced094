use super::Pattern;

impl Pattern {
    /// Returns `true` if every topic that `other` matches is also matched by this pattern: a reader that may read
    /// this pattern may then read `other`.
    ///
    /// ```
    /// use sse_core::Pattern;
    ///
    /// let mine = Pattern::new("tenant.acme.>")?;
    /// assert!(mine.covers(&Pattern::new("tenant.acme.orders.*")?));
    /// assert!(!mine.covers(&Pattern::new("tenant.*.orders")?));
    /// assert!(!mine.covers(&Pattern::new(">")?));
    /// # Ok::<(), sse_core::error::InvalidTopic>(())
    /// ```
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let mut asked = other.as_str().split('.');
        for allowed in self.as_str().split('.') {
            match (allowed, asked.next()) {
                (_, None) => return false,
                // A part of a topic is never `>`, so an exact pattern has none.
                (">", Some(_)) if !self.is_exact() => return true,
                ("*", Some(part)) if !self.is_exact() => {
                    if part == ">" {
                        return false;
                    }
                }
                (allowed, Some(part)) if allowed == part => {}
                _ => return false,
            }
        }
        asked.next().is_none()
    }
}
