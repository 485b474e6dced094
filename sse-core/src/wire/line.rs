//! Lines as the standard defines them: ended by CR, LF or CRLF (section 9.2.5 of the HTML standard).

use memchr::memchr2;

/// Writes each line of `text` with `prefix`, so that none of its line breaks reaches the wire raw.
///
/// An empty text is one line. CR, LF and CRLF each end a line; the text after the last of them is another line,
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

/// Returns the index of the first ASCII control character (U+0000 to U+001F, U+007F); compares eight bytes at
/// once.
#[inline]
pub(super) fn control_character(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // The last word overlaps the bytes before it if the length is not a multiple of the word's.
    let has_one = if let Some(last) = bytes.last_chunk::<8>() {
        bytes.as_chunks::<8>().0.iter().fold(any_control(last), |any, chunk| any | any_control(chunk))
    } else if let (Some(&[a, b, c, d]), Some(&[w, x, y, z])) = (bytes.first_chunk(), bytes.last_chunk()) {
        any_control(&[a, b, c, d, w, x, y, z])
    } else {
        bytes.iter().any(u8::is_ascii_control)
    };
    if has_one { bytes.iter().position(u8::is_ascii_control) } else { None }
}

#[inline]
fn any_control(bytes: &[u8; 8]) -> bool {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    let word = u64::from_ne_bytes(*bytes);
    let deletes = word ^ (EACH * 0x7f);
    // Subtracting n from each byte borrows in the bytes below n; a top bit that was clear before and is set after
    // marks it.
    let below_space = word.wrapping_sub(EACH * 0x20) & !word;
    let is_delete = deletes.wrapping_sub(EACH) & !deletes;
    (below_space | is_delete) & (EACH * 0x80) != 0
}
