use std::{error, fmt, io};

/// The error that a [`Body`](super::Body) never returns: servers drop their buffered bytes when a body fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoError {}

impl fmt::Display for NoError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl error::Error for NoError {}

impl From<NoError> for io::Error {
    fn from(error: NoError) -> Self {
        match error {}
    }
}
