//! The machine, with events and times that the tests choose.

mod connection;
mod policies;

use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode};

use super::{
    Attempts, Backoff, ClientError, ClientEvent, Disconnect, Redirects, Verdict,
    backoff::Waits,
    machine::{Hook, Machine, Next, Options},
    target::Target,
};
use crate::wire::{Decoder, Limits, Oversized};

const SECOND: Duration = Duration::from_secs(1);

/// A machine and a clock that only the test moves.
struct Client {
    machine: Machine,
    now: Instant,
}

struct Setup {
    options: Options,
    method: &'static str,
    limits: Limits,
    last_event_id: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            options: Options {
                first: Attempts::unlimited(),
                reconnection: Attempts::unlimited(),
                connect_timeout: Some(30 * SECOND),
                idle_timeout: Some(Duration::from_millis(37_500)),
                retry_unavailable: false,
                repeat: false,
                hook: None,
            },
            method: "GET",
            limits: Limits::default(),
            last_event_id: "",
        }
    }
}

impl Setup {
    fn with(change: impl FnOnce(&mut Options)) -> Client {
        let mut setup = Self::default();
        change(&mut setup.options);
        setup.client()
    }

    fn client(self) -> Client {
        let request =
            Request::builder().method(self.method).uri("http://a.example/events").body("body".into());
        let target = Target::new(request.unwrap(), Redirects::default(), false);
        let decoder = Decoder::with_last_event_id(self.last_event_id).limits(self.limits).report_comments();
        let machine = Machine::new(self.options, target, Waits::new(Backoff::default()), decoder);
        Client { machine, now: Instant::now() }
    }
}

impl Client {
    fn sends(&mut self) -> Request<bytes::Bytes> {
        match self.machine.next(self.now) {
            Next::Send(request) => request,
            other => panic!("no request but {}", show(other)),
        }
    }

    fn event(&mut self) -> ClientEvent {
        match self.machine.next(self.now) {
            Next::Event(event) => event,
            other => panic!("no event but {}", show(other)),
        }
    }

    fn polls(&mut self) {
        match self.machine.next(self.now) {
            Next::Poll => {}
            other => panic!("not waiting but {}", show(other)),
        }
    }

    fn fails(&mut self) -> ClientError {
        match self.machine.next(self.now) {
            Next::Fail(error) => error,
            other => panic!("no error but {}", show(other)),
        }
    }

    fn ends(&mut self) {
        assert!(matches!(self.machine.next(self.now), Next::EndReason));
    }

    fn answer(&mut self, status: u16, headers: &[(&str, &str)]) {
        let response = headers.iter().fold(Response::builder().status(status), |r, (k, v)| r.header(*k, *v));
        self.machine.response(response.body(()).unwrap().into_parts().0, self.now);
    }

    /// Opens a connection.
    fn open(&mut self) -> Request<bytes::Bytes> {
        let request = self.sends();
        self.answer(200, &[("content-type", "text/event-stream")]);
        assert!(matches!(self.event(), ClientEvent::Open(_)));
        request
    }

    fn says(&mut self, text: &'static str) {
        self.machine.bytes(text.into(), self.now);
    }

    fn message(&mut self) -> String {
        match self.event() {
            ClientEvent::Message(message) => message.into_data(),
            other => panic!("no message but {other:?}"),
        }
    }

    fn disconnected(&mut self) -> (Disconnect, Option<Duration>) {
        match self.event() {
            ClientEvent::Disconnected { cause, retry_in } => (cause, retry_in),
            other => panic!("not disconnected but {other:?}"),
        }
    }

    /// Waits exactly as long as the machine wants.
    fn waits(&mut self) -> Duration {
        self.polls();
        let until = self.machine.deadline(self.now).expect("a deadline");
        let wait = until - self.now;
        self.now = until;
        self.machine.timeout(self.now);
        wait
    }

    /// A wait that ends in another try.
    fn loses_and_waits(&mut self) -> Duration {
        let (_, retry_in) = self.disconnected();
        assert_eq!(self.waits(), retry_in.expect("a retry"));
        retry_in.expect("a retry")
    }
}

fn show(next: Next) -> String {
    match next {
        Next::Send(request) => format!("{request:?}"),
        Next::Poll => "waiting".to_owned(),
        Next::Event(event) => format!("{event:?}"),
        Next::EndReason => "the end".to_owned(),
        Next::Fail(error) => format!("{error:?}"),
    }
}

fn network_error() -> Box<dyn std::error::Error + Send + Sync> {
    "reset".into()
}
