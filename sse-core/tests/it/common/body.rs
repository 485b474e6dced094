//! A response's body read by hand.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt;
use sse_core::{Body, EventStream, StreamSummary};

/// A body, and what its hook received at the end.
pub struct Reading {
    body: Body,
    has_begun: bool,
    /// The id of the checkpoint at its beginning, if there is one.
    pub first_cursor: Option<String>,
    ended: Arc<Mutex<Option<StreamSummary>>>,
}

/// Begins to read a stream that must answer 200.
pub fn read(stream: EventStream) -> Reading {
    let ended = Arc::new(Mutex::new(None));
    let tell = Arc::clone(&ended);
    let response = stream.on_end(move |end| *tell.lock().expect("not poisoned") = Some(end)).into_response();
    assert_eq!(response.status(), 200);
    Reading { body: response.into_body(), has_begun: false, first_cursor: None, ended }
}

impl Reading {
    /// The next bytes as text; `None` when it has ended.
    pub async fn next(&mut self) -> Option<String> {
        self.has_begun = true;
        let bytes = self.body.next().await?.unwrap_or_else(|never| match never {});
        Some(String::from_utf8(bytes.to_vec()).expect("UTF-8"))
    }

    /// Reads a `retry` line, alone or at the beginning with the first checkpoint; returns its milliseconds.
    pub async fn retry(&mut self) -> u64 {
        let is_first = !self.has_begun;
        let mut text = self.next().await.expect("a retry line");
        if is_first && let Some((retry, id)) = text.split_once("event: sse.checkpoint\ndata: \nid: ") {
            self.first_cursor = id.strip_suffix("\n\n").map(str::to_owned);
            text = retry.to_owned();
        }
        let millis = text.strip_prefix("retry: ").and_then(|line| line.strip_suffix('\n'));
        millis
            .and_then(|millis| millis.parse().ok())
            .unwrap_or_else(|| panic!("{text:?} is not a retry line"))
    }

    /// Whether nothing arrives for `time`.
    pub async fn is_silent_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.body.next()).await.is_err()
    }

    /// The reason of the end.
    pub fn end(&self) -> &'static str {
        let ended = self.ended.lock().expect("not poisoned");
        ended.as_ref().expect("it has ended").end.as_str()
    }
}
