//! What is read from a request.

use http::Request;

use super::*;
use crate::resume::Requested;

#[test]
fn header_wins_over_query() {
    let read = |header: Option<&str>, query: &str| {
        LastEventId::read(header.map(str::as_bytes), Some(query)).as_str().map(str::to_owned)
    };
    assert_eq!(read(Some("h"), "last_event_id=q").as_deref(), Some("h"));
    assert_eq!(read(Some(""), "last_event_id=q").as_deref(), Some("q"));
    assert_eq!(read(None, "a=b&lastEventId=a%2Db+c").as_deref(), Some("a-b c"));
    assert_eq!(read(None, "lastEventId=7&last_event_id=8").as_deref(), Some("7"));
    assert_eq!(read(None, "last_event_id=").as_deref(), None);
    assert_eq!(read(None, "other=1").as_deref(), None);
}

#[test]
fn not_utf8_is_malformed() {
    let last = LastEventId::read(Some(b"\xff\xfe"), None);
    assert_eq!(last.as_str(), None);
    assert!(!last.is_empty());
    assert!(matches!(last.requested(), Requested::Malformed(_)));
}

#[test]
fn ids_are_cut_and_escaped_in_logs() {
    let last = LastEventId::from("é\u{202e}\n".repeat(1_000));
    let debug = format!("{last:?}");
    assert!(debug.len() < 1_000 && !debug.contains('\n') && !debug.contains('\u{202e}'), "{debug}");
    let Requested::Malformed(text) = last.requested() else { panic!("not malformed") };
    assert!(text.len() <= 128);
}

/// For any bytes: they are kept for as long as the stream lives, and the quoted part is repeated in a header.
#[test]
fn e9_long_ids_are_cut() {
    for unit in ["x", "é", "🦀", "\u{1}"] {
        for query in [true, false] {
            let text = unit.repeat(300_000);
            let encoded = format!(
                "last_event_id={}",
                form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
            );
            let last = match query {
                true => LastEventId::read(None, Some(&encoded)),
                false => LastEventId::read(Some(text.as_bytes()), None),
            };
            let kept = last.as_str().expect("UTF-8");
            assert!(kept.len() <= 512 && kept.len() > 508 && text.starts_with(kept), "{} bytes", kept.len());
            let Requested::Malformed(quoted) = last.requested() else { panic!("not malformed") };
            assert!(quoted.len() <= 128 && quoted.len() > 124 && text.starts_with(&quoted), "{quoted:?}");
        }
    }
    for hostile in [&b"\xff"[..], b"a\xff", b"\xc3\xa9\xff", b"\xf0\x9f\xa6"] {
        let last = LastEventId::read(Some(&hostile.repeat(100_000)), None);
        assert_eq!(last.as_str(), None);
        let Requested::Malformed(quoted) = last.requested() else { panic!("not malformed") };
        assert!(quoted.len() <= 128 && quoted.len() > 124, "{} bytes", quoted.len());
    }
    // An id of the maximum length is kept whole; a character that does not fit is left out whole.
    let longest = "é".repeat(256);
    assert_eq!(LastEventId::from(longest.as_str()).as_str(), Some(&*longest));
    let odd = format!("x{}", "é".repeat(256));
    assert_eq!(LastEventId::from(odd.as_str()).as_str(), Some(&*format!("x{}", "é".repeat(255))));
}

fn accepting(accept: &str) -> SseRequest {
    let request = Request::get("/").header("accept", accept).body(()).expect("a request");
    SseRequest::from(&request)
}

#[test]
fn only_q0_excludes_a_stream() {
    for accepted in [
        "text/event-stream",
        "TEXT/Event-Stream; q=0.1",
        "text/html, */*;q=0.8",
        "text/*",
        "*/*",
        "application/json, text/event-stream",
        "",
        " , ",
        // Not mentioned.
        "application/json",
        "text/html",
        "image/png, application/x-ndjson;q=0",
        "text/event-stream-x;q=0",
        // The more exact range decides.
        "*/*;q=0, text/event-stream",
        "text/*;q=0, text/event-stream;q=0.1",
    ] {
        let request = accepting(accepted);
        assert!(!request.excludes_stream(), "{accepted:?}");
        assert_eq!(request.negotiated(false).map(|negotiated| negotiated.form), Some(Form::Stream));
    }
    for excluded in [
        "text/event-stream;q=0",
        "text/event-stream; q=0.000, */*",
        "text/*;q=0, */*",
        "*/*;q=0",
        "*/*;q=0, application/json",
    ] {
        let request = accepting(excluded);
        assert!(request.excludes_stream(), "{excluded:?}");
        assert_eq!(request.negotiated(false), None);
    }
    assert!(!SseRequest::default().excludes_stream());
}

#[test]
fn html_is_preferred_only_if_named() {
    let prefers = |accept: &str| accepting(accept).prefers_html();
    for page in [
        "text/html",
        "text/html, */*",
        "*/*, text/html",
        "text/html;q=2",
        "text/html;q=-1",
        "text/html;q=x",
        "text/html, */*;q=0.8",
        "text/html, text/event-stream;q=0.9",
    ] {
        assert!(prefers(page), "{page:?}");
    }
    for stream in [
        "",
        "*/*",
        "text/*",
        "text/event-stream",
        "text/html;q=0.9, text/event-stream",
        "text/html, text/event-stream",
        "text/html;q=0.9, */*",
        "text/html;q=0, */*;q=0",
        "image/png",
    ] {
        assert!(!prefers(stream), "{stream:?}");
    }
    assert!(!SseRequest::default().prefers_html());
}

#[test]
fn accept_encoding_is_read_by_weight() {
    for (header, expected) in [
        ("gzip", true),
        ("GZip", true),
        ("x-gzip", true),
        ("br, gzip ; q=0.5", true),
        ("gzip;q=0.001", true),
        ("*", true),
        ("identity;q=0, *", true),
        ("identity;q=0.5, gzip;q=0.5", true),
        ("", false),
        ("br", false),
        ("gzip;q=0", false),
        ("gzip;q=0.000", false),
        ("gzip;q=0, *", false),
        ("*;q=0", false),
        ("identity", false),
        ("identity, gzip;q=0.9", false),
        ("gzip;q=nonsense", false),
        ("gzip;q=2", false),
        ("gzip;q=-1", false),
        ("gzipped", false),
    ] {
        assert_eq!(AcceptEncoding::from(header).allows_gzip(), expected, "{header:?}");
    }
    assert!(!AcceptEncoding::default().allows_gzip());
}
