//! The decoder against the cases of other suites: whole, byte by byte, in every two parts (G2).

use crate::common::cases::{Case, Connection, load};
use crate::common::feed::{feed, split};
use crate::common::reference_decoder::Naive;
use sse_core::decode::{Decoder, Item};

/// Whether the case defines what a decoder makes of all its bytes.
fn is_fed(case: &Case) -> bool {
    // Otherwise the client is closed in the middle of the stream, or it has limits (`decoder_limits.rs`).
    case.json.get("action").is_none() && case.json.get("limit").is_none()
}

fn check(case: &Case, how: &str, connection: &Connection, seen: &Naive) {
    let name = &case.name;
    assert_eq!(seen.events.len(), connection.expected.len(), "{name}, {how}: {:?}", seen.events);
    for (expected, event) in connection.expected.iter().zip(&seen.events) {
        assert!(expected.matches(event), "{name}, {how}: {event:?}");
    }
    assert_eq!(seen.last_event_id, connection.last_event_id, "{name}, {how}: last event id");
    assert_eq!(seen.retry_ms(), connection.retry_ms, "{name}, {how}: retry");
}

/// Runs `connection` on every connection that a client reads, with the last event id from the one before.
fn each_connection(file: &str, mut run: impl FnMut(&Case, &Connection, &str)) -> usize {
    let mut count = 0;
    for case in load(file).iter().filter(|case| is_fed(case)) {
        let mut last_event_id = String::new();
        let mut is_run = false;
        for connection in case.connections.iter().filter(|connection| connection.is_read) {
            run(case, connection, &last_event_id);
            connection.last_event_id.clone_into(&mut last_event_id);
            is_run = true;
        }
        count += usize::from(is_run);
    }
    count
}

/// Runs each connection of each case in all ways, and returns the number of cases and of runs.
fn decode(file: &str) -> (usize, usize) {
    let mut runs = 0;
    let count = each_connection(file, |case, connection, last_event_id| {
        let mut run = |how: &str, chunks: Vec<&[u8]>| {
            let mut decoder = Decoder::with_last_event_id(last_event_id);
            let mut seen = Naive { last_event_id: last_event_id.to_owned(), ..Naive::default() };
            feed(&mut decoder, &mut seen, chunks).expect("within the limits");
            check(case, how, connection, &seen);
            runs += 1;
        };
        let bytes = connection.bytes();
        run("as given", connection.chunks.iter().map(Vec::as_slice).collect());
        run("as one chunk", vec![&bytes]);
        run("byte by byte", bytes.chunks(1).collect());
        run("with empty chunks", bytes.chunks(1).flat_map(|byte| [&[][..], byte]).collect());
        // Every two parts of a long stream would be quadratic, and would test nothing new.
        if case.must && bytes.len() <= 2_000 {
            for at in 1..bytes.len() {
                run(&format!("split at {at}"), split(&bytes, &[at]));
            }
        }
    });
    println!("{file}.json: {count} cases in {runs} runs");
    (count, runs)
}

#[test]
fn web_platform_tests_decode_in_every_chunking() {
    let (count, runs) = decode("wpt");
    assert!(count >= 74 && runs >= 2_500, "{count} cases, {runs} runs");
}

#[test]
fn cases_of_other_suites_decode_in_every_chunking() {
    let (count, runs) = decode("extra");
    assert!(count >= 128 && runs >= 6_000, "{count} cases, {runs} runs");
}

/// The property tests rely on this reader, so it must be correct itself.
#[test]
fn the_naive_reader_agrees_with_the_cases_of_all_suites() {
    let mut count = 0;
    for file in ["wpt", "extra"] {
        count += each_connection(file, |case, connection, last_event_id| {
            let mut naive = Naive { last_event_id: last_event_id.to_owned(), ..Naive::default() };
            naive.connection(&connection.bytes());
            check(case, "by the naive reader", connection, &naive);
        });
    }
    assert!(count >= 202, "{count} cases");
}

#[test]
fn comments_are_reported_on_request_without_the_first_space() {
    let cases = load("extra");
    let case = cases.iter().find(|case| case.name == "x/comment-text").expect("there");
    let expected: Vec<String> =
        serde_json::from_value(case.json["comments_strip_one_space"].clone()).expect("texts");
    let bytes = case.connections[0].bytes();
    for chunks in [vec![&bytes[..]], bytes.chunks(1).collect()] {
        let mut seen = Naive::default();
        feed(&mut Decoder::new().report_comments(), &mut seen, chunks.clone()).expect("within the limits");
        assert_eq!(seen.comments, expected);
        seen = Naive::default();
        feed(&mut Decoder::new(), &mut seen, chunks).expect("within the limits");
        assert_eq!(seen.comments, [""; 0]);
    }
}

#[test]
fn cr_cr_dispatches_before_the_next_byte() {
    let mut decoder = Decoder::new();
    assert!(decoder.decode(&mut &b"data: a\r"[..]).expect("valid").is_none());
    assert!(decoder.is_mid_event());
    let mut input = &b"\r"[..];
    let item = decoder.decode(&mut input).expect("valid");
    assert!(matches!(item, Some(Item::Message(message)) if message.data() == "a"), "{item:?}");
    assert!(!decoder.is_mid_event());
    // The LF of a CRLF is not another line end, so this is one event with two lines.
    let mut messages = decoder.messages(&mut &b"\ndata: b\r\ndata: c\r\n\r\n"[..]).collect::<Vec<_>>();
    assert_eq!(messages.pop().expect("one").expect("valid").into_data(), "b\nc");
    assert!(messages.is_empty());
}

#[test]
fn a_message_in_one_chunk_is_not_copied() {
    let chunk = b"id: 1\nevent: price\ndata: 42\n\n".to_vec();
    let mut decoder = Decoder::new();
    let mut input = &chunk[..];
    let Ok(Some(Item::Message(message))) = decoder.decode(&mut input) else { panic!("no message") };
    assert_eq!((message.event_type(), message.data()), ("price", "42"));
    let within = chunk.as_ptr_range();
    assert!(within.contains(&message.event_type().as_ptr()) && within.contains(&message.data().as_ptr()));
}

#[test]
fn an_end_within_an_event_differs_from_a_clean_one() {
    let clean = [
        "",
        "\u{feff}",
        "retry: 1\n",
        ": x",
        ": a\n",
        "id: 1\n\n",
        "data: a\n\n",
        "\n",
        "event:\n",
        "data: a\r\r",
    ];
    let torn =
        ["d", "data: a", "data: a\n", "id: 1", "id: 1\n", "event: a\n", "data: a\n\ndata", "data: a\n: c\n"];
    for (streams, is_mid_event) in [(&clean[..], false), (&torn[..], true)] {
        for stream in streams {
            let mut decoder = Decoder::new();
            let mut input = stream.as_bytes();
            while decoder.decode(&mut input).expect("valid").is_some() {}
            assert_eq!(decoder.is_mid_event(), is_mid_event, "{stream:?}");
            decoder.reset();
            assert!(!decoder.is_mid_event());
        }
    }
}

#[test]
fn a_block_with_an_id_alone_is_an_item_of_its_own() {
    let mut decoder = Decoder::with_last_event_id("0");
    let mut input = &b"id: 1\n\nevent: x\n\nid\n\ndata: a\n\n"[..];
    assert_eq!(decoder.decode(&mut input), Ok(Some(Item::Id("1"))));
    assert_eq!(decoder.decode(&mut input), Ok(Some(Item::Id(""))));
    let item = decoder.decode(&mut input);
    assert!(
        matches!(item, Ok(Some(Item::Message(message))) if message.event_type() == "message"),
        "{item:?}"
    );
}

#[test]
fn data_is_read_as_json_or_the_error_has_a_position() {
    let mut decoder = Decoder::new();
    let message =
        decoder.messages(&mut &b"data: [1,\ndata: 2]\n\n"[..]).next().expect("whole").expect("valid");
    assert_eq!(message.json::<Vec<u8>>().expect("JSON"), [1, 2]);
    let error = message.json::<bool>().expect_err("no bool");
    let cause = std::error::Error::source(&error).expect("serde's own error").to_string();
    assert!(cause.contains("line 1") && error.to_string().ends_with(&cause), "{error}");
}
