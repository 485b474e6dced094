//! A connection from its request to its end.

use super::*;

#[test]
fn g16_it_resumes_after_the_last_event() {
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
    // Half an event is not carried over to the next connection.
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
fn no_response_is_a_timeout() {
    let mut client = Setup::default().client();
    client.sends();
    assert_eq!(client.waits(), 30 * SECOND);
    assert!(matches!(client.disconnected(), (Disconnect::Timeout(_), Some(_))));
    // Meanwhile the application asked for nothing, so the response may be available and unread.
    let mut busy = Setup::default().client();
    busy.sends();
    busy.now += 60 * SECOND;
    assert_eq!(busy.waits(), 30 * SECOND);
    let mut patient = Setup::with(|options| options.connect_timeout = None);
    patient.sends();
    patient.polls();
    assert_eq!(patient.machine.deadline(patient.now), None);
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
