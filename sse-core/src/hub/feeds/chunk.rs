use std::{cell::RefCell, mem, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use crate::wire::Frame;

/// The maximum number of bytes in one chunk, unless a single frame is larger.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// The bytes for every reader that is at `from`: all that follows, up to `to`.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) bytes: Bytes,
    pub(crate) events: u64,
    /// The last `retry` value in the chunk.
    pub(crate) retry: Option<Duration>,
    /// When the chunk's last event was published, if that is the newest event of the feed.
    pub(crate) at: Option<Instant>,
}

impl Chunk {
    /// Joins the first frames, as many as fit into `max` bytes, but at least one; a single frame is shared
    /// without a copy. Returns `None` if there are no frames.
    ///
    /// Frames that are copied are not cloned: to update their reference counts would cost more than the copy.
    pub(crate) fn first_of<'a>(
        from: u64,
        frames: impl Iterator<Item = (u64, &'a Frame)> + Clone,
        max: usize,
    ) -> Option<Self> {
        let (mut to, mut count, mut len, mut retry) = (from, 0, 0, None);
        for (seq, frame) in frames.clone() {
            let longer = len + frame.bytes().len();
            if longer > max && count > 0 {
                break;
            }
            (to, count, len) = (seq, count + 1, longer);
            retry = frame.last_retry().or(retry);
        }
        let mut joined = frames.take(count).map(|(_, frame)| frame.bytes());
        let first = joined.next()?;
        let bytes = if count == 1 {
            first.clone()
        } else {
            let is_large = (CHUNK_BYTES / 2..=CHUNK_BYTES).contains(&len);
            let mut bytes = if is_large { Large::buffer() } else { Vec::with_capacity(len) };
            bytes.extend_from_slice(first);
            joined.for_each(|frame| bytes.extend_from_slice(frame));
            if is_large { Bytes::from_owner(Large(bytes)) } else { bytes.into() }
        };
        Some(Self { from, to, bytes, events: count as u64, retry, at: None })
    }

    /// Joins all of these frames.
    pub(crate) fn of(from: u64, frames: &[(u64, Frame)]) -> Self {
        let all = frames.iter().map(|(seq, frame)| (*seq, frame));
        let nothing = Self { from, to: from, bytes: Bytes::new(), events: 0, retry: None, at: None };
        Self::first_of(from, all, usize::MAX).unwrap_or(nothing)
    }
}

/// The buffer of a large chunk, recycled per thread. When such a buffer is freed, allocators return its pages to
/// the operating system, and zeroing them on the next allocation costs more than the copy.
struct Large(Vec<u8>);

/// The number of these buffers that a thread keeps: hyper gathers seven of them before it writes.
const SPARE: usize = 8;

thread_local! {
    static SPARES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Large {
    /// Returns an empty buffer for a large chunk.
    fn buffer() -> Vec<u8> {
        let spare = SPARES.try_with(|spares| spares.borrow_mut().pop()).ok().flatten();
        spare.unwrap_or_else(|| Vec::with_capacity(CHUNK_BYTES))
    }
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        let mut bytes = mem::take(&mut self.0);
        bytes.clear();
        // A thread that is ending keeps none.
        let _ = SPARES.try_with(|spares| {
            let mut spares = spares.borrow_mut();
            if spares.len() < SPARE {
                spares.push(bytes);
            }
        });
    }
}
