//! Events against the encoder cases of other suites: refused, or decoded as intended (G1).

use std::time::Duration;

use crate::common::cases::{expected, load};
use crate::common::reference_decoder::Naive;
use serde_json::Value;
use sse_core::{Event, Frame};

/// The frame of a case's input, if the builder can express all of it and accepts it.
fn encode(input: &Value) -> Option<Frame> {
    let mut event = Event::default();
    for (name, value) in input.as_object().expect("an object") {
        event = match (name.as_str(), value) {
            ("retry", millis) => event.retry(Duration::from_millis(millis.as_u64()?)),
            ("data", Value::String(text)) => event.data(text),
            ("event", Value::String(text)) => event.event(text),
            ("id", Value::String(text)) => event.id(text),
            ("comment", Value::String(text)) => event.comment(text),
            (name, value) => panic!("an input that this test does not know: {name} {value}"),
        };
    }
    Frame::try_from(event).ok()
}

#[test]
fn g1_cases_of_other_encoders_are_refused_or_decode() {
    let mut count = 0;
    for case in load("extra").iter().filter(|case| case.category == "encode") {
        let (name, encode_case) = (&case.name, &case.json["encode"]);
        let frame = encode(&encode_case["input"]);
        count += 1;
        if encode_case["must_reject"] == true {
            assert_eq!(frame, None, "{name}");
            continue;
        }
        let frame = frame.unwrap_or_else(|| panic!("{name}: refused"));
        let expected: Vec<_> =
            encode_case["decodes_to"].as_array().expect("events").iter().map(expected).collect();
        let mut naive = Naive::default();
        naive.connection(frame.as_ref());
        assert_eq!(naive.events.len(), expected.len(), "{name}: {frame:?}");
        for (expected, event) in expected.iter().zip(&naive.events) {
            assert!(expected.matches(event), "{name}: {frame:?} is {event:?}");
        }
        assert_eq!(naive.unknown, [], "{name}: {frame:?}");
    }
    println!("extra.json: {count} encoder cases");
    assert!(count >= 10, "{count} cases");
}
