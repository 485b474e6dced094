//! The decoder against a naive reader of the standard's prose, in the chunking that the input's first bytes ask for.
#![no_main]

#[path = "../../tests/it/common/feed.rs"]
mod feed;
#[path = "../../tests/it/common/reference_decoder.rs"]
mod reference_decoder;

use feed::{feed, split};
use libfuzzer_sys::fuzz_target;
use reference_decoder::Naive;
use sse_core::decode::{Decoder, Limits};

/// Four cuts, of two bytes each.
const CUTS: usize = 4;

fuzz_target!(|input: &[u8]| {
    let Some((cuts, bytes)) = input.split_at_checked(2 * CUTS) else { return };
    let cuts: Vec<_> =
        cuts.chunks(2).map(|pair| usize::from(u16::from_le_bytes([pair[0], pair[1]]))).collect();
    let mut expected = Naive::default();
    expected.connection(bytes);
    expected.retry = expected.retry_ms().map(|millis| millis.to_string());
    let mut decoder = Decoder::new().report_comments().report_fields();
    let mut seen = Naive::default();
    feed(&mut decoder, &mut seen, split(bytes, &cuts)).expect("within the limits");
    assert_eq!(seen, expected);
    // Narrow limits may refuse, but what they let pass is the same.
    let mut narrow = Decoder::new().limits(Limits::default().line(64).event(128).id(16)).report_comments().report_fields();
    let mut passed = Naive::default();
    if feed(&mut narrow, &mut passed, bytes.chunks(1)).is_ok() {
        assert_eq!(passed, expected);
    } else {
        assert!(passed.events.len() <= expected.events.len());
        assert_eq!(passed.events, expected.events[..passed.events.len()]);
    }
});
