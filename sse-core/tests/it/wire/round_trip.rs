//! Events to bytes and back, and the decoder against a naive reader of the standard's prose (G1, G2).

use crate::common::calls::{Call, build, meant};
use crate::common::feed::{feed, split};
use crate::common::reference_decoder::Naive;
use crate::common::streams::{cuts, streams};
use proptest::{collection::vec, prelude::*};
use sse_core::{Frame, decode::Decoder, error::InvalidEvent};

/// The decoder's result for `chunks`, with everything that it can report.
fn decoded(chunks: &[&[u8]]) -> Naive {
    let mut seen = Naive::default();
    feed(&mut Decoder::new().report_comments().report_fields(), &mut seen, chunks)
        .expect("within the limits");
    seen
}

/// The retry time as a number, because the decoder does not keep the digits.
fn in_numbers(mut naive: Naive) -> Naive {
    naive.retry = naive.retry_ms().map(|millis| millis.to_string());
    naive
}

fn read(bytes: &[u8]) -> Naive {
    let mut naive = Naive::default();
    naive.connection(bytes);
    in_numbers(naive)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn g2_the_decoder_equals_the_naive_reader_in_every_chunking(bytes in streams(), cuts in cuts()) {
        let expected = read(&bytes);
        prop_assert_eq!(&decoded(&[&bytes]), &expected);
        prop_assert_eq!(&decoded(&split(&bytes, &cuts)), &expected);
        prop_assert_eq!(&decoded(&bytes.chunks(1).collect::<Vec<_>>()), &expected);
    }

    #[test]
    fn g2_the_decoder_equals_the_naive_reader_on_arbitrary_bytes(bytes in vec(any::<u8>(), 0..300), cuts in cuts()) {
        prop_assert_eq!(decoded(&split(&bytes, &cuts)), read(&bytes));
    }

    #[test]
    fn g2_connections_one_after_the_other_equal_the_naive_reader(
        connections in vec((streams(), cuts()), 1..4)
    ) {
        let mut decoder = Decoder::new().report_comments().report_fields();
        let (mut seen, mut naive) = (Naive::default(), Naive::default());
        for (bytes, cuts) in &connections {
            feed(&mut decoder, &mut seen, split(bytes, cuts)).expect("within the limits");
            naive.connection(bytes);
        }
        prop_assert_eq!(seen, in_numbers(naive));
    }
}

/// Texts that try to break out of their field.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-z0-9]{1,8}",
        3 => prop::sample::select(vec![
            "\r", "\n", "\r\n", "\n\n", "\0", "\u{feff}", " ", ":", ": ", "\t", "\u{7f}", "\u{2028}", "\u{85}",
            "data: evil", "id: 9", "event: evil", "retry: 1", ": c", "sse.end", "é", "🏃🏽",
        ])
        .prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        5 => texts().prop_map(Call::Data),
        1 => vec(texts(), 0..3).prop_map(Call::DataLines),
        2 => "[a-z]{1,6}".prop_map(Call::Type),
        1 => texts().prop_map(Call::Type),
        2 => "[a-z0-9-]{1,6}".prop_map(Call::Id),
        1 => texts().prop_map(Call::Id),
        1 => (500usize..520).prop_map(|len| Call::Id("i".repeat(len))),
        1 => any::<i64>().prop_map(Call::Number),
        1 => Just(Call::ResetId),
        1 => prop_oneof![499u64..502, 3_599_999u64..3_600_002, any::<u64>()].prop_map(Call::Retry),
        2 => texts().prop_map(Call::Comment),
    ];
    vec(call, 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn g1_an_event_is_refused_or_decodes_unchanged(
        first in calls(), second in calls(), cuts in cuts()
    ) {
        let mut last_event_id = String::new();
        let (mut bytes, mut told) = (Vec::new(), Naive::default());
        for calls in [first, second] {
            let frame: Result<Frame, InvalidEvent> = build(&calls).try_into();
            let Some(meant) = meant(&calls, &last_event_id) else {
                prop_assert!(frame.is_err(), "not refused: {:?}", frame);
                continue;
            };
            let frame = frame.expect("only what the documentation says is refused");
            prop_assert!(!frame.as_ref().starts_with(b"\n"), "a blank line of its own");
            bytes.extend_from_slice(frame.as_ref());
            last_event_id.clone_from(&meant.last_event_id);
            told.events.extend(meant.events);
            told.comments.extend(meant.comments);
            told.retry = meant.retry.or(told.retry);
            told.last_event_id.clone_from(&last_event_id);
        }
        prop_assert_eq!(&read(&bytes), &told, "by the naive reader");
        prop_assert_eq!(&decoded(&split(&bytes, &cuts)), &told, "by the decoder");
    }

    #[test]
    fn g1_no_block_of_fields_starts_with_a_comment(calls in calls()) {
        if let Ok(frame) = Frame::try_from(build(&calls)) {
            prop_assert!(!frame.as_ref().starts_with(b":") || only_comments(&calls), "{:?}", frame);
        }
    }
}

/// Whether only comments were set: no lines of data count as nothing.
fn only_comments(calls: &[Call]) -> bool {
    calls.iter().all(|call| match call {
        Call::Comment(_) => true,
        Call::DataLines(lines) => lines.is_empty(),
        _ => false,
    })
}
