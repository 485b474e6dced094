//! Random streams made of the tokens that matter to a decoder.

use proptest::{collection::vec, prelude::*};

/// Pieces that are joined in every order: names, separators, line ends, byte order marks, halves of characters.
const PIECES: [&[u8]; 36] = [
    b"data",
    b"data:",
    b"data: ",
    b"data: x",
    b"event",
    b"event: ",
    b"event: t",
    b"id",
    b"id:",
    b"id: ",
    b"id: 7",
    b"retry",
    b"retry: ",
    b"retry: 12",
    b"retry: 1x",
    b"retry:99999999999999999999999",
    b":",
    b": note",
    b" ",
    b"x",
    b"0",
    b"name: value",
    b"Data: x",
    b"\0",
    b"\n",
    b"\n",
    b"\n\n",
    b"\r",
    b"\r\r",
    b"\r\n",
    b"\r\n\r\n",
    b"\xef\xbb\xbf",
    b"\xc3\xa9",
    b"\xe2\x82",
    b"\xf0\x9f",
    b"\xff",
];

/// Streams of such pieces, and now and then a long run of one byte.
pub(crate) fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        30 => (0..PIECES.len()).prop_map(|index| PIECES[index].to_vec()),
        1 => (1usize..200).prop_map(|len| vec![b'y'; len]),
        1 => vec(any::<u8>(), 1..4),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Places to cut a stream at.
pub(crate) fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(0usize..4_000, 0..12)
}
