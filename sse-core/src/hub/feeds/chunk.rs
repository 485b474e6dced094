use std::{cell::RefCell, mem, time::Duration};

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
    /// Joins the first frames, as many as fit into `max` bytes, but at least one; a single one is shared as it is. `None`
    /// if there is none.
    ///
    /// It takes no share of those that it copies: to count so many references would cost more than the copy.
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

    /// Joins all of these.
    pub(crate) fn of(from: u64, frames: &[(u64, Frame)]) -> Self {
        let all = frames.iter().map(|(seq, frame)| (*seq, frame));
        let nothing = Self { from, to: from, bytes: Bytes::new(), events: 0, retry: None, at: None };
        Self::first_of(from, all, usize::MAX).unwrap_or(nothing)
    }
}

/// The buffer of a large chunk. It goes to the next one that its thread makes: freed, allocators give so much back to the
/// system, which clears each page of it before it is had again, and that costs more than the copying.
struct Large(Vec<u8>);

/// How many such buffers a thread keeps: hyper gathers seven of them before it writes.
const SPARE: usize = 8;

thread_local! {
    static SPARES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Large {
    /// Room for a large chunk.
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
        // A thread that is ending keeps nothing.
        let _ = SPARES.try_with(|spares| {
            let mut spares = spares.borrow_mut();
            if spares.len() < SPARE {
                spares.push(bytes);
            }
        });
    }
}
