//! Events and messages as JSON: feature `serde`.

#![cfg(feature = "serde")]

use std::time::Duration;

use serde_json::{Value, json};
use sse_core::{
    Event, Frame,
    decode::{Decoder, Message},
};

fn message(mut stream: &[u8]) -> Message {
    Decoder::new().messages(&mut stream).next().expect("one").expect("valid")
}

#[test]
fn an_event_is_written_with_the_fields_that_were_set() {
    let event = Event::message("a\r\nb\r")
        .event("old")
        .event("note")
        .id("6")
        .id(7)
        .retry(Duration::from_secs(2))
        .comment("one\ntwo")
        .data(" c: d");
    let json = serde_json::to_value(&event).expect("a valid event");
    assert_eq!(
        json,
        json!({"event": "note", "data": "a\nb\n\n c: d", "id": "7", "retry": 2000, "comment": "one\ntwo"})
    );
    assert_eq!(serde_json::to_value(Event::message("")).expect("valid"), json!({"data": ""}));
    assert_eq!(serde_json::to_value(Event::default().reset_id()).expect("valid"), json!({"id": ""}));
}

#[test]
fn an_event_that_is_read_again_is_the_same_frame() {
    for json in [
        json!({"data": "a\nb\n\n c: d", "event": "note", "id": "7", "retry": 2000, "comment": "one\n: two"}),
        json!({"data": ""}),
        json!({"data": "x", "id": null}),
        json!({"retry": 500}),
        json!({"comment": ""}),
        json!({"id": ""}),
    ] {
        let event: Event = serde_json::from_value(json.clone()).expect("valid");
        let again: Event =
            serde_json::from_value(serde_json::to_value(&event).expect("valid")).expect("what was written");
        let (frame, again) = (Frame::try_from(event), Frame::try_from(again));
        assert_eq!(frame.expect("valid"), again.expect("valid"), "{json}");
    }
}

#[test]
fn what_the_builder_refuses_is_an_error_in_both_directions() {
    for (json, part) in [
        (json!({}), "nothing in it"),
        (json!({"event": "x"}), "type without data"),
        (json!({"data": "x", "id": "a\nb"}), "control character"),
        (json!({"data": "x", "id": " a"}), "space"),
        (json!({"data": "x", "id": "i".repeat(513)}), "513 bytes"),
        (json!({"data": "x", "event": "a\rdata: evil"}), "control character"),
        (json!({"data": "x", "event": ""}), "empty"),
        (json!({"data": "x", "retry": -1}), "-1"),
        (json!({"data": "x", "evnt": "typo"}), "evnt"),
        (json!({"data": 7}), "7"),
    ] {
        let error = serde_json::from_value::<Event>(json.clone()).expect_err("refused").to_string();
        assert!(error.contains(part), "{json}: {error}");
    }
    for event in [Event::default(), Event::message("x").id("a\nb"), Event::default().event("x")] {
        assert!(serde_json::to_value(&event).is_err(), "{event:?}");
    }
}

#[test]
fn a_message_is_written_and_read_under_the_names_of_page_code() {
    let message = message(b"event: price\nid: 7\ndata: a\ndata: b\n\n");
    let json = serde_json::to_value(&message).expect("always");
    assert_eq!(json, json!({"type": "price", "data": "a\nb", "lastEventId": "7"}));
    assert_eq!(serde_json::from_value::<Message>(json).expect("what was written"), message);
    let json: Value = json!({"type": "", "data": "", "lastEventId": ""});
    assert_eq!(serde_json::from_value::<Message>(json).expect("valid").event_type(), "message");
    assert!(serde_json::from_value::<Message>(json!({"data": "x"})).is_err());
}

#[test]
fn messages_are_equal_by_what_a_client_is_told() {
    assert_eq!(message(b"data: a\n\n"), message(b": c\nevent: message\ndata:a\r\r"));
    assert_ne!(message(b"data: a\n\n"), message(b"data: a\nid: 1\n\n"));
    // Type and id are not run together.
    assert_ne!(message(b"data: x\nevent: a\nid: bc\n\n"), message(b"data: x\nevent: ab\nid: c\n\n"));
    let message = message(b"data: {\"n\": 1}\n\n");
    assert_eq!(message.json::<Value>().expect("JSON"), json!({"n": 1}));
    assert_eq!(message.into_data(), "{\"n\": 1}");
}
