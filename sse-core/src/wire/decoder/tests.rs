//! Counts that only a test inside the module can make.

use super::{
    Decoder,
    field::{SEARCHED, line_end},
};

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

#[test]
fn a_line_end_is_found_wherever_it_is() {
    for len in 0..300 {
        let mut bytes = vec![b'x'; len];
        assert_eq!(line_end(&bytes), None, "{len}");
        for at in (0..len).rev() {
            // From the second round on, another one follows it.
            bytes[at] = if at % 2 == 0 { b'\r' } else { b'\n' };
            assert_eq!(line_end(&bytes), Some(at), "{at} of {len}");
        }
    }
}
