use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::wire::Frame;

/// How many bytes one chunk carries at most, unless a single frame is larger.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// Bytes for everyone who is at `from`: all that follows, up to `to`.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) bytes: Bytes,
    pub(crate) events: u64,
    /// The last `retry` in it.
    pub(crate) retry: Option<Duration>,
    /// When the last of it was published, if it is the newest of its feed.
    pub(crate) at: Option<Instant>,
}

impl Chunk {
    /// Joins frames that are not empty; a single one is shared as it is.
    pub(crate) fn of(from: u64, frames: &[(u64, Frame)]) -> Self {
        let to = frames.last().map_or(from, |(seq, _)| *seq);
        let retry = frames.iter().rev().find_map(|(_, frame)| frame.told_retry());
        let bytes = match frames {
            [(_, frame)] => frame.bytes().clone(),
            frames => {
                let len = frames.iter().map(|(_, frame)| frame.bytes().len()).sum();
                let mut bytes = Vec::with_capacity(len);
                frames.iter().for_each(|(_, frame)| bytes.extend_from_slice(frame.bytes()));
                bytes.into()
            }
        };
        Self { from, to, bytes, events: frames.len() as u64, retry, at: None }
    }
}

/// The first frames, as many as fit into `most` bytes, but at least one.
pub(super) fn bounded(frames: impl Iterator<Item = (u64, Frame)>, most: usize) -> Vec<(u64, Frame)> {
    let mut taken = Vec::new();
    let mut bytes = 0;
    for (seq, frame) in frames {
        bytes += frame.bytes().len();
        if bytes > most && !taken.is_empty() {
            break;
        }
        taken.push((seq, frame));
    }
    taken
}
