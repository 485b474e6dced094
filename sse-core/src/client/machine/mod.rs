//! The client without I/O and without a clock: it receives what happened, and returns what to do.
//!
//! The states and their order are those of section 9.2.3 of the HTML standard.

mod verdict;

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, StatusCode, header, response};

use super::{
    Attempts, ClientError, ClientEvent, Disconnect, OpenedResponse, UnexpectedResponse, Verdict,
    backoff::Waits,
    body::encoding::{self, Encoding},
    headers,
    target::Target,
    transport,
};
use crate::wire::{Decoder, Item, Message};

/// The number of unreadable heads in a row after which the client stops: a server that is just starting, or a
/// proxy in its place, sends a few at most.
const MAX_UNREADABLE_HEADS: u32 = 3;

/// The maximum size of a refused response's body that is kept; below it, how long to wait for that body.
const REFUSAL_BYTES: usize = 4 * 1024;
const REFUSAL_TIME: Duration = Duration::from_secs(2);

pub(super) type Hook = Box<dyn FnMut(&Disconnect, Verdict) -> Verdict + Send>;

/// The application's options, as far as the machine needs them.
pub(super) struct Options {
    pub(super) first: Attempts,
    pub(super) reconnection: Attempts,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    /// Whether 429 and 5xx are tried again.
    pub(super) retry_unavailable: bool,
    /// Whether a request that may change something on the server is repeated.
    pub(super) repeat: bool,
    pub(super) hook: Option<Hook>,
}

/// The next step.
pub(super) enum Next {
    /// Drop the current request, and send this one.
    Send(Request<Bytes>),
    /// Wait for the response or its body, the deadline, or an interruption.
    Poll,
    /// Return this event.
    Event(ClientEvent),
    /// The stream has ended.
    EndReason,
    /// The stream ends with this error.
    Fail(ClientError),
}

pub(super) struct Machine {
    options: Options,
    target: Target,
    waits: Waits,
    decoder: Decoder,
    state: State,
    /// The bytes that were received and not decoded.
    chunk: Bytes,
    encoding: Encoding,
    events: VecDeque<ClientEvent>,
    /// The number of tries since the last open stream, and below it their start.
    tries: u32,
    trying_since: Option<Instant>,
    has_ever_opened: bool,
    /// The cursor at the start of this connection.
    cursor: String,
    brought_events: bool,
    /// The number of unreadable heads in a row.
    unreadable_heads: u32,
    /// When the application began to wait for the next event.
    waiting_since: Option<Instant>,
}

enum State {
    /// A new connection is to be made.
    Ready,
    /// A redirect is to be followed.
    Redirected,
    Connecting {
        since: Instant,
    },
    Refused {
        refusal: Box<UnexpectedResponse>,
        body: Vec<u8>,
        since: Instant,
    },
    Open {
        since: Instant,
        heard: Instant,
    },
    Waiting {
        until: Instant,
    },
    Closed(Option<ClientError>),
}

impl Machine {
    pub(super) fn new(options: Options, target: Target, waits: Waits, decoder: Decoder) -> Self {
        Self {
            options,
            target,
            waits,
            cursor: decoder.last_event_id().to_owned(),
            decoder,
            state: State::Ready,
            chunk: Bytes::new(),
            encoding: Encoding::default(),
            events: VecDeque::new(),
            tries: 0,
            trying_since: None,
            has_ever_opened: false,
            brought_events: false,
            unreadable_heads: 0,
            waiting_since: None,
        }
    }

    /// Returns the `Last-Event-ID` of the next reconnect: the id of the last event handed out.
    pub(super) fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    pub(super) fn next(&mut self, now: Instant) -> Next {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.waiting_since = None;
                return Next::Event(event);
            }
            match &mut self.state {
                State::Ready => {
                    self.target.begin();
                    self.tries = self.tries.saturating_add(1);
                    self.trying_since.get_or_insert(now);
                    return self.connect(now);
                }
                State::Redirected => return self.connect(now),
                State::Open { .. } => {
                    if !self.decode(now) {
                        return Next::Poll;
                    }
                }
                State::Connecting { .. } | State::Refused { .. } | State::Waiting { .. } => {
                    return Next::Poll;
                }
                State::Closed(error) => return error.take().map_or(Next::EndReason, Next::Fail),
            }
        }
    }

    /// Returns the deadline of the current wait. Time in which the application did not ask for the next event
    /// does not count.
    pub(super) fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let waiting_since = *self.waiting_since.get_or_insert(now);
        match self.state {
            State::Connecting { since } => {
                self.options.connect_timeout.map(|timeout| since.max(waiting_since) + timeout)
            }
            State::Refused { since, .. } => Some(since.max(waiting_since) + REFUSAL_TIME),
            State::Open { heard, .. } => {
                self.options.idle_timeout.map(|timeout| heard.max(waiting_since) + timeout)
            }
            State::Waiting { until } => Some(until),
            State::Ready | State::Redirected | State::Closed(_) => None,
        }
    }

    /// Handles a deadline that has passed.
    pub(super) fn timeout(&mut self, now: Instant) {
        match self.state {
            State::Connecting { .. } => {
                self.disconnect(Disconnect::Timeout(self.options.connect_timeout.unwrap_or_default()), now);
            }
            State::Open { .. } => {
                self.disconnect(Disconnect::Idle(self.options.idle_timeout.unwrap_or_default()), now);
            }
            State::Refused { .. } => self.refuse(now),
            State::Waiting { .. } => self.state = State::Ready,
            State::Ready | State::Redirected | State::Closed(_) => {}
        }
    }

    /// Handles the application's request for a new connection.
    pub(super) fn interrupt(&mut self, now: Instant) {
        match self.state {
            State::Connecting { .. } | State::Open { .. } | State::Refused { .. } => {
                self.disconnect(Disconnect::Interrupted, now);
            }
            State::Waiting { .. } => self.state = State::Ready,
            State::Ready | State::Redirected | State::Closed(_) => {}
        }
    }

    /// Handles the response's head.
    pub(super) fn response(&mut self, head: response::Parts, now: Instant) {
        self.unreadable_heads = 0;
        match head.status {
            StatusCode::OK if headers::is_event_stream(&head.headers) => self.open(head.headers, now),
            StatusCode::NO_CONTENT => self.disconnect(Disconnect::NoContent, now),
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
                if head.headers.contains_key(header::LOCATION) =>
            {
                let Some(location) = head.headers.get(header::LOCATION) else { return };
                match self.target.follow(head.status, location) {
                    Ok(()) => self.state = State::Redirected,
                    Err(error) => self.disconnect(Disconnect::Redirect(error), now),
                }
            }
            status => {
                // A body that cannot be decoded is shown unchanged.
                self.encoding = encoding::of(&head.headers).unwrap_or_default();
                let refusal =
                    Box::new(UnexpectedResponse { status, headers: head.headers, body: Bytes::new() });
                self.state = State::Refused { refusal, body: Vec::new(), since: now };
            }
        }
    }

    /// Handles a part of the response's body.
    pub(super) fn bytes(&mut self, bytes: Bytes, now: Instant) {
        match &mut self.state {
            State::Open { heard, .. } => {
                *heard = now;
                self.encoding.receive(bytes, &mut self.chunk);
            }
            State::Refused { body, .. } => {
                let mut chunk = Bytes::new();
                self.encoding.receive(bytes, &mut chunk);
                loop {
                    let room = REFUSAL_BYTES - body.len();
                    body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                    if body.len() == REFUSAL_BYTES {
                        return self.refuse(now);
                    }
                    match self.encoding.next_chunk() {
                        Ok(Some(decoded)) => chunk = decoded,
                        Ok(None) => return,
                        Err(_) => return self.refuse(now),
                    }
                }
            }
            _ => {}
        }
    }

    /// Handles the normal end of the response's body.
    pub(super) fn ended(&mut self, now: Instant) {
        match self.state {
            State::Refused { .. } => self.refuse(now),
            _ => self.disconnect(Disconnect::Ended { mid_event: self.decoder.is_mid_event() }, now),
        }
    }

    /// Handles a failure of the request or of the response's body.
    pub(super) fn failed(&mut self, error: Box<dyn std::error::Error + Send + Sync>, now: Instant) {
        match self.state {
            State::Refused { .. } => self.refuse(now),
            State::Connecting { .. } => {
                let cause = transport::disconnect(error);
                if matches!(cause, Disconnect::Head(_)) {
                    self.unreadable_heads += 1;
                }
                self.disconnect(cause, now);
            }
            _ => self.disconnect(Disconnect::Network(error), now),
        }
    }

    fn connect(&mut self, now: Instant) -> Next {
        self.state = State::Connecting { since: now };
        self.brought_events = false;
        Next::Send(self.target.request(self.decoder.last_event_id()))
    }

    fn open(&mut self, headers: HeaderMap, now: Instant) {
        match encoding::of(&headers) {
            Ok(encoding) => self.encoding = encoding,
            Err(encoding) => return self.disconnect(Disconnect::ContentEncoding(encoding), now),
        }
        self.state = State::Open { since: now, heard: now };
        self.has_ever_opened = true;
        self.tries = 0;
        self.trying_since = None;
        let uri = self.target.uri().clone();
        self.events.push_back(ClientEvent::Open(OpenedResponse { uri, headers }));
    }

    fn refuse(&mut self, now: Instant) {
        let State::Refused { mut refusal, body, .. } = mem::replace(&mut self.state, State::Ready) else {
            return;
        };
        refusal.body = body.into();
        let cause = match refusal.status {
            StatusCode::OK => Disconnect::ContentType(refusal),
            _ => Disconnect::Status(refusal),
        };
        self.disconnect(cause, now);
    }

    /// Decodes up to the next event; returns false if more bytes are needed.
    fn decode(&mut self, now: Instant) -> bool {
        loop {
            let mut input = &self.chunk[..];
            let found = self.decoder.decode(&mut input).map(|item| item.map(event));
            let read = self.chunk.len() - input.len();
            self.chunk.advance(read);
            match found {
                Ok(Some(Some(event))) => {
                    self.brought_events |= matches!(event, ClientEvent::Message(_) | ClientEvent::Cursor(_));
                    self.events.push_back(event);
                    return true;
                }
                Ok(Some(None)) => {}
                Ok(None) => match self.encoding.next_chunk() {
                    Ok(Some(chunk)) => self.chunk = chunk,
                    Ok(None) => return false,
                    Err(encoding) => {
                        self.disconnect(Disconnect::ContentEncoding(encoding), now);
                        return true;
                    }
                },
                Err(error) => {
                    self.disconnect(Disconnect::Decode(error), now);
                    return true;
                }
            }
        }
    }
}

/// Returns the owned form of what the decoder found.
fn event(item: Item<'_>) -> Option<ClientEvent> {
    Some(match item {
        Item::Comment(text) => ClientEvent::Comment(text.to_owned()),
        Item::Field { .. } => return None,
        // A hub sends this to move the cursor of a reader that has no event to receive.
        Item::Message(message) if message.event_type() == "sse.checkpoint" && message.data().is_empty() => {
            ClientEvent::Cursor(message.last_event_id().to_owned())
        }
        Item::Message(message) => ClientEvent::Message(Message::from(message)),
        Item::Id(id) => ClientEvent::Cursor(id.to_owned()),
        Item::Part(data) => ClientEvent::Part(data.to_owned()),
        Item::Retry(delay) => ClientEvent::Retry(delay),
        Item::Skipped { error, last_event_id } => {
            tracing::warn!(%error, last_event_id, "an event was left out");
            ClientEvent::Skipped { error, last_event_id: last_event_id.to_owned() }
        }
    })
}
