//! Events are written into a draft that each thread reuses: no part of one may appear in the next, and a frame is one
//! allocation.

use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use sse_core::{Event, EventId, EventType, Frame};

fn bytes(event: Event) -> String {
    String::from_utf8(Frame::try_from(event).unwrap().as_ref().to_vec()).unwrap()
}

#[test]
fn nothing_of_an_event_shows_in_the_next() {
    let plain = || assert_eq!(bytes(Event::message("x")), "data: x\n\n");
    let long = "long ".repeat(1_000);
    plain();
    // Sent with all fields set.
    let full = Event::message("a\nb").event("t").id("i").comment("c").retry(Duration::from_secs(1));
    assert_eq!(bytes(full), "data: a\ndata: b\nevent: t\nid: i\nretry: 1000\n: c\n\n");
    plain();
    // Refused for an error, and for a missing field.
    Frame::try_from(Event::message("a").comment("c").id("two\nlines")).unwrap_err();
    plain();
    Frame::try_from(Event::default().event("t").comment("c")).unwrap_err();
    plain();
    Frame::try_from(Event::default()).unwrap_err();
    plain();
    // Never sent.
    drop(Event::message("a").event("t").id("i").comment("c"));
    plain();
    // Long, in one line and in several.
    assert_eq!(bytes(Event::message(&long)), format!("data: {long}\n\n"));
    plain();
    assert_eq!(bytes(Event::message(&long).event("t")), format!("data: {long}\nevent: t\n\n"));
    plain();
    // After existing text.
    assert_eq!(bytes(Event::default().id("i").data(&long)), format!("id: i\ndata: {long}\n\n"));
    plain();
    assert_eq!(bytes(Event::message(format!("{long}\n{long}"))), format!("data: {long}\ndata: {long}\n\n"));
    plain();
    // Only a line or a comment.
    assert_eq!(bytes(Event::default().retry(Duration::from_secs(2))), "retry: 2000\n");
    plain();
    assert_eq!(bytes(Event::default().comment("c")), ": c\n");
    plain();
}

#[test]
fn events_that_are_written_at_the_same_time_do_not_mix() {
    let (one, other) = (Event::message("1"), Event::message("2"));
    let (one, third) = (one.event("one"), Event::default().id(3));
    let copy = one.clone().id(4);
    assert_eq!(bytes(one), "data: 1\nevent: one\n\n");
    assert_eq!(bytes(copy), "data: 1\nevent: one\nid: 4\n\n");
    assert_eq!(bytes(third.data("3")), "id: 3\ndata: 3\n\n");
    assert_eq!(bytes(std::thread::spawn(move || other.id(2)).join().unwrap()), "data: 2\nid: 2\n\n");
}

#[test]
fn a_frame_is_one_allocation_of_its_own_size() {
    let text = "x".repeat(100);
    let line = "y".repeat(4_096);
    let lines = vec!["z".repeat(63); 64].join("\n");
    // The thread's draft, once.
    bytes(Event::message(&lines));
    let of = |make: &dyn Fn() -> Event| -> (AllocationInfo, u64) {
        let mut len = 0;
        let info = measure(|| len = Frame::try_from(make()).unwrap().as_ref().len());
        (info, len as u64)
    };
    for make in [
        &|| Event::message(&text).event("price").id("1700000000123"),
        &|| Event::message("a token"),
        &|| Event::message(&line),
        &|| Event::message(&lines),
    ] as [&dyn Fn() -> Event; 4]
    {
        let (info, len) = of(make);
        assert_eq!((info.count_total, info.bytes_total), (1, len));
    }
}

#[test]
fn control_characters_are_found_wherever_they_stand() {
    for len in 1..40 {
        for at in 0..len {
            for character in (0..=0xff).map(char::from) {
                let mut text: String = "ä".repeat(at / 2) + &"x".repeat(len - at / 2);
                let at = text.char_indices().nth(at).unwrap().0;
                text.insert(at, character);
                let is_control = character.is_ascii_control();
                assert_eq!(EventType::new(&text).is_err(), is_control, "{text:?}");
                let refused = is_control || (character == ' ' && (at == 0 || at + 1 == text.len()));
                assert_eq!(EventId::new(&text).is_err(), refused, "{text:?}");
            }
        }
    }
}
