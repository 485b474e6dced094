use std::{
    error, fmt,
    hash::{BuildHasher, RandomState},
    str::FromStr,
};

use crate::wire::{EventId, IntoEventId, InvalidEventId};

/// The random 64-bit name of a part of a history that was never rewritten.
///
/// A new epoch is made whenever a history begins or may have lost its end, so that a position can never mean two
/// events. An epoch prints as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// Makes a new random epoch.
    #[must_use]
    pub fn random() -> Self {
        // Each `RandomState` has keys from the operating system's randomness.
        Self(RandomState::new().hash_one(std::process::id()))
    }

    /// Returns the epoch with this value, as an engine stored it.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the value, for an engine to store.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A position in a hub's history: everything up to `seq` of `epoch` has been seen.
///
/// A cursor prints as an [`EventId`], `<epoch>-<seq>` or `<epoch>-<seq>-<check>`, in `[0-9a-f-]` and at most 46
/// bytes, so it passes every browser, proxy and CORS rule unchanged.
///
/// ```
/// use sse_core::Cursor;
///
/// let cursor: Cursor = "00000000000000ff-7".parse()?;
/// assert_eq!(cursor.seq(), 7);
/// assert_eq!(cursor.to_string(), "00000000000000ff-7");
/// assert!("ff-7".parse::<Cursor>().is_err());
/// # Ok::<(), sse_core::error::InvalidCursor>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    epoch: Epoch,
    seq: u64,
    check: Option<u32>,
}

impl Cursor {
    /// Makes the cursor after the record `seq` of `epoch`; 0 is before the first record.
    #[must_use]
    pub fn new(epoch: Epoch, seq: u64) -> Self {
        Self { epoch, seq, check: None }
    }

    /// Returns the same cursor with the check of its record, for a history that may use a position again.
    #[must_use]
    pub fn with_checksum(self, check: u32) -> Self {
        Self { check: Some(check), ..self }
    }

    /// Returns the epoch of the position.
    #[must_use]
    pub fn epoch(self) -> Epoch {
        self.epoch
    }

    /// Returns the position: dense, from 1.
    #[must_use]
    pub fn seq(self) -> u64 {
        self.seq
    }

    /// Returns the check of the record at this position, if the history needs one.
    #[must_use]
    pub fn checksum(self) -> Option<u32> {
        self.check
    }

    /// Appends the text, as `Display` writes it, without the cost of a formatter.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let hex = |out: &mut Vec<u8>, value: u64, digits: u32| {
            for digit in (0..digits).rev() {
                let nibble = (value >> (digit * 4) & 0xf) as u8;
                out.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
            }
        };
        hex(out, self.epoch.0, 16);
        out.push(b'-');
        out.extend_from_slice(itoa::Buffer::new().format(self.seq).as_bytes());
        if let Some(check) = self.check {
            out.push(b'-');
            hex(out, check.into(), 8);
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)?;
        match self.check {
            Some(check) => write!(f, "-{check:08x}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut parts = text.split('-');
        let (Some(epoch), Some(seq), check, None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidCursor);
        };
        let epoch = Epoch(hex(epoch, 16)?);
        let seq = decimal(seq)?;
        let check = check.map(|check| hex(check, 8)).transpose()?;
        let check = check.map(u32::try_from).transpose().map_err(|_| InvalidCursor)?;
        Ok(Self { epoch, seq, check })
    }
}

impl IntoEventId for Cursor {
    fn write_id(&self, out: &mut Vec<u8>) -> Result<(), InvalidEventId> {
        self.write(out);
        Ok(())
    }
}

impl TryFrom<Cursor> for EventId {
    type Error = InvalidEventId;

    fn try_from(cursor: Cursor) -> Result<Self, InvalidEventId> {
        Self::new(cursor.to_string())
    }
}

/// The error for a text that is not a cursor of any hub.
///
/// A request with such a text is not rejected: it gets a gap notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidCursor;

impl fmt::Display for InvalidCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "cursor: not of the form <16 hex digits>-<number>[-<8 hex digits>]; use an id that a hub sent",
        )
    }
}

impl error::Error for InvalidCursor {}

/// Parses exactly `digits` lower-case digits: each position has only one spelling.
fn hex(text: &str, digits: usize) -> Result<u64, InvalidCursor> {
    let plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != digits || !text.bytes().all(plain) {
        return Err(InvalidCursor);
    }
    u64::from_str_radix(text, 16).map_err(|_| InvalidCursor)
}

fn decimal(text: &str) -> Result<u64, InvalidCursor> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().map_err(|_| InvalidCursor) } else { Err(InvalidCursor) }
}
