use std::{error, fmt, sync::Arc};

/// The error of a history operation.
#[derive(Debug, Clone)]
pub struct HistoryError {
    kind: HistoryErrorKind,
    message: String,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

/// The kind of a [`HistoryError`]: what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HistoryErrorKind {
    /// The stored data cannot be read: the message describes what to do with it.
    Damaged,
    /// The engine's settings cannot keep the promises: the message names each setting.
    Settings,
    /// The requested records have been trimmed.
    Trimmed,
    /// The engine does not answer, and nothing was stored. Try again later.
    Unavailable,
    /// The engine broke off: the entries may have been stored. Publish again with the same key.
    Uncertain,
}

impl HistoryError {
    /// Makes an error of this kind, with a message that describes what to do.
    #[must_use]
    pub fn new(kind: HistoryErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Returns the same error with its cause.
    #[must_use]
    pub fn with_source(self, source: impl error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// Returns the kind: what a caller can do about the error.
    #[must_use]
    pub fn kind(&self) -> HistoryErrorKind {
        self.kind
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "history: {}", self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl error::Error for HistoryError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
