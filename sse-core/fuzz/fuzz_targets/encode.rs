//! Calls of the builder: refused, or what the documentation states, read by the naive reader and by the decoder.
#![no_main]

#[path = "../../tests/it/common/calls.rs"]
mod calls;
#[path = "../../tests/it/common/feed.rs"]
mod feed;
#[path = "../../tests/it/common/reference_decoder.rs"]
mod reference_decoder;

use arbitrary::{Result, Unstructured};
use calls::{Call, build, meant};
use feed::feed;
use libfuzzer_sys::fuzz_target;
use reference_decoder::Naive;
use sse_core::{Frame, decode::Decoder, error::InvalidEvent};

/// Texts as an input gives them, without what only its end would add.
fn call(input: &mut Unstructured<'_>) -> Result<Call> {
    Ok(match input.int_in_range(0..=7)? {
        0 => Call::Data(input.arbitrary()?),
        1 => Call::DataLines(input.arbitrary()?),
        2 => Call::Type(input.arbitrary()?),
        3 => Call::Id(input.arbitrary()?),
        4 => Call::Number(input.arbitrary()?),
        5 => Call::ResetId,
        6 => Call::Retry(input.arbitrary()?),
        _ => Call::Comment(input.arbitrary()?),
    })
}

fuzz_target!(|input: &[u8]| {
    let mut input = Unstructured::new(input);
    let mut last_event_id = String::new();
    let (mut bytes, mut told) = (Vec::new(), Naive::default());
    for _ in 0..3 {
        let mut calls = Vec::new();
        while !input.is_empty() && calls.len() < 6 {
            let Ok(call) = call(&mut input) else { break };
            calls.push(call);
        }
        let frame: Result<Frame, InvalidEvent> = build(&calls).try_into();
        let Some(meant) = meant(&calls, &last_event_id) else {
            assert!(frame.is_err(), "not refused: {calls:?}");
            continue;
        };
        let frame = frame.expect("only what the documentation says is refused");
        assert!(!frame.as_ref().starts_with(b"\n"), "a blank line of its own");
        bytes.extend_from_slice(frame.as_ref());
        last_event_id.clone_from(&meant.last_event_id);
        told.events.extend(meant.events);
        told.comments.extend(meant.comments);
        told.retry = meant.retry.or(told.retry);
        told.last_event_id.clone_from(&last_event_id);
    }
    let mut naive = Naive::default();
    naive.connection(&bytes);
    naive.retry = naive.retry_ms().map(|millis| millis.to_string());
    assert_eq!(naive, told, "by the naive reader");
    let mut seen = Naive::default();
    let mut decoder = Decoder::new().report_comments().report_fields();
    feed(&mut decoder, &mut seen, [&bytes]).expect("within the limits");
    assert_eq!(seen, told, "by the decoder");
});
