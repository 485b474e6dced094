//! The values that the builder accepts: JSON, ids and types, and the errors for those that cannot be sent.

use std::{collections::BTreeMap, error::Error, time::Duration};

use sse_core::{
    Cursor, Event, EventId, EventType, Frame,
    error::{InvalidEvent, InvalidEventId, InvalidEventType},
    history::Epoch,
};

fn bytes(event: Event) -> String {
    String::from_utf8(Frame::try_from(event).expect("an event").as_ref().to_vec()).expect("UTF-8")
}

#[test]
fn an_id_is_written_as_it_stands_wherever_it_comes_from() {
    let id = EventId::new("order-42").expect("an id");
    assert_eq!((id.as_str(), id.as_ref(), &*id.to_string()), ("order-42", "order-42", "order-42"));
    assert_eq!(EventId::try_from("order-42").as_ref(), Ok(&id));
    assert_eq!(EventId::try_from("order-42".to_owned()).as_ref(), Ok(&id));
    let cursor = Cursor::new(Epoch::from_bits(0xabc), 42).with_checksum(7);
    assert_eq!(EventId::try_from(cursor).expect("an id").as_str(), cursor.to_string());
    for (event, written) in [
        (Event::message("x").id(&id), "order-42"),
        (Event::message("x").id(id), "order-42"),
        (Event::message("x").id(cursor), "0000000000000abc-42-00000007"),
        (Event::message("x").id(-7_i8), "-7"),
        (Event::message("x").reset_id(), ""),
    ] {
        assert_eq!(bytes(event), format!("data: x\nid: {written}\n\n"));
    }
}

#[test]
fn an_id_may_be_as_long_as_its_limit_and_no_longer() {
    let longest = "x".repeat(EventId::MAX_LEN);
    assert_eq!(bytes(Event::message("x").id(&longest)), format!("data: x\nid: {longest}\n\n"));
    let error = EventId::new(longest + "x").expect_err("too long");
    assert_eq!(error, InvalidEventId::TooLong { len: EventId::MAX_LEN + 1 });
    assert!(error.to_string().contains("513 bytes, at most 512"), "{error}");
}

#[test]
fn a_type_is_written_as_it_stands() {
    let event_type = EventType::new("price").expect("a type");
    let (text, shown) = (event_type.as_str(), event_type.to_string());
    assert_eq!((text, event_type.as_ref(), &*shown), ("price", "price", "price"));
    assert_eq!(EventType::try_from("price").as_ref(), Ok(&event_type));
    assert_eq!(bytes(Event::message("x").event(&event_type)), "data: x\nevent: price\n\n");
}

#[test]
fn a_control_character_is_found_anywhere() {
    for character in (0..0x20).chain([0x7f]).map(char::from) {
        for count in 1..20 {
            let text = character.to_string().repeat(count);
            assert_eq!(EventId::new(&text), Err(InvalidEventId::ControlCharacter { at: 0 }), "{text:?}");
            assert_eq!(EventType::new(&text), Err(InvalidEventType::ControlCharacter { at: 0 }), "{text:?}");
        }
        // All other characters are equal, so that only the character itself can make the difference.
        for before in 0..20 {
            let text = "x".repeat(before) + &character.to_string();
            assert_eq!(EventId::new(&text), Err(InvalidEventId::ControlCharacter { at: before }), "{text:?}");
        }
    }
}

#[test]
fn json_is_data_and_what_cannot_be_json_is_refused() {
    assert_eq!(bytes(Event::json(["a\nb"]).event("t")), "data: [\"a\\nb\"]\nevent: t\n\n");
    let event = Event::message("first").json_data([1, 2]).expect("JSON");
    assert_eq!(bytes(event), "data: first\ndata: [1,2]\n\n");
    // A key that is not a text.
    let impossible = BTreeMap::from([((1, 2), 3)]);
    let error = Frame::try_from(Event::json(&impossible)).expect_err("not JSON");
    assert!(matches!(error, InvalidEvent::Json(_)) && error.source().is_some(), "{error}");
    Event::default().json_data(&impossible).expect_err("not JSON");
}

#[test]
fn the_first_mistake_is_the_one_that_is_told_with_its_cause() {
    let told = |event| Frame::try_from(event).expect_err("a mistake");
    let error = told(Event::message("x").id(" a").event("").retry(Duration::ZERO));
    assert!(matches!(error, InvalidEvent::Id(InvalidEventId::OuterSpace)));
    assert_eq!(error.source().map(ToString::to_string), Some(error.to_string()));
    let error = told(Event::message("x").event("").id(" a"));
    assert!(matches!(error, InvalidEvent::Type(_)) && error.source().is_some(), "{error}");
}

/// The table of `docs/migration.md`: values that other libraries send and ours refuses, as the page states.
#[test]
fn h8_what_is_legal_elsewhere_is_refused_as_the_page_says() {
    let told = |event| Frame::try_from(event).expect_err("refused");
    assert!(matches!(told(Event::default()), InvalidEvent::Empty));
    assert!(matches!(told(Event::default().event("x")), InvalidEvent::NoData));
    assert!(matches!(told(Event::message("x").event("")), InvalidEvent::Type(InvalidEventType::Empty)));
    for control in ["a\tb", "a\0", "a\nb", "a\rb"] {
        let error = told(Event::message("x").event(control));
        assert!(matches!(error, InvalidEvent::Type(InvalidEventType::ControlCharacter { at: 1 })), "{error}");
        let error = told(Event::message("x").id(control));
        assert!(matches!(error, InvalidEvent::Id(InvalidEventId::ControlCharacter { at: 1 })), "{error}");
    }
    for spaced in [" a", "a ", " "] {
        let error = told(Event::message("x").id(spaced));
        assert!(matches!(error, InvalidEvent::Id(InvalidEventId::OuterSpace)), "{error}");
    }
    let error = told(Event::message("x").id("i".repeat(513)));
    assert!(matches!(error, InvalidEvent::Id(InvalidEventId::TooLong { len: 513 })), "{error}");
    for (event, sent) in [
        (Event::message("x").event("sse.mine"), "data: x\nevent: sse.mine\n\n"),
        (Event::message("x").id(""), "data: x\nid: \n\n"),
        (Event::message("x").data("y"), "data: x\ndata: y\n\n"),
        (
            Event::message("x").event("a").event("b").id(1).id(2),
            "data: x\nevent: a\nevent: b\nid: 1\nid: 2\n\n",
        ),
        (Event::message("a\rb").comment("c\nd"), "data: a\ndata: b\n: c\n: d\n\n"),
        (Event::default().comment("alone"), ": alone\n"),
        (Event::default().retry(Duration::from_secs(1)), "retry: 1000\n"),
    ] {
        assert_eq!(bytes(event), sent);
    }
}

/// All setters behave the same: see `h8_a_retry_is_between_the_limits_whoever_sets_it` for the others.
#[test]
fn h8_a_retry_outside_the_limits_becomes_the_nearest_one() {
    for (asked, sent) in [
        (Duration::ZERO, 500),
        (Duration::from_millis(100), 500),
        (Duration::from_millis(499), 500),
        (Duration::from_millis(500), 500),
        (Duration::from_micros(500_999), 500),
        (Duration::from_secs(3_600), 3_600_000),
        (Duration::from_millis(3_600_001), 3_600_000),
        (Duration::MAX, 3_600_000),
    ] {
        assert_eq!(
            bytes(Event::message("x").retry(asked)),
            format!("data: x\nretry: {sent}\n\n"),
            "{asked:?}"
        );
    }
}
