//! The compressors of the process, and how many there may be.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use flate2::{Compress, Compression, FlushCompress};

/// How many compressors are held open at once; each takes about 310 KB.
pub(super) const MOST_OPEN: usize = 256;

/// How many idle compressors are kept for reuse.
const SPARE: usize = 4;

/// The longest stored block.
const MOST_STORED: usize = 0xffff;

/// Shorter text is stored when it refers to nothing before it: a tenth is not worth the time of a compressor that must first forget.
const WORTH_DEFLATING: usize = 256;

/// The level at which small events gain nearly all that the highest gains, at a fraction of its time.
const LEVEL: u32 = 3;

static OPEN: AtomicUsize = AtomicUsize::new(0);
static SPARES: Mutex<Vec<Compress>> = Mutex::new(Vec::new());

/// A compressor that is held open, so that it can refer back to what it compressed before.
#[derive(Debug)]
pub(super) struct Deflater(Option<Compress>);

impl Deflater {
    /// One more, if there are not too many.
    pub(super) fn open() -> Option<Self> {
        let more = |open: usize| (open < MOST_OPEN).then_some(open + 1);
        OPEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(Some(spare())))
    }

    /// Compresses `plain` to blocks that end at a byte's boundary and may refer back to what was compressed since the
    /// last [`reset`](Deflater::reset).
    pub(super) fn deflate(&mut self, plain: &[u8]) -> Vec<u8> {
        match &mut self.0 {
            Some(compress) => deflate(compress, plain).unwrap_or_else(|| {
                // What it remembers may be wrong now.
                compress.reset();
                stored(plain)
            }),
            None => stored(plain),
        }
    }

    /// Forgets what was compressed before.
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

/// Blocks that refer to nothing before them, end at a byte's boundary, and are no longer than if they were stored.
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
        // RFC 1951 section 3.2.4: not the last, stored, its length, and the length's complement.
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
        // Spare room in the output means that nothing is held back.
        if deflated.len() < deflated.capacity() {
            return Some(deflated);
        }
        deflated.reserve(plain.len() / 2 + 64);
    }
}

/// A compressor that remembers nothing.
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
