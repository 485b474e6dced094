use std::io::Read as _;

/// Decompresses a whole gzip stream; fails unless its trailer is correct and nothing follows.
pub fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::bufread::GzDecoder::new(bytes);
    let mut plain = Vec::new();
    if let Err(error) = decoder.read_to_end(&mut plain) {
        panic!("{error} after {:?}", String::from_utf8_lossy(&plain));
    }
    assert!(decoder.into_inner().is_empty(), "something follows the trailer");
    plain
}
