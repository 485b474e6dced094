//! The result of a request: an answer, a refusal, or an error that states whether the request may have been
//! executed.

use serde::{Deserialize, de::DeserializeOwned};

use super::super::{HistoryError, HistoryErrorKind};

/// The reason why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request was not sent.
    NotConnected,
    /// The request was not sent, because it is larger than the server accepts.
    TooLarge(String),
    /// The server knows no receiver for it.
    NoResponders,
    /// The request was sent, or may have been, and the answer did not arrive.
    Lost,
}

/// The server's description of a request that it refused.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) err_code: u32,
    #[serde(default)]
    pub(super) description: String,
}

impl Failure {
    /// Returns the error for a request that changes nothing, or that can be repeated.
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
        // 4xx concerns the request, 5xx the server's state; both may change, and the request was not executed.
        let message = format!("JetStream refused it: {} ({})", self.description, self.err_code);
        HistoryError::new(HistoryErrorKind::Unavailable, message)
    }
}

/// Parses an answer of JetStream.
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
