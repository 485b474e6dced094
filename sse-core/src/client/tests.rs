//! The machine, told what happens and when.

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
        assert!(matches!(self.machine.next(self.now), Next::End));
    }

    fn answer(&mut self, status: u16, headers: &[(&str, &str)]) {
        let response = headers.iter().fold(Response::builder().status(status), |r, (k, v)| r.header(*k, *v));
        self.machine.response(response.body(()).unwrap().into_parts().0, self.now);
    }

    /// A connection that opens.
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

    /// Waits as long as the machine wants, and no longer.
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
        Next::End => "the end".to_owned(),
        Next::Fail(error) => format!("{error:?}"),
    }
}

fn network_error() -> Box<dyn std::error::Error + Send + Sync> {
    "reset".into()
}

#[test]
fn g16_it_resumes_after_the_last_event_and_after_the_servers_time() {
    let mut client = Setup { last_event_id: "saved", ..Setup::default() }.client();
    let first = client.open();
    assert_eq!(first.headers()["last-event-id"], "saved");
    assert_eq!(first.headers()["accept"], "text/event-stream");
    assert_eq!(first.headers()["cache-control"], "no-cache");
    client.says("retry: 2000\nid: 7\ndata: a\n\nid: 8\ndata: cut off");
    assert!(matches!(client.event(), ClientEvent::Retry(time) if time == 2 * SECOND));
    assert_eq!(client.message(), "a");
    client.polls();
    client.machine.ended(client.now);
    let (cause, retry_in) = client.disconnected();
    assert!(matches!(cause, Disconnect::Ended { mid_event: true }), "{cause:?}");
    assert_eq!(retry_in, Some(2 * SECOND));
    assert_eq!(client.waits(), 2 * SECOND);
    assert_eq!(client.open().headers()["last-event-id"], "7");
    // Half an event does not live on into the next connection.
    client.says("data: b\n\n");
    assert_eq!(client.message(), "b");
}

#[test]
fn g16_204_stops() {
    let mut client = Setup::default().client();
    client.sends();
    client.answer(204, &[]);
    assert!(matches!(client.disconnected(), (Disconnect::NoContent, None)));
    client.ends();
    client.ends();
}

#[test]
fn g16_a_refusal_is_final_and_tells_status_headers_and_body() {
    for (status, headers) in [
        (404, &[][..]),
        (503, &[]),
        (401, &[]),
        (201, &[]),
        (301, &[]),
        (200, &[("content-type", "text/plain")]),
    ] {
        let mut client = Setup::default().client();
        client.sends();
        client.answer(status, headers);
        client.polls();
        client.says("no such ");
        client.polls();
        client.says("thing");
        client.machine.ended(client.now);
        let error = client.fails();
        let refusal = error.refusal().expect("a refusal");
        assert_eq!((refusal.status.as_u16(), &refusal.body[..]), (status, &b"no such thing"[..]));
        client.ends();
    }
}

#[test]
fn a_refusals_body_is_bounded_in_bytes_and_time() {
    let mut client = Setup::default().client();
    client.sends();
    client.answer(500, &[]);
    for _ in 0..64 {
        client.machine.bytes(vec![b'x'; 100].into(), client.now);
    }
    assert_eq!(client.fails().refusal().unwrap().body.len(), 4096);
    let mut client = Setup::default().client();
    client.sends();
    client.answer(500, &[]);
    client.says("x");
    assert_eq!(client.waits(), 2 * SECOND);
    assert_eq!(&client.fails().refusal().unwrap().body[..], b"x");
}

#[test]
fn network_errors_are_tried_again_for_ever_with_growing_waits() {
    let mut client = Setup::default().client();
    let mut longest = Duration::ZERO;
    for _ in 0..60 {
        client.sends();
        client.machine.failed(network_error(), client.now);
        let wait = client.loses_and_waits();
        assert!(wait >= Duration::from_millis(500) && wait <= 60 * SECOND);
        longest = longest.max(wait);
    }
    assert!(longest > 30 * SECOND, "{longest:?}");
}

#[test]
fn attempts_are_bounded_for_the_first_connection_and_for_reconnections() {
    let mut client = Setup::with(|options| {
        options.first = Attempts::unlimited().tries(3);
        options.reconnection = Attempts::once();
    });
    for _ in 0..2 {
        client.sends();
        client.machine.failed(network_error(), client.now);
        client.loses_and_waits();
    }
    client.open();
    client.machine.ended(client.now);
    client.loses_and_waits();
    client.sends();
    client.machine.failed(network_error(), client.now);
    let error = client.fails();
    assert_eq!(error.tries(), 1);
    assert!(matches!(error.cause(), Disconnect::Network(_)));
}

#[test]
fn attempts_are_bounded_in_time() {
    let mut client = Setup::with(|options| options.first = Attempts::unlimited().within(90 * SECOND));
    let began = client.now;
    loop {
        client.sends();
        client.now += SECOND;
        client.machine.failed(network_error(), client.now);
        match client.machine.next(client.now) {
            Next::Event(ClientEvent::Disconnected { .. }) => client.waits(),
            Next::Fail(error) => {
                assert!(error.tries() > 3, "{error}");
                break;
            }
            other => panic!("{}", show(other)),
        };
        assert!(client.now - began <= 90 * SECOND);
    }
}

#[test]
fn g16_the_watchdog_waits_for_any_byte_and_only_while_somebody_listens() {
    let mut client = Setup::default().client();
    client.open();
    client.polls();
    let first = client.machine.deadline(client.now).unwrap();
    client.now += 30 * SECOND;
    client.says(":");
    client.polls();
    assert_eq!(client.machine.deadline(client.now).unwrap() - first, 30 * SECOND);
    // The application works for a minute: nothing was read, so nothing is known about the server.
    client.says("\ndata: a\n\n");
    assert!(matches!(client.event(), ClientEvent::Comment(_)));
    assert_eq!(client.message(), "a");
    client.now += 60 * SECOND;
    assert_eq!(client.waits(), Duration::from_millis(37_500));
    let (cause, retry_in) = client.disconnected();
    assert!(matches!(cause, Disconnect::Idle(_)) && retry_in.is_some());
}

#[test]
fn no_response_is_a_timeout() {
    let mut client = Setup::default().client();
    client.sends();
    assert_eq!(client.waits(), 30 * SECOND);
    assert!(matches!(client.disconnected(), (Disconnect::Timeout(_), Some(_))));
    let mut patient = Setup::with(|options| options.connect_timeout = None);
    patient.sends();
    patient.polls();
    assert_eq!(patient.machine.deadline(patient.now), None);
}

#[test]
fn overload_is_retried_on_request_and_not_before_retry_after() {
    let mut client = Setup::with(|options| options.retry_unavailable = true);
    for status in [429, 500, 502, 503, 504] {
        client.sends();
        client.answer(status, &[("retry-after", "600")]);
        client.machine.ended(client.now);
        assert_eq!(client.loses_and_waits(), 600 * SECOND);
    }
    client.sends();
    client.answer(404, &[("retry-after", "600")]);
    client.machine.ended(client.now);
    assert_eq!(client.fails().refusal().unwrap().status, StatusCode::NOT_FOUND);
}

#[test]
fn the_hook_sees_each_cause_and_its_answer_holds() {
    let hook: Hook = Box::new(|cause, verdict| match cause {
        Disconnect::Status(refusal) if refusal.status == 404 => {
            assert_eq!(verdict, Verdict::Stop);
            Verdict::Retry
        }
        Disconnect::Ended { .. } => {
            assert_eq!(verdict, Verdict::Retry);
            Verdict::Stop
        }
        _ => verdict,
    });
    let mut client = Setup::with(|options| options.hook = Some(hook));
    client.sends();
    client.answer(404, &[]);
    client.machine.ended(client.now);
    client.loses_and_waits();
    client.open();
    client.machine.ended(client.now);
    assert!(matches!(client.disconnected(), (Disconnect::Ended { mid_event: false }, None)));
    client.ends();
}

#[test]
fn the_hook_cannot_exceed_the_attempts() {
    let mut client = Setup::with(|options| {
        options.first = Attempts::once();
        options.hook = Some(Box::new(|_, _| Verdict::Retry));
    });
    client.sends();
    client.machine.failed(network_error(), client.now);
    client.fails();
}

#[test]
fn a_post_is_not_repeated_unless_asked() {
    let post = || Setup { method: "POST", ..Setup::default() };
    let mut client = post().client();
    assert_eq!(client.open().body(), "body");
    client.says("data: token\n\n");
    assert_eq!(client.message(), "token");
    client.machine.ended(client.now);
    assert!(matches!(client.disconnected(), (Disconnect::Ended { mid_event: false }, None)));
    client.ends();

    let mut client = post().client();
    client.open();
    client.says("data: tok");
    client.polls();
    client.machine.failed(network_error(), client.now);
    client.fails();

    let mut setup = post();
    setup.options.repeat = true;
    let mut client = setup.client();
    client.open();
    client.machine.ended(client.now);
    client.loses_and_waits();
    assert_eq!(client.open().body(), "body");
}

#[test]
fn an_interruption_reconnects_at_once_and_ends_a_wait() {
    let mut client = Setup::default().client();
    client.open();
    client.says("id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
    assert_eq!(client.message(), "a");
    client.machine.interrupt(client.now);
    assert!(matches!(client.disconnected(), (Disconnect::Interrupted, Some(Duration::ZERO))));
    assert_eq!(client.waits(), Duration::ZERO);
    // The second was decoded by nobody: it comes again.
    assert_eq!(client.open().headers()["last-event-id"], "1");
    client.machine.ended(client.now);
    client.disconnected();
    client.polls();
    client.machine.interrupt(client.now);
    client.sends();
}

#[test]
fn redirects_are_followed_without_waiting_and_not_counted_as_tries() {
    let mut client = Setup::with(|options| options.first = Attempts::once());
    client.sends();
    client.answer(307, &[("location", "/other")]);
    assert_eq!(client.sends().uri(), "http://a.example/other");
    client.answer(200, &[("content-type", "text/event-stream")]);
    assert!(matches!(client.event(), ClientEvent::Open(opened) if opened.uri.path() == "/other"));
    client.machine.ended(client.now);
    client.loses_and_waits();
    assert_eq!(client.sends().uri(), "http://a.example/events");
    for _ in 0..20 {
        client.answer(302, &[("location", "/events")]);
        client.sends();
    }
    client.answer(302, &[("location", "/events")]);
    assert!(matches!(client.fails().cause(), Disconnect::Redirect(_)));
}

#[test]
fn an_event_beyond_the_limits_fails_or_is_passed() {
    let limits = Limits::default().event(8);
    let mut client = Setup { limits, ..Setup::default() }.client();
    client.open();
    client.says("id: 1\ndata: a\n\nid: 2\ndata: 123456789\n\n");
    assert_eq!(client.message(), "a");
    assert!(matches!(client.fails().cause(), Disconnect::Decode(_)));
    assert_eq!(client.machine.last_event_id(), "1");

    let mut client = Setup { limits: limits.oversized(Oversized::Skip), ..Setup::default() }.client();
    client.open();
    client.says("id: 1\ndata: a\n\nid: 2\ndata: 123456789\n\ndata: b\n\n");
    assert_eq!(client.message(), "a");
    assert!(matches!(client.event(), ClientEvent::Skipped { last_event_id, .. } if last_event_id == "2"));
    assert_eq!(client.message(), "b");
}

#[test]
fn a_hubs_notices_are_understood() {
    let mut client = Setup::default().client();
    client.open();
    client.says(
        "event: sse.checkpoint\ndata: \nid: 00000000000000ff-9\n\nevent: sse.end\ndata: {}\nid: e-10\n\n",
    );
    assert!(matches!(client.event(), ClientEvent::Cursor(id) if id == "00000000000000ff-9"));
    assert!(matches!(client.event(), ClientEvent::Message(end) if end.event_type() == "sse.end"));
    client.machine.ended(client.now);
    client.loses_and_waits();
    assert_eq!(client.sends().headers()["last-event-id"], "e-10");
    client.answer(204, &[]);
    client.disconnected();
    client.ends();
}

#[test]
fn an_encoding_that_was_not_asked_for_is_an_error() {
    let mut client = Setup::default().client();
    client.sends();
    client.answer(200, &[("content-type", "text/event-stream"), ("content-encoding", "br")]);
    assert!(matches!(client.fails().cause(), Disconnect::ContentEncoding(name) if name == "br"));
}
