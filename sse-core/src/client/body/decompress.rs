//! Reads gzip and deflate, one on top of the other if a response names both.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// The size of the input decompressed at a time: each stage turns it into a few MiB at most, even for a
/// compression bomb.
const SLICE: usize = 4 * 1024;

/// The maximum number of codings of one response.
const MAX_STAGES: usize = 5;

/// The codings of a response: the first stage reads the received bytes, each later stage reads the output of
/// the one before it.
pub(in crate::client) struct Chain {
    stages: Vec<Stage>,
}

struct Stage {
    name: &'static str,
    decompressor: Decompressor,
    /// The bytes that have not been read yet.
    pending: Bytes,
}

enum Decompressor {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// Deflate whose first byte has not been received.
    Deflate,
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Raw(Box<DeflateDecoder<Vec<u8>>>),
}

impl Chain {
    /// Returns the chain for these codings in the order in which they were applied; `None` if one cannot be
    /// decoded.
    pub(super) fn new(codings: &[String]) -> Option<Self> {
        if codings.len() > MAX_STAGES {
            return None;
        }
        let stages = codings.iter().rev().map(|coding| {
            let (name, decompressor) = match &**coding {
                "gzip" | "x-gzip" => ("gzip", Decompressor::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
                "deflate" => ("deflate", Decompressor::Deflate),
                _ => return None,
            };
            Some(Stage { name, decompressor, pending: Bytes::new() })
        });
        Some(Self { stages: stages.collect::<Option<_>>()? })
    }

    pub(super) fn receive(&mut self, bytes: Bytes) {
        if let Some(first) = self.stages.first_mut() {
            first.pending = bytes;
        }
    }

    /// Returns the next decoded bytes; `None` if more input is needed, or the name of the coding if the bytes
    /// are not in it.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Bytes>, String> {
        pull(&mut self.stages).map_err(str::to_owned)
    }
}

/// Returns the next bytes of the last of these stages.
fn pull(stages: &mut [Stage]) -> Result<Option<Bytes>, &'static str> {
    let Some((last, before)) = stages.split_last_mut() else { return Ok(None) };
    loop {
        if last.pending.is_empty() {
            match pull(before)? {
                Some(bytes) => last.pending = bytes,
                None => return Ok(None),
            }
        }
        let slice = last.pending.split_to(last.pending.len().min(SLICE));
        let decoded = last.decompressor.decode(&slice).map_err(|_| last.name)?;
        if !decoded.is_empty() {
            return Ok(Some(decoded.into()));
        }
    }
}

impl Decompressor {
    fn decode(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        if let (Self::Deflate, Some(first)) = (&*self, bytes.first()) {
            // Some servers omit zlib's frame, whose first byte has the method 8 in its low half.
            *self = match first & 0x0f {
                8 => Self::Zlib(Box::new(ZlibDecoder::new(Vec::new()))),
                _ => Self::Raw(Box::new(DeflateDecoder::new(Vec::new()))),
            };
        }
        match self {
            Self::Deflate => Ok(Vec::new()),
            Self::Gzip(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Zlib(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Raw(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
        }
    }
}
