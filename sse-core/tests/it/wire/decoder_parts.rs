//! Large events in parts: joined they are the same event as in one piece, in bounded memory.

use crate::common::feed::split;
use crate::common::streams::{cuts, streams};
use proptest::prelude::*;
use sse_core::decode::{DecodeError, Decoder, Item, Limits};

/// The events, with their parts joined if there are any: type, data, id.
fn events(mut decoder: Decoder, chunks: &[&[u8]]) -> Result<Vec<(String, String, String)>, DecodeError> {
    let (mut events, mut data) = (Vec::new(), String::new());
    for chunk in chunks {
        let mut input = *chunk;
        while let Some(item) = decoder.decode(&mut input)? {
            match item {
                Item::Part(part) => {
                    assert!(!part.is_empty());
                    data.push_str(part);
                }
                Item::Message(message) => {
                    data.push_str(message.data());
                    let (event_type, id) =
                        (message.event_type().to_owned(), message.last_event_id().to_owned());
                    events.push((event_type, std::mem::take(&mut data), id));
                }
                _ => {}
            }
        }
    }
    Ok(events)
}

#[test]
fn an_event_of_any_size_takes_bounded_memory() {
    let limits = Limits::default().line(20_000).event(20_000);
    for line_end in ["", "\ndata: "] {
        let mut decoder = Decoder::new().limits(limits).report_parts(10_000);
        let (mut length, mut parts) = (0, 0);
        let mut feed = |mut input: &[u8]| {
            while let Some(item) = decoder.decode(&mut input).expect("within the limits") {
                match item {
                    Item::Part(part) => {
                        assert!((10_000..15_000).contains(&part.len()));
                        length += part.len();
                        parts += 1;
                    }
                    Item::Message(message) => {
                        assert_eq!((message.event_type(), message.last_event_id()), ("big", "7"));
                        length += message.data().len();
                    }
                    item => panic!("{item:?}"),
                }
            }
        };
        feed(b"event: big\nid: 7\ndata: ");
        for _ in 0..1_000 {
            feed("\u{2026}".repeat(1_000).as_bytes());
            feed(line_end.as_bytes());
        }
        feed(b"\n\n");
        let lines = if line_end.is_empty() { 0 } else { 1_000 };
        assert_eq!(length, 3_000_000 + lines);
        assert!(parts > 200, "{parts}");
    }
}

#[test]
fn a_character_is_never_cut() {
    for character in ["e", "\u{e9}", "\u{2026}", "\u{1f600}"] {
        // Its last bytes are missing, and come later.
        for cut in 1..character.len() {
            let (first, rest) = character.as_bytes().split_at(cut);
            let mut decoder = Decoder::new().report_parts(8);
            let mut parts = Vec::new();
            for chunk in [[b"data: 12345678", first].concat(), [rest, b"\n\n"].concat()] {
                let mut input = &*chunk;
                while let Some(item) = decoder.decode(&mut input).expect("within the limits") {
                    match item {
                        Item::Part(part) => parts.push(part.to_owned()),
                        Item::Message(message) => parts.push(message.data().to_owned()),
                        item => panic!("{item:?}"),
                    }
                }
            }
            assert_eq!(parts, ["12345678", character]);
        }
    }
}

#[test]
fn a_part_comes_when_as_many_bytes_are_there_as_were_asked_for() {
    let mut decoder = Decoder::new().report_parts(16);
    assert!(matches!(decoder.decode(&mut &b"data: 0123456789abcde"[..]), Ok(None)));
    assert!(matches!(decoder.decode(&mut &b"f"[..]), Ok(Some(Item::Part("0123456789abcdef")))));
}

#[test]
fn what_the_end_cuts_off_was_no_event() {
    let mut decoder = Decoder::new().report_parts(8);
    let mut input = &b"id: 1\ndata: 123456789"[..];
    assert!(matches!(decoder.decode(&mut input), Ok(Some(Item::Part("123456789")))));
    assert!(matches!(decoder.decode(&mut input), Ok(None)));
    assert!(decoder.is_mid_event());
    decoder.reset();
    let chunks: [&[u8]; 1] = [b"data: x\n\n"];
    assert_eq!(events(decoder, &chunks), Ok(vec![("message".into(), "x".into(), String::new())]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_parts_are_the_whole(bytes in streams(), cuts in cuts(), least in 0usize..24) {
        let whole = events(Decoder::new(), &[&bytes]);
        let decoder = || Decoder::new().report_parts(least);
        prop_assert_eq!(&events(decoder(), &split(&bytes, &cuts)), &whole);
        prop_assert_eq!(&events(decoder(), &bytes.chunks(1).collect::<Vec<_>>()), &whole);
    }
}
