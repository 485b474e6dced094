use std::{fmt, future::Future, panic::Location, time::Duration};

use regex_lite::Regex;
use tokio::time::Instant;

use super::{
    TestStream,
    stream::{Ended, Said},
};
use crate::wire::Message;

/// Assertions about what the stream sends.
impl<'a> TestStream<'a> {
    /// Asserts that the response is an event stream: 200 and `text/event-stream`.
    #[track_caller]
    pub fn sse_established_ok(self) -> impl Future<Output = Self> + Send {
        self.established("sse_established_ok".to_owned(), Location::caller())
    }

    /// For the adapters, whose assertions have their own names.
    #[doc(hidden)]
    pub async fn established(mut self, assertion: String, at: &'static Location<'static>) -> Self {
        if !self.is_event_stream() {
            let body = self.shown_body().await;
            self.fail(
                &assertion,
                Some(at),
                format_args!("the response is no event stream; its body: {body:?}"),
            );
        }
        self
    }

    /// Waits for the next event; the other assertions are about it.
    ///
    /// Keep-alives and checkpoints are skipped, as a page skips them.
    #[track_caller]
    pub fn sse_ok(&mut self) -> impl Future<Output = &mut Self> + Send {
        let at = Location::caller();
        async move {
            self.check_coding("sse_ok", at);
            let deadline = Instant::now() + self.patience;
            loop {
                match self.listen(deadline).await {
                    Some(Said::Event) => return self,
                    Some(Said::Alive) => {}
                    Some(Said::EndReason) => self.fail("sse_ok", Some(at), "the stream has ended"),
                    None => {
                        let what = format!("no event came within {:?}", self.patience);
                        self.fail("sse_ok", Some(at), what)
                    }
                }
            }
        }
    }

    /// Asserts that no event comes within this time and that the stream does not end. Keep-alives and
    /// checkpoints may come.
    #[track_caller]
    pub fn sse_none_for(&mut self, time: Duration) -> impl Future<Output = &mut Self> + Send {
        let at = Location::caller();
        async move {
            self.check_coding("sse_none_for", at);
            let deadline = Instant::now() + time;
            loop {
                match self.listen(deadline).await {
                    None => return self,
                    Some(Said::Alive) => {}
                    Some(Said::Event) => self.fail("sse_none_for", Some(at), "an event came"),
                    Some(Said::EndReason) => self.fail("sse_none_for", Some(at), "the stream has ended"),
                }
            }
        }
    }

    /// Asserts that a keep-alive comes before the next event: a `retry` line, a comment or a checkpoint. The
    /// first bytes of the stream do not count.
    #[track_caller]
    pub fn sse_keep_alive_ok(&mut self) -> impl Future<Output = &mut Self> + Send {
        let at = Location::caller();
        async move {
            self.check_coding("sse_keep_alive_ok", at);
            let what = match self.listen(Instant::now() + self.patience).await {
                Some(Said::Alive) => return self,
                Some(Said::Event) => "an event came first".to_owned(),
                Some(Said::EndReason) => "the stream has ended".to_owned(),
                None => format!("it was silent for {:?}", self.patience),
            };
            self.fail("sse_keep_alive_ok", Some(at), what)
        }
    }

    /// Asserts that the server ends the stream without another event, and not within one.
    #[track_caller]
    pub fn sse_finished_ok(&mut self) -> impl Future<Output = &mut Self> + Send {
        let at = Location::caller();
        async move {
            self.check_coding("sse_finished_ok", at);
            let deadline = Instant::now() + self.patience;
            let what = loop {
                match self.listen(deadline).await {
                    Some(Said::Alive) => {}
                    Some(Said::EndReason) if self.ended == Some(Ended::Whole) => return self,
                    Some(Said::EndReason) => break "it was not the server that ended it well".to_owned(),
                    Some(Said::Event) => break "another event came".to_owned(),
                    None => break format!("the stream goes on after {:?}", self.patience),
                }
            };
            self.fail("sse_finished_ok", Some(at), what)
        }
    }

    /// Closes the stream from this side, like a client that leaves or whose connection is cut. Continue with a
    /// new request after [`last_event_id`](TestStream::last_event_id). The stream must not have ended already.
    #[track_caller]
    pub fn sse_finish_ok(&mut self) -> &mut Self {
        if self.ended.is_some() {
            self.fail("sse_finish_ok", None, "there is nothing left to close");
        }
        self.close();
        self
    }
}

/// Assertions about the response and the last event.
impl TestStream<'_> {
    /// Asserts that the response has this status.
    #[track_caller]
    pub fn status_is(&mut self, expected: u16) -> &mut Self {
        let status = self.status.as_u16();
        self.is("status_is", status == expected, &status, &expected)
    }

    /// Asserts that the response has this header with this value.
    #[track_caller]
    pub fn header_is(&mut self, name: &str, expected: &str) -> &mut Self {
        let value =
            self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let is_same = value.as_deref() == Some(expected);
        let assertion = format!("header_is {name}");
        self.is(&assertion, is_same, &value.as_deref(), &expected)
    }

    /// Asserts that the event's data is this text.
    #[track_caller]
    pub fn sse_text_is(&mut self, expected: impl AsRef<str>) -> &mut Self {
        self.field_is("sse_text_is", Message::data, expected.as_ref())
    }

    /// Asserts that the event's data is another text.
    #[track_caller]
    pub fn sse_text_isnt(&mut self, other: impl AsRef<str>) -> &mut Self {
        self.field_isnt("sse_text_isnt", Message::data, other.as_ref())
    }

    /// Asserts that the regular expression matches somewhere in the event's data.
    #[track_caller]
    pub fn sse_text_like(&mut self, pattern: &str) -> &mut Self {
        self.field_like("sse_text_like", Message::data, pattern, true)
    }

    /// Asserts that the regular expression matches nowhere in the event's data.
    #[track_caller]
    pub fn sse_text_unlike(&mut self, pattern: &str) -> &mut Self {
        self.field_like("sse_text_unlike", Message::data, pattern, false)
    }

    /// Asserts that the event has this type; `message` if the stream sent none.
    #[track_caller]
    pub fn sse_type_is(&mut self, expected: impl AsRef<str>) -> &mut Self {
        self.field_is("sse_type_is", Message::event_type, expected.as_ref())
    }

    /// Asserts that the event has another type.
    #[track_caller]
    pub fn sse_type_isnt(&mut self, other: impl AsRef<str>) -> &mut Self {
        self.field_isnt("sse_type_isnt", Message::event_type, other.as_ref())
    }

    /// Asserts that this is the last event id after the event: its own, or that of an earlier one if it has
    /// none.
    #[track_caller]
    pub fn sse_id_is(&mut self, expected: impl fmt::Display) -> &mut Self {
        self.field_is("sse_id_is", Message::last_event_id, &expected.to_string())
    }

    /// Asserts that the last event id after the event is another one.
    #[track_caller]
    pub fn sse_id_isnt(&mut self, other: impl fmt::Display) -> &mut Self {
        self.field_isnt("sse_id_isnt", Message::last_event_id, &other.to_string())
    }

    /// Asserts that the event's data is the JSON of this value or reference, whatever the order of its members and its
    /// white space.
    #[cfg(feature = "json")]
    #[track_caller]
    pub fn sse_json_is(&mut self, expected: impl serde::Serialize) -> &mut Self {
        // By way of text, as an event's data is made: an `f32` of 1.1 is 1.1 there, and has more digits as a `Value`.
        let expected = serde_json::to_string(&expected).and_then(|json| serde_json::from_str(&json));
        let expected: serde_json::Value = match expected {
            Ok(expected) => expected,
            Err(error) => {
                self.fail("sse_json_is", None, format_args!("the expected value is not JSON: {error}"))
            }
        };
        match self.current("sse_json_is").json::<serde_json::Value>() {
            Ok(value) => self.is("sse_json_is", value == expected, &value, &expected),
            Err(error) => self.fail("sse_json_is", None, error),
        }
    }

    #[track_caller]
    fn field_is(&mut self, assertion: &str, field: fn(&Message) -> &str, expected: &str) -> &mut Self {
        let value = field(self.current(assertion)).to_owned();
        self.is(assertion, value == expected, &value, &expected)
    }

    #[track_caller]
    fn field_isnt(&mut self, assertion: &str, field: fn(&Message) -> &str, other: &str) -> &mut Self {
        if field(self.current(assertion)) == other {
            self.fail(assertion, None, format_args!("it is {other:?}"));
        }
        self
    }

    #[track_caller]
    fn field_like(
        &mut self,
        assertion: &str,
        field: fn(&Message) -> &str,
        pattern: &str,
        wanted: bool,
    ) -> &mut Self {
        let text = field(self.current(assertion));
        match Regex::new(pattern) {
            Ok(regex) if regex.is_match(text) == wanted => self,
            Ok(_) if wanted => self.fail(assertion, None, format_args!("{text:?} is not like /{pattern}/")),
            Ok(_) => self.fail(assertion, None, format_args!("{text:?} is like /{pattern}/")),
            Err(error) => self.fail(assertion, None, format_args!("/{pattern}/ is no pattern: {error}")),
        }
    }

    #[track_caller]
    fn current(&self, assertion: &str) -> &Message {
        match &self.message {
            Some(message) => message,
            None => self.fail(assertion, None, "there is no event yet; await `sse_ok` first"),
        }
    }

    #[track_caller]
    fn is(
        &mut self,
        assertion: &str,
        is_same: bool,
        value: &dyn fmt::Debug,
        expected: &dyn fmt::Debug,
    ) -> &mut Self {
        if !is_same {
            self.fail(assertion, None, format_args!("it is {value:?}, not {expected:?}"));
        }
        self
    }
}
