//! What only the inside can count.

use super::{Decoder, field::SEARCHED};

/// Decodes `bytes` in chunks of `size`, and returns the number of messages and of bytes searched for line ends.
fn searched(bytes: &[u8], size: usize) -> (usize, usize) {
    let mut decoder = Decoder::new();
    SEARCHED.set(0);
    let messages = bytes.chunks(size).map(|mut chunk| decoder.messages(&mut chunk).count()).sum();
    (messages, SEARCHED.get())
}

#[test]
fn every_byte_is_searched_once_in_every_chunking() {
    let one_line = format!("id: 1\nevent: t\ndata: {}\n\n", "x".repeat(20_000)).repeat(3);
    let many_lines = format!("{}\n", "data: 0123456789\r\n".repeat(2_000)).repeat(3);
    let ignored = format!(": {}\nunknown: {}\ndata\n\n", "x".repeat(9_000), "y".repeat(9_000)).repeat(3);
    for (name, stream) in [("one line", one_line), ("many lines", many_lines), ("ignored", ignored)] {
        for size in [1, 2, 3, 7, 64, 1_024, 16_384, usize::MAX] {
            let (messages, count) = searched(stream.as_bytes(), size.min(stream.len()));
            assert_eq!(messages, 3, "{name}, {size}");
            assert!(count <= stream.len(), "{name} in chunks of {size}: {count} of {} bytes", stream.len());
        }
    }
}
