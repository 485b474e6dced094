//! What comes of a request: an answer, a refusal, or a word on whether it may have been done.

use serde::{Deserialize, de::DeserializeOwned};

use super::super::{HistoryError, HistoryErrorKind};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not sent.
    NotConnected,
    /// It was not sent, because the server does not take as much.
    TooLarge(String),
    /// The server knows nobody who takes it.
    NoResponders,
    /// It was sent, or may have been, and the answer did not come.
    Lost,
}

/// What the server says of a request that it refused.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) err_code: u32,
    #[serde(default)]
    pub(super) description: String,
}

impl Failure {
    /// As the error of something that changes nothing, or that can be done twice.
    pub(super) fn into_unavailable(self) -> HistoryError {
        let message = match self {
            Self::TooLarge(message) => {
                return HistoryError::new(
                    HistoryErrorKind::Settings,
                    format!(
                        "the NATS server does not take it: {message}; raise its `max_payload`, or send less"
                    ),
                );
            }
            Self::NotConnected => "not connected to the NATS server; trying again all the time",
            Self::NoResponders => {
                "JetStream does not answer: start the server with JetStream (`nats-server -js`), or wait for its leader"
            }
            Self::Lost => "the NATS server did not answer",
        };
        HistoryError::new(HistoryErrorKind::Unavailable, message)
    }
}

impl Refusal {
    pub(super) fn into_error(self) -> HistoryError {
        // 4xx is about what was asked, 5xx about the server's state; both may change, and nothing was done.
        let message = format!("JetStream refused it: {} ({})", self.description, self.err_code);
        HistoryError::new(HistoryErrorKind::Unavailable, message)
    }
}

/// Reads an answer of JetStream.
pub(super) fn parse<T: DeserializeOwned>(payload: &[u8]) -> Result<Result<T, Refusal>, HistoryError> {
    #[derive(Deserialize)]
    struct Outcome {
        error: Option<Refusal>,
    }
    let unreadable = |error: serde_json::Error| {
        let message = "JetStream's answer cannot be read; is the server of a version that is known to work?";
        HistoryError::new(HistoryErrorKind::Unavailable, message).with_source(error)
    };
    let outcome: Outcome = serde_json::from_slice(payload).map_err(unreadable)?;
    match outcome.error {
        Some(refusal) => Ok(Err(refusal)),
        None => serde_json::from_slice(payload).map(Ok).map_err(unreadable),
    }
}
