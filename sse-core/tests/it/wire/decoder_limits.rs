//! The decoder's limits: what passes, fails or is skipped, and that the chunks make no difference (G2).

use crate::common::cases::load;
use crate::common::feed;
use crate::common::feed::split;
use crate::common::reference_decoder::Naive;
use crate::common::streams::{cuts, streams};
use proptest::prelude::*;
use sse_core::decode::{DecodeError, Decoder, Item, Limits, Oversized};

/// The decoded items as text; an error ends the list.
fn seen(limits: Limits, chunks: &[&[u8]]) -> Vec<String> {
    let mut decoder = Decoder::new().limits(limits).report_comments().report_fields();
    let mut seen = Vec::new();
    for chunk in chunks {
        let mut input = *chunk;
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(item)) => seen.push(format!("{item:?}")),
                Ok(None) => break,
                Err(error) => {
                    seen.push(format!("{error:?}"));
                    return seen;
                }
            }
        }
    }
    seen.push(format!("id {:?}, mid-event {}", decoder.last_event_id(), decoder.is_mid_event()));
    seen
}

fn error(limits: Limits, stream: &str) -> Option<DecodeError> {
    let mut decoder = Decoder::new().limits(limits);
    let whole = decoder.messages(&mut stream.as_bytes()).find_map(Result::err);
    for at in 0..=stream.len() {
        decoder.reset();
        let mut split = None;
        for mut part in [&stream.as_bytes()[..at], &stream.as_bytes()[at..]] {
            split = split.or(decoder.messages(&mut part).find_map(Result::err));
        }
        assert_eq!(split, whole, "{stream:?} split at {at}");
    }
    whole
}

#[test]
fn what_is_exactly_at_a_limit_passes_and_one_byte_more_fails() {
    let line = DecodeError::LineTooLong { limit: 10 };
    let event = DecodeError::EventTooLarge { limit: 10 };
    let id = DecodeError::IdTooLong { limit: 3 };
    let (line_limit, event_limit) = (Limits::default().line(10), Limits::default().event(10));
    let id_limit = Limits::default().id(3);
    for (limits, passes, fails, expected) in [
        (line_limit, "data: abcd\n\n", "data: abcde\n\n", line),
        (line_limit, "data:abcde\r\n\r\n", "data:abcdef\r\n\r\n", line),
        (line_limit, "data: abcd\ndata: abcd\n\n", "data: abcd\ndata: abcde\n\n", line),
        (line_limit, "event: abc\ndata\n\n", "event: abcd\ndata\n\n", line),
        (line_limit, "id: abcdef\n\n", "id: abcdefg\n\n", line),
        (event_limit, "data: 0123456789\n\n", "data: 0123456789a\n\n", event),
        (event_limit, "data: 0123\ndata: 56789\n\n", "data: 0123\ndata: 567890\n\n", event),
        (event_limit, "data: 012345678\ndata\n\n", "data: 0123456789\ndata\n\n", event),
        (event_limit, "id: 12\ndata: 3456\nevent: 7890\n\n", "id: 12\ndata: 3456\nevent: 78901\n\n", event),
        (event_limit, "event: 7890\ndata: 3456\nid: 12\n\n", "event: 7890\ndata: 3456\nid: 123\n\n", event),
        (event_limit, "data\ndata: 3456\nid: 12345\n\n", "data\ndata: 3456\nid: 123456\n\n", event),
        (event_limit, "id: 1234567\ndata: 890\n\n", "id: 1234567\ndata: 8901\n\n", event),
        // A type or an id replaces the one before.
        (
            event_limit,
            "event: 12345678\nevent: 12345\ndata: 67890\n\n",
            "event: 12345\ndata: 67890\nid: 1\n\n",
            event,
        ),
        (
            event_limit,
            "id: 12345678\nid: 12345\ndata: 67890\n\n",
            "id: 12345\ndata: 67890\nevent: 1\n\n",
            event,
        ),
        (id_limit, "id: 123\ndata: 0123456789\n\n", "id: 1234\ndata: 0123456789\n\n", id),
        (id_limit, "id:123\n\n", "id:1234\n\n", id),
    ] {
        assert_eq!(error(limits, passes), None, "{passes:?}");
        assert_eq!(error(limits, fails), Some(expected), "{fails:?}");
        // The sizes of two such events are not added up.
        assert_eq!(error(limits, &passes.repeat(3)), None, "{passes:?} three times");
        assert_eq!(error(limits, &format!("{passes}{fails}")), Some(expected), "{fails:?} second");
    }
}

#[test]
fn an_error_names_its_limit_and_the_setting() {
    for (error, limit, setting) in [
        (DecodeError::LineTooLong { limit: 10 }, "10 bytes", "`Limits::line`"),
        (DecodeError::EventTooLarge { limit: 11 }, "11 bytes", "`Limits::event`"),
        (DecodeError::IdTooLong { limit: 12 }, "12 bytes", "`Limits::id`"),
    ] {
        let text = error.to_string();
        assert!(text.contains(limit) && text.contains(setting), "{text}");
    }
}

#[test]
fn a_line_may_always_have_a_name_a_colon_and_a_space() {
    assert_eq!(Limits::default().line(0), Limits::default().line("retry: ".len()));
}

#[test]
fn lines_that_are_not_kept_have_no_limit() {
    let limits = Limits::default().line(10).event(10).id(3);
    let long = "0".repeat(100);
    for ignored in [format!(": {long}"), format!("retry: {long}5"), format!("name: {long}"), long.clone()] {
        assert_eq!(
            error(limits, &format!("{ignored}\ndata: abc\n{ignored}\ndata: d\n\n{ignored}\n")),
            None,
            "{ignored}"
        );
    }
    let mut decoder = Decoder::new().limits(limits);
    assert_eq!(decoder.messages(&mut format!("retry: {long}5\n").as_bytes()).count(), 0);
    assert_eq!(decoder.retry().map(feed::millis), Some(5));
}

#[test]
fn an_endless_line_fails_at_its_limit() {
    for (limits, stream, passing) in [
        (Limits::default().line(20), "data: ".to_owned() + &"x".repeat(100), 20),
        (Limits::default().line(20), "id: ".to_owned() + &"x".repeat(100), 20),
        (Limits::default().event(20), "data: ".to_owned() + &"x".repeat(100), 26),
        (Limits::default().event(20), "data: 0123456789\nevent: ".to_owned() + &"x".repeat(100), 34),
        (Limits::default().event(20), "data: 0123456789\ndata:".to_owned() + &"x".repeat(100), 31),
        (Limits::default().id(20), "id:".to_owned() + &"x".repeat(100), 23),
    ] {
        let mut decoder = Decoder::new().limits(limits);
        let failed = stream.as_bytes().iter().position(|byte| decoder.decode(&mut &[*byte][..]).is_err());
        assert_eq!(failed, Some(passing), "{stream}");
    }
}

#[test]
fn a_failed_decoder_fails_until_it_is_reset() {
    let mut decoder = Decoder::with_last_event_id("41").limits(Limits::default().event(5));
    let mut input = &b"data: 123456\n\ndata: a\n\n"[..];
    let error = DecodeError::EventTooLarge { limit: 5 };
    for _ in 0..3 {
        assert_eq!(decoder.decode(&mut input), Err(error));
    }
    let messages: Vec<_> = decoder.messages(&mut input).collect();
    assert_eq!(messages, [Err(error)], "the iterator ends");
    decoder.reset();
    let message = decoder.messages(&mut &b"data: a\n\n"[..]).next().expect("one").expect("within the limit");
    assert_eq!((message.data(), message.last_event_id()), ("a", "41"));
}

/// The items of a stream under the skip policy, in every two parts.
fn skipped(limits: Limits, stream: &str) -> Vec<String> {
    let limits = limits.oversized(Oversized::Skip);
    let whole = seen(limits, &[stream.as_bytes()]);
    for at in 0..=stream.len() {
        assert_eq!(seen(limits, &split(stream.as_bytes(), &[at])), whole, "{stream:?} split at {at}");
    }
    assert_eq!(
        seen(limits, &stream.as_bytes().chunks(1).collect::<Vec<_>>()),
        whole,
        "{stream:?} byte by byte"
    );
    whole
}

fn skip(error: DecodeError, last_event_id: &str) -> String {
    format!("{:?}", Item::Skipped { error, last_event_id })
}

#[test]
fn a_too_large_event_is_skipped_with_its_id() {
    let error = DecodeError::EventTooLarge { limit: 10 };
    let limits = Limits::default().event(10);
    let large = "x".repeat(50);
    for event in [
        format!("id: 7\nevent: t\ndata: {large}\n\n"),
        format!("event: t\ndata: {large}\nid: 7\n\n"),
        format!("data: {large}\ndata: more\nid: 6\nid: 7\ndata: {large}\n\n"),
        format!("event: {large}\nid: 7\ndata: more\n\n"),
        // The id exceeds the event's limit, and is read all the same.
        format!("data: 0123456789\n{0}{0}id: 7\n\n", "retry:x\n"),
        "event: x\ndata: 012345678901\ndata: 0\nid: 7\n\n".to_owned(),
    ] {
        let items = skipped(limits, &format!("data: before\n\n{event}data: after\n\n"));
        assert_eq!(items.len(), 4, "{items:?}");
        assert!(items[0].contains("\"before\"") && items[2].contains("\"after\""), "{items:?}");
        assert!(
            items[2].contains("event_type: \"message\"") && items[2].contains("last_event_id: \"7\""),
            "{items:?}"
        );
        assert_eq!(items[1], skip(error, "7"), "{event}");
        let torn = event.trim_end().rsplit_once('\n').map_or("", |(lines, _)| lines).to_owned() + "\n";
        assert!(skipped(limits, &torn).last().is_some_and(|end| end.contains("mid-event true")), "{torn}");
    }
}

#[test]
fn an_event_with_a_too_long_id_is_skipped() {
    let error = DecodeError::IdTooLong { limit: 3 };
    let items = skipped(Limits::default().id(3), "id: 1\ndata: a\n\nid: 2345\ndata: b\n\ndata: c\n\n");
    assert_eq!(items[1], skip(error, "1"));
    assert!(items[2].contains("\"c\"") && items[2].contains("last_event_id: \"1\""), "{items:?}");
    // A text that is too long for the event is not too long for an id.
    let error = DecodeError::EventTooLarge { limit: 5 };
    let items = skipped(Limits::default().event(5), "id: 1234567\ndata: b\n\ndata: b\nid: 123456789\n\n");
    assert_eq!(items[..2], [skip(error, "1234567"), skip(error, "123456789")]);
    // An id of a skipped event that is itself too long for a line is skipped as well.
    let error = DecodeError::LineTooLong { limit: 10 };
    let items = skipped(Limits::default().line(10), "id: 1\ndata: 01234567\nid: 012345678\n\n");
    assert_eq!(items[0], skip(error, "1"));
}

#[test]
fn a_comment_beyond_the_limit_is_left_out_and_spoils_no_event() {
    let items = skipped(Limits::default().line(10), ": 0123456789\nname: 01234567\ndata: a\n: ok\n\n");
    assert_eq!(items.len(), 3, "{items:?}");
    assert!(items[0].contains("Comment(\"ok\")") && items[1].contains("data: \"a\""), "{items:?}");
}

#[test]
fn the_limit_cases_of_other_suites_fail_or_skip_as_they_say() {
    let mut count = 0;
    for case in load("extra").iter().filter(|case| case.json.get("limit").is_some()) {
        let limit = usize::try_from(case.json["limit"].as_u64().expect("a number")).expect("small");
        let chunks: Vec<_> = case.connections[0].chunks.iter().map(Vec::as_slice).collect();
        let by_line = case.json["requires"][0] == "option:max-line";
        let limits = if by_line { Limits::default().line(limit) } else { Limits::default().event(limit) };
        let failed = seen(limits, &chunks);
        let expected = if by_line { "LineTooLong" } else { "EventTooLarge" };
        assert!(failed.last().expect("one").starts_with(expected), "{}: {failed:?}", case.name);
        if let Some(data) = case.json["policies"]["skip-line"].as_array() {
            let items = seen(limits.oversized(Oversized::Skip), &chunks);
            let messages: Vec<_> = items.iter().filter(|item| item.starts_with("Message")).collect();
            assert_eq!(messages.len(), data.len(), "{}: {items:?}", case.name);
            for (message, data) in messages.iter().zip(data) {
                assert!(message.contains(&data.to_string()), "{}: {message}", case.name);
            }
        }
        count += 1;
    }
    println!("extra.json: {count} cases with a limit");
    assert_eq!(count, 3);
}

/// Limits that random streams reach.
fn limits() -> impl Strategy<Value = Limits> {
    (0usize..40, 0usize..60, 0usize..8)
        .prop_map(|(line, event, id)| Limits::default().line(line).event(event).id(id))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]

    #[test]
    fn the_chunks_make_no_difference_to_what_a_limit_does(
        bytes in streams(), cuts in cuts(), limits in limits(), skips in any::<bool>()
    ) {
        let oversized = if skips { Oversized::Skip } else { Oversized::Fail };
        let limits = limits.oversized(oversized);
        let whole = seen(limits, &[&bytes]);
        prop_assert_eq!(&seen(limits, &split(&bytes, &cuts)), &whole);
        prop_assert_eq!(&seen(limits, &bytes.chunks(1).collect::<Vec<_>>()), &whole);
    }

    #[test]
    fn what_passes_the_limits_is_what_the_standard_wants(
        bytes in streams(), limits in limits()
    ) {
        let limits = limits.oversized(Oversized::Skip);
        let mut naive = Naive::default();
        naive.connection(&bytes);
        let mut decoder = Decoder::new().limits(limits);
        let mut wanted = naive.events.iter();
        let (mut input, mut skipped) = (&bytes[..], 0);
        while let Some(item) = decoder.decode(&mut input).expect("skipped, not failed") {
            match item {
                Item::Message(message) => {
                    // Each is one of the standard's, in its order. A skipped event may have hidden an id.
                    let told = (message.event_type(), message.data());
                    let same = wanted.find(|event| (&*event.event_type, &*event.data) == told);
                    prop_assert!(same.is_some(), "{:?}", message);
                }
                Item::Skipped { .. } => skipped += 1,
                _ => {}
            }
        }
        prop_assert!(skipped > 0 || wanted.next().is_none(), "an event is gone without a word");
    }
}
