use std::{fmt, future::Future, panic::Location, time::Duration};

use tokio::time::Instant;

use super::{
    TestStream,
    stream::{Ended, Said},
};
use crate::wire::Message;

/// Assertions that read from the stream.
impl<'a> TestStream<'a> {
    /// Asserts that the response is an event stream: 200 and `text/event-stream`.
    #[track_caller]
    pub fn expect_event_stream(self) -> impl Future<Output = Self> + Send {
        self.established("expect_event_stream".to_owned(), Location::caller())
    }

    /// Does the same for the adapters, whose functions have their own names.
    #[doc(hidden)]
    pub async fn established(mut self, assertion: String, at: &'static Location<'static>) -> Self {
        if !self.is_event_stream() {
            let body = self.shown_body().await;
            self.fail(
                &assertion,
                Some(at),
                format_args!("the response is not an event stream; its body: {body:?}"),
            );
        }
        self
    }

    /// Waits for the next event; the other assertions are about it.
    ///
    /// Keep-alives and checkpoints are skipped, as a page skips them.
    #[track_caller]
    pub fn next_event(&mut self) -> impl Future<Output = &mut Self> + Send {
        let at = Location::caller();
        async move {
            self.check_coding("next_event", at);
            let deadline = Instant::now() + self.patience;
            loop {
                match self.listen(deadline).await {
                    Some(Said::Event) => return self,
                    Some(Said::Alive) => {}
                    Some(Said::EndReason) => self.fail("next_event", Some(at), "the stream has ended"),
                    None => {
                        let what = format!("no event came within {:?}", self.patience);
                        self.fail("next_event", Some(at), what)
                    }
                }
            }
        }
    }

    /// Asserts that no event comes within this time and that the stream does not end. Keep-alives and
    /// checkpoints may come.
    #[track_caller]
    pub fn expect_no_event_for(&mut self, time: Duration) -> impl Future<Output = &mut Self> + Send {
        let at = Location::caller();
        async move {
            self.check_coding("expect_no_event_for", at);
            let deadline = Instant::now() + time;
            loop {
                match self.listen(deadline).await {
                    None => return self,
                    Some(Said::Alive) => {}
                    Some(Said::Event) => self.fail("expect_no_event_for", Some(at), "an event came"),
                    Some(Said::EndReason) => {
                        self.fail("expect_no_event_for", Some(at), "the stream has ended")
                    }
                }
            }
        }
    }

    /// Asserts that a keep-alive comes before the next event: a `retry` line, a comment or a checkpoint. The
    /// first bytes of the stream do not count.
    #[track_caller]
    pub fn expect_keep_alive(&mut self) -> impl Future<Output = &mut Self> + Send {
        let at = Location::caller();
        async move {
            self.check_coding("expect_keep_alive", at);
            let what = match self.listen(Instant::now() + self.patience).await {
                Some(Said::Alive) => return self,
                Some(Said::Event) => "an event came first".to_owned(),
                Some(Said::EndReason) => "the stream has ended".to_owned(),
                None => format!("it was silent for {:?}", self.patience),
            };
            self.fail("expect_keep_alive", Some(at), what)
        }
    }

    /// Asserts that the server ends the stream without another event, and not within one.
    #[track_caller]
    pub fn expect_end(&mut self) -> impl Future<Output = &mut Self> + Send {
        let at = Location::caller();
        async move {
            self.check_coding("expect_end", at);
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
            self.fail("expect_end", Some(at), what)
        }
    }

    /// Closes the stream from this side, like a client that leaves or whose connection is cut. Continue with a
    /// new request after [`last_event_id`](TestStream::last_event_id). The stream must not have ended already.
    #[track_caller]
    pub fn disconnect(&mut self) -> &mut Self {
        if self.ended.is_some() {
            self.fail("disconnect", None, "there is nothing left to close");
        }
        self.close();
        self
    }
}

/// Assertions about the response and the last event.
impl TestStream<'_> {
    /// Asserts that the response has this status.
    #[track_caller]
    pub fn assert_status(&mut self, expected: u16) -> &mut Self {
        let status = self.status.as_u16();
        self.is("assert_status", status == expected, &status, &expected)
    }

    /// Asserts that the response has this header with this value.
    #[track_caller]
    pub fn assert_header(&mut self, name: &str, expected: &str) -> &mut Self {
        let value =
            self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let is_same = value.as_deref() == Some(expected);
        let assertion = format!("assert_header {name}");
        self.is(&assertion, is_same, &value.as_deref(), &expected)
    }

    /// Asserts that the event's data is this text.
    #[track_caller]
    pub fn assert_data_eq(&mut self, expected: impl AsRef<str>) -> &mut Self {
        self.field_eq("assert_data_eq", Message::data, expected.as_ref())
    }

    /// Asserts that the event's data is another text.
    #[track_caller]
    pub fn assert_data_ne(&mut self, other: impl AsRef<str>) -> &mut Self {
        self.field_ne("assert_data_ne", Message::data, other.as_ref())
    }

    /// Asserts that the event's data contains this text.
    #[track_caller]
    pub fn assert_data_contains(&mut self, part: impl AsRef<str>) -> &mut Self {
        self.data_contains("assert_data_contains", part.as_ref(), true)
    }

    /// Asserts that the event's data does not contain this text.
    #[track_caller]
    pub fn assert_data_lacks(&mut self, part: impl AsRef<str>) -> &mut Self {
        self.data_contains("assert_data_lacks", part.as_ref(), false)
    }

    /// Asserts that the event has this type; `message` if the stream sent none.
    #[track_caller]
    pub fn assert_type_eq(&mut self, expected: impl AsRef<str>) -> &mut Self {
        self.field_eq("assert_type_eq", Message::event_type, expected.as_ref())
    }

    /// Asserts that the event has another type.
    #[track_caller]
    pub fn assert_type_ne(&mut self, other: impl AsRef<str>) -> &mut Self {
        self.field_ne("assert_type_ne", Message::event_type, other.as_ref())
    }

    /// Asserts that this is the last event id after the event: its own, or that of an earlier one if it has
    /// none.
    #[track_caller]
    pub fn assert_id_eq(&mut self, expected: impl fmt::Display) -> &mut Self {
        self.field_eq("assert_id_eq", Message::last_event_id, &expected.to_string())
    }

    /// Asserts that the last event id after the event is another one.
    #[track_caller]
    pub fn assert_id_ne(&mut self, other: impl fmt::Display) -> &mut Self {
        self.field_ne("assert_id_ne", Message::last_event_id, &other.to_string())
    }

    /// Asserts that the event's data is the JSON of this value or reference, whatever the order of its members and its
    /// white space.
    #[cfg(feature = "json")]
    #[track_caller]
    pub fn assert_json_eq(&mut self, expected: impl serde::Serialize) -> &mut Self {
        // By way of text, as an event's data is made: an `f32` of 1.1 is 1.1 there, and has more digits as a `Value`.
        let expected = serde_json::to_string(&expected).and_then(|json| serde_json::from_str(&json));
        let expected: serde_json::Value = match expected {
            Ok(expected) => expected,
            Err(error) => {
                self.fail("assert_json_eq", None, format_args!("the expected value is not JSON: {error}"))
            }
        };
        match self.current("assert_json_eq").json::<serde_json::Value>() {
            Ok(value) => self.is("assert_json_eq", value == expected, &value, &expected),
            Err(error) => self.fail("assert_json_eq", None, error),
        }
    }

    #[track_caller]
    fn field_eq(&mut self, assertion: &str, field: fn(&Message) -> &str, expected: &str) -> &mut Self {
        let value = field(self.current(assertion)).to_owned();
        self.is(assertion, value == expected, &value, &expected)
    }

    #[track_caller]
    fn field_ne(&mut self, assertion: &str, field: fn(&Message) -> &str, other: &str) -> &mut Self {
        if field(self.current(assertion)) == other {
            self.fail(assertion, None, format_args!("it is {other:?}"));
        }
        self
    }

    #[track_caller]
    fn data_contains(&mut self, assertion: &str, part: &str, wanted: bool) -> &mut Self {
        let data = self.current(assertion).data();
        if data.contains(part) != wanted {
            let relation = if wanted { "does not contain" } else { "contains" };
            self.fail(assertion, None, format_args!("{data:?} {relation} {part:?}"));
        }
        self
    }

    #[track_caller]
    fn current(&self, assertion: &str) -> &Message {
        match &self.message {
            Some(message) => message,
            None => self.fail(assertion, None, "there is no event yet; await `next_event` first"),
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
