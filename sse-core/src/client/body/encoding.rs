//! Content codings, as the Fetch standard's "handle content codings" reads them.

use bytes::Bytes;
use http::{HeaderMap, header};

#[cfg(feature = "gzip")]
use super::decompress::Chain;

/// The codings that browsers decode. A body under any other name is read unchanged: servers send `none` and
/// `utf-8`.
const REAL: [&str; 5] = ["gzip", "x-gzip", "deflate", "br", "zstd"];

/// The way to read a response's body.
#[derive(Default)]
pub(in crate::client) enum Encoding {
    #[default]
    Identity,
    #[cfg(feature = "gzip")]
    Compressed(Chain),
}

/// Returns the encoding that a response names, or the codings if they are real and cannot be decoded.
pub(in crate::client) fn of(headers: &HeaderMap) -> Result<Encoding, String> {
    let codings = codings(headers);
    if codings.is_empty() || codings.iter().any(|coding| !REAL.contains(&&**coding)) {
        return Ok(Encoding::Identity);
    }
    #[cfg(feature = "gzip")]
    if let Some(chain) = Chain::new(&codings) {
        return Ok(Encoding::Compressed(chain));
    }
    Err(codings.join(", "))
}

/// Returns the names in all `Content-Encoding` lines, in order and in lower case.
fn codings(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let names = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    names
        .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect()
}

impl Encoding {
    /// Accepts received bytes. Bytes that need no decoding go directly to `chunk`.
    pub(in crate::client) fn receive(&mut self, bytes: Bytes, chunk: &mut Bytes) {
        match self {
            Self::Identity => *chunk = bytes,
            #[cfg(feature = "gzip")]
            Self::Compressed(chain) => chain.receive(bytes),
        }
    }

    /// Returns the next decoded bytes; `None` if more input is needed, or the coding's name if the bytes are
    /// not in it.
    pub(in crate::client) fn next_chunk(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Identity => Ok(None),
            #[cfg(feature = "gzip")]
            Self::Compressed(chain) => chain.next_chunk(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(lines: &[&str]) -> Result<Encoding, String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CONTENT_ENCODING, line.parse().unwrap());
        }
        of(&headers)
    }

    #[test]
    fn names_that_are_not_codings_pass() {
        for lines in [
            &[][..],
            &[""],
            &[","],
            &["none"],
            &["UTF-8"],
            &["binary"],
            &["identity, identity"],
            &["identity", "identity"],
            &["chunked"],
            &["compress"],
            &["gzip, utf-8"],
            &["br", "identity"],
        ] {
            assert!(matches!(named(lines), Ok(Encoding::Identity)), "{lines:?}");
        }
    }

    #[test]
    fn codings_that_cannot_be_decoded_are_named() {
        for (lines, name) in [
            (&["br"][..], "br"),
            (&["ZSTD"], "zstd"),
            (&["gzip, br"], "gzip, br"),
            (&["gzip", " zstd "], "gzip, zstd"),
        ] {
            assert_eq!(named(lines).err().as_deref(), Some(name));
        }
    }

    #[test]
    fn gzip_and_deflate_take_the_feature() {
        for lines in [&["gzip"][..], &["x-gzip"], &["deflate"], &["gzip, gzip"]] {
            assert_eq!(named(lines).is_ok(), cfg!(feature = "gzip"), "{lines:?}");
        }
    }
}
