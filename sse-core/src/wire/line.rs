//! Lines as the standard knows them: ended by CR, LF or CRLF (section 9.2.5 of the HTML standard).

use memchr::memchr2;

/// Writes `text` as one `prefix`ed line for each of its lines, so that no line break of it reaches the wire raw.
///
/// An empty text is one line. CR, LF and CRLF each end a line; what follows the last of them is a line of its own,
/// even if it is empty, so that a trailing line break survives decoding (as LF).
pub(crate) fn write_lines(out: &mut Vec<u8>, prefix: &[u8], text: &str) {
    let mut rest = text.as_bytes();
    out.reserve(prefix.len() + rest.len() + 1);
    while let Some(end) = memchr2(b'\r', b'\n', rest) {
        let (line, after) = rest.split_at(end);
        out.extend_from_slice(prefix);
        out.extend_from_slice(line);
        out.push(b'\n');
        rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    out.extend_from_slice(prefix);
    out.extend_from_slice(rest);
    out.push(b'\n');
}
