use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
};

use tokio::time::Instant;

use super::{commands::ReaderControl, holding::Holding};

/// The hub's data about one reader.
pub(crate) struct Reader {
    /// The position of the reader's `Progress`, for others to read.
    position: AtomicU64,
    /// The hub's clock when the reader last asked for more.
    pub(crate) asked_at: AtomicU64,
    /// Why the reader must act: one bit for each `Closed`, and one for commands.
    calls: AtomicU8,
    /// Whether the reader waits for the hub's own work, such as a read of the history. While it waits, it does
    /// not count as a reader that does not read.
    pub(crate) is_waiting: AtomicBool,
    /// Whether frames are held for the reader.
    pub(in crate::hub) has_frames: AtomicBool,
    /// Whether the reader counts among the hub's readers.
    pub(crate) is_counted: AtomicBool,
    /// The reader's index among the feed's readers.
    pub(in crate::hub) index: AtomicU32,
    pub(in crate::hub) holding: Holding,
    pub(crate) since: Instant,
    /// Set only for readers that can be found by name.
    pub(crate) control: OnceLock<Arc<ReaderControl>>,
}

/// The bit of `Reader::calls` that is set when the reader's control holds commands.
const COMMANDS: u8 = 1 << 7;

/// The reason why the hub ended a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    Disconnect,
    Replace,
    Stall,
}

impl Closed {
    const ALL: [Self; 3] = [Self::Disconnect, Self::Replace, Self::Stall];

    fn bit(self) -> u8 {
        match self {
            Self::Disconnect => 1,
            Self::Replace => 2,
            Self::Stall => 4,
        }
    }
}

impl Reader {
    pub(crate) fn new(asked_at: u64) -> Self {
        Self {
            position: AtomicU64::new(0),
            asked_at: asked_at.into(),
            calls: AtomicU8::new(0),
            is_waiting: AtomicBool::new(false),
            has_frames: AtomicBool::new(false),
            holding: Holding::default(),
            is_counted: AtomicBool::new(false),
            index: AtomicU32::new(0),
            since: Instant::now(),
            control: OnceLock::new(),
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Publishes the position of the reader's `Progress`, which alone calls this.
    pub(in crate::hub) fn publish_position(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
    }

    pub(crate) fn end(&self, by: Closed) {
        self.calls.fetch_or(by.bit(), Ordering::Release);
    }

    pub(crate) fn ended(&self) -> Option<Closed> {
        let calls = self.calls.load(Ordering::Acquire);
        Closed::ALL.into_iter().find(|by| calls & by.bit() != 0)
    }

    /// Marks that the reader has commands to run.
    pub(crate) fn mark_commands(&self) {
        self.calls.fetch_or(COMMANDS, Ordering::Release);
    }

    /// Clears the mark; called before the commands are taken, so that one that arrives meanwhile is seen.
    pub(crate) fn unmark_commands(&self) {
        self.calls.fetch_and(!COMMANDS, Ordering::AcqRel);
    }

    /// Returns whether the reader was ended or has commands.
    pub(crate) fn has_commands(&self) -> bool {
        self.calls.load(Ordering::Acquire) != 0
    }
}
