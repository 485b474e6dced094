//! The compressors of the process, and their maximum number.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use flate2::{Compress, Compression, FlushCompress};

/// The maximum number of compressors held open at once; each uses about 310 KB.
pub(super) const MOST_OPEN: usize = 256;

/// The maximum number of idle compressors kept for reuse.
const SPARE: usize = 4;

/// The length of the longest stored block.
const MOST_STORED: usize = 0xffff;

/// Independent text shorter than this is stored: saving a tenth is not worth the time of a compressor, which must
/// first be reset.
const WORTH_DEFLATING: usize = 256;

/// The level at which small events save nearly as much as at the highest, in a fraction of its time.
const LEVEL: u32 = 3;

static OPEN: AtomicUsize = AtomicUsize::new(0);
static SPARES: Mutex<Vec<Compress>> = Mutex::new(Vec::new());

/// A compressor that is held open, so that it can refer back to what it compressed before.
#[derive(Debug)]
pub(super) struct Deflater(Option<Compress>);

impl Deflater {
    /// Opens another compressor; `None` if there are too many.
    pub(super) fn open() -> Option<Self> {
        let more = |open: usize| (open < MOST_OPEN).then_some(open + 1);
        OPEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(Some(spare())))
    }

    /// Compresses `plain` to blocks that end at a byte boundary and may refer back to the text compressed since
    /// the last [`reset`](Deflater::reset).
    pub(super) fn deflate(&mut self, plain: &[u8]) -> Vec<u8> {
        match &mut self.0 {
            Some(compress) => deflate(compress, plain).unwrap_or_else(|| {
                // The compressor's state may be wrong now.
                compress.reset();
                stored(plain)
            }),
            None => stored(plain),
        }
    }

    /// Resets the compressor, so that later blocks refer to nothing before them.
    pub(super) fn reset(&mut self) {
        if let Some(compress) = &mut self.0 {
            compress.reset();
        }
    }
}

impl Drop for Deflater {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
        if let Some(compress) = self.0.take() {
            give_back(compress);
        }
    }
}

/// Returns blocks that refer to nothing before them, end at a byte boundary, and are not longer than stored
/// blocks.
pub(super) fn alone(plain: &[u8]) -> Vec<u8> {
    if plain.len() < WORTH_DEFLATING {
        return stored(plain);
    }
    let mut compress = spare();
    let deflated = deflate(&mut compress, plain);
    give_back(compress);
    match deflated {
        Some(deflated) if deflated.len() < stored_len(plain) => deflated,
        _ => stored(plain),
    }
}

fn stored(plain: &[u8]) -> Vec<u8> {
    let mut blocks = Vec::with_capacity(stored_len(plain));
    for part in plain.chunks(MOST_STORED) {
        let len = u16::try_from(part.len()).unwrap_or(u16::MAX);
        // RFC 1951 section 3.2.4: the header of a block that is not the last and is stored, its length, and the
        // length's complement.
        blocks.push(0);
        blocks.extend_from_slice(&len.to_le_bytes());
        blocks.extend_from_slice(&(!len).to_le_bytes());
        blocks.extend_from_slice(part);
    }
    blocks
}

fn stored_len(plain: &[u8]) -> usize {
    plain.len() + plain.len().div_ceil(MOST_STORED) * 5
}

fn deflate(compress: &mut Compress, plain: &[u8]) -> Option<Vec<u8>> {
    let mut deflated = Vec::with_capacity(plain.len() / 2 + 64);
    let before = compress.total_in();
    loop {
        let taken = usize::try_from(compress.total_in() - before).ok()?;
        let rest = plain.get(taken..)?;
        compress.compress_vec(rest, &mut deflated, FlushCompress::Sync).ok()?;
        // Spare room in the output means that all output has been written.
        if deflated.len() < deflated.capacity() {
            return Some(deflated);
        }
        deflated.reserve(plain.len() / 2 + 64);
    }
}

/// Returns a compressor without state.
fn spare() -> Compress {
    let kept = SPARES.lock().unwrap_or_else(PoisonError::into_inner).pop();
    match kept {
        Some(mut compress) => {
            compress.reset();
            compress
        }
        None => Compress::new(Compression::new(LEVEL), false),
    }
}

fn give_back(compress: Compress) {
    let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
    if spares.len() < SPARE {
        spares.push(compress);
    }
}
