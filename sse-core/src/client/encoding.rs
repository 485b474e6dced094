//! Content codings: none, or what the feature `gzip` can read.

use bytes::Bytes;
use http::{HeaderMap, header};

#[cfg(feature = "gzip")]
use std::io::{self, Write};

/// So much is decompressed at a time: a chunk of a thousandfold bomb stays at a few MiB.
#[cfg(feature = "gzip")]
const SLICE: usize = 4 * 1024;

/// How a response's body is read.
#[derive(Default)]
pub(super) enum Encoding {
    #[default]
    Identity,
    #[cfg(feature = "gzip")]
    Compressed { decoder: Box<Decompressor>, received: Bytes, name: &'static str },
}

#[cfg(feature = "gzip")]
pub(super) enum Decompressor {
    Gzip(flate2::write::MultiGzDecoder<Vec<u8>>),
    Deflate(flate2::write::ZlibDecoder<Vec<u8>>),
}

/// The encoding that a response names, or its name if it cannot be read.
pub(super) fn of(headers: &HeaderMap) -> Result<Encoding, String> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Encoding::Identity) };
    let name = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    match &*name {
        "" | "identity" => Ok(Encoding::Identity),
        #[cfg(feature = "gzip")]
        "gzip" | "x-gzip" => Ok(Encoding::compressed(
            Decompressor::Gzip(flate2::write::MultiGzDecoder::new(Vec::new())),
            "gzip",
        )),
        #[cfg(feature = "gzip")]
        "deflate" => Ok(Encoding::compressed(
            Decompressor::Deflate(flate2::write::ZlibDecoder::new(Vec::new())),
            "deflate",
        )),
        _ => Err(name),
    }
}

impl Encoding {
    #[cfg(feature = "gzip")]
    fn compressed(decoder: Decompressor, name: &'static str) -> Self {
        Self::Compressed { decoder: Box::new(decoder), received: Bytes::new(), name }
    }

    /// Takes bytes as they came: into `chunk` if they are to be read as they are.
    pub(super) fn receive(&mut self, bytes: Bytes, chunk: &mut Bytes) {
        match self {
            Self::Identity => *chunk = bytes,
            #[cfg(feature = "gzip")]
            Self::Compressed { received, .. } => *received = bytes,
        }
    }

    /// The next decoded bytes; `None` if that takes more bytes, or the encoding's name if they are not of it.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Identity => Ok(None),
            #[cfg(feature = "gzip")]
            Self::Compressed { decoder, received, name } => {
                while !received.is_empty() {
                    let slice = received.split_to(received.len().min(SLICE));
                    let decoded = decoder.decode(&slice).map_err(|_| (*name).to_owned())?;
                    if !decoded.is_empty() {
                        return Ok(Some(decoded.into()));
                    }
                }
                Ok(None)
            }
        }
    }
}

#[cfg(feature = "gzip")]
impl Decompressor {
    fn decode(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Deflate(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
        }
    }
}
