//! The headers that the client reads, and the header that carries the cursor.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

use super::InvalidRequest;

/// The number of a cursor's first bytes that an error shows.
const SHOWN: usize = 64;

/// Returns `true` if the essence of the response's type is `text/event-stream` (the Fetch standard's "extract a
/// MIME type": the last valid one counts). A space or a bracket ends the essence as a semicolon does, as in
/// Chromium: some servers send `text/event-stream charset=utf-8`.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let mut is_event_stream = false;
    for value in headers.get_all(header::CONTENT_TYPE) {
        for value in split(value.as_bytes()) {
            let mut parts = value.trim_ascii().split(|byte| b"; \t(".contains(byte));
            let essence = parts.next().unwrap_or_default();
            if is_type(essence) && essence != b"*/*" {
                is_event_stream = essence.eq_ignore_ascii_case(b"text/event-stream");
            }
        }
    }
    is_event_stream
}

/// Returns the cursor as a header, in UTF-8; `None` if it is empty or HTTP cannot carry it.
pub(super) fn last_event_id(id: &str) -> Option<HeaderValue> {
    // HTTP drops outer spaces anyway, and HTTP/2 forbids them.
    let id = id.trim_matches([' ', '\t']);
    if id.is_empty() {
        return None;
    }
    HeaderValue::from_bytes(id.as_bytes()).ok()
}

/// Returns a cursor from outside, such as a file, without the spaces and the line end around it, which a header
/// would lose.
pub(super) fn cursor(id: &[u8]) -> Result<String, InvalidRequest> {
    let id = id.trim_ascii();
    match std::str::from_utf8(id) {
        Ok(text) if text.is_empty() || last_event_id(text).is_some() => Ok(text.to_owned()),
        _ => {
            let start = id.get(..SHOWN).unwrap_or(id);
            Err(InvalidRequest::LastEventId { id: start.escape_ascii().to_string() })
        }
    }
}

/// Returns the time that `Retry-After` requests. A date counts from the response's own `Date`, because clocks
/// may differ.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let now = seconds(headers.get(header::DATE)?.to_str().ok()?)?;
    Some(Duration::from_secs(seconds(text)?.saturating_sub(now)))
}

/// Splits a list at its commas, but not within quotes.
fn split(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    value.split(move |&byte| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' => is_escaped = is_quoted,
            _ => {}
        }
        byte == b',' && !is_quoted
    })
}

/// Returns `true` for a type and a subtype.
fn is_type(essence: &[u8]) -> bool {
    let is_token = |part: &[u8]| {
        !part.is_empty()
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
    };
    let mut parts = essence.splitn(2, |byte| *byte == b'/');
    parts.next().is_some_and(is_token) && parts.next().is_some_and(is_token)
}

/// Returns the seconds since the epoch of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = date.trim().strip_suffix("GMT")?.split_ascii_whitespace().skip(1);
    let day: u64 = parts.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = parts.next()?;
    let month = 1 + MONTHS.iter().position(|name| *name == month)? as u64;
    let year: u64 = parts.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut seconds = 0;
    for part in parts.next()?.splitn(3, ':') {
        seconds = seconds * 60 + part.parse::<u64>().ok().filter(|part| *part < 61)?;
    }
    // Years start in March here, so that the leap day is the last of a year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(*name, value.parse().unwrap());
            headers
        })
    }

    #[test]
    fn the_essence_of_the_content_type_counts() {
        for (values, expected) in [
            (&["text/event-stream"][..], true),
            (&["TEXT/Event-Stream ; charset=utf-8"], true),
            (&["text/event-stream;foo=bar; q=\"a;b,c\""], true),
            (&["text/plain", "text/event-stream"], true),
            (&["text/event-stream, text/plain"], false),
            (&["text/event-stream, bogus"], true),
            (&["text/event-stream, */*"], true),
            (&["text/event-stream charset=utf-8"], true),
            (&["text/event-stream\t; a"], true),
            (&["text/event-stream(a)"], true),
            (&["text/plain text/event-stream"], false),
            (&["text/event-stream-x"], false),
            (&["xtext/event-stream"], false),
            (&["x bogus"], false),
            (&[""], false),
            (&[], false),
        ] {
            let pairs: Vec<_> = values.iter().map(|value| ("content-type", *value)).collect();
            assert_eq!(is_event_stream(&headers(&pairs)), expected, "{values:?}");
        }
    }

    #[test]
    fn a_cursor_is_sent_as_utf_8_if_http_can() {
        assert_eq!(last_event_id("\u{2026}").unwrap().as_bytes(), b"\xe2\x80\xa6");
        assert_eq!(last_event_id("  a b ").unwrap().as_bytes(), b"a b");
        for absent in ["", " ", "a\u{1}b", "a\u{7f}b", "a\0"] {
            assert_eq!(last_event_id(absent), None, "{absent:?}");
        }
    }

    #[test]
    fn a_cursor_from_outside_is_trimmed_or_refused() {
        for (id, expected) in [
            ("abc-5\n", "abc-5"),
            ("abc-5\r\n", "abc-5"),
            (" \tabc-5\n\n", "abc-5"),
            ("\n", ""),
            ("", ""),
            ("a b", "a b"),
            ("\u{e9}\u{2026}\n", "\u{e9}\u{2026}"),
        ] {
            assert_eq!(cursor(id.as_bytes()).unwrap(), expected, "{id:?}");
        }
        for id in [&b"a\nb"[..], b"a\rb", b"a\0", b"a\x01b", b"a\x7fb", b"\xff"] {
            let error = cursor(id).unwrap_err().to_string();
            assert!(error.contains(&id.escape_ascii().to_string()), "{error}");
        }
        assert!(cursor(&[1; 100_000]).unwrap_err().to_string().len() < 500);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(seconds(date), Some(784_111_777));
        assert_eq!(seconds("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        let later = "Sun, 06 Nov 1994 08:51:37 GMT";
        for (value, expected) in [
            ("120", Some(120)),
            (later, Some(120)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("-1", None),
            ("soon", None),
            ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ] {
            let headers = headers(&[("date", date), ("retry-after", value)]);
            assert_eq!(retry_after(&headers).map(|wait| wait.as_secs()), expected, "{value}");
        }
        assert_eq!(retry_after(&headers(&[("retry-after", later)])), None);
    }
}
