//! The application's options.

use super::*;

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
fn attempts_are_bounded_first_and_later() {
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
fn g16_the_watchdog_waits_for_bytes_while_polled() {
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
    // The second was not decoded, so it comes again.
    assert_eq!(client.open().headers()["last-event-id"], "1");
    client.machine.ended(client.now);
    client.disconnected();
    client.polls();
    client.machine.interrupt(client.now);
    client.sends();
}

#[test]
fn redirects_are_followed_at_once_and_not_counted() {
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
