use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
};

use tokio::time::Instant;

use super::commands::ReaderControl;
use crate::hub::subscription::holding::Holding;

/// What the hub knows of one reader.
pub(crate) struct Reader {
    pub(crate) position: AtomicU64,
    /// The hub's clock when the reader last asked for more.
    pub(crate) asked_at: AtomicU64,
    /// What it was called for: one bit for each `Closed`, and one for orders.
    calls: AtomicU8,
    /// Whether it waits for work of the hub's own, such as a read of the history: it does not count as one that does not
    /// read then.
    pub(crate) is_waiting: AtomicBool,
    /// Whether frames are held for it.
    pub(in crate::hub) has_frames: AtomicBool,
    /// Whether it counts among the hub's readers.
    pub(crate) is_counted: AtomicBool,
    /// Its index among the feed's readers.
    pub(in crate::hub) place: AtomicU32,
    pub(in crate::hub) holding: Holding,
    pub(crate) since: Instant,
    /// Only of readers that somebody knows by name.
    pub(crate) control: OnceLock<Arc<ReaderControl>>,
}

/// The bit of `Reader::calls` that says that its control holds orders.
const ORDERS: u8 = 1 << 7;

/// Why the hub ended a reader.
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
            place: AtomicU32::new(0),
            since: Instant::now(),
            control: OnceLock::new(),
        }
    }

    pub(crate) fn end(&self, by: Closed) {
        self.calls.fetch_or(by.bit(), Ordering::Release);
    }

    pub(crate) fn ended(&self) -> Option<Closed> {
        let calls = self.calls.load(Ordering::Acquire);
        Closed::ALL.into_iter().find(|by| calls & by.bit() != 0)
    }

    /// Lets the reader look at its orders.
    pub(crate) fn order(&self) {
        self.calls.fetch_or(ORDERS, Ordering::Release);
    }

    /// Notes that the orders are being looked at; before they are taken, so that one that comes meanwhile is seen.
    pub(crate) fn run_commands(&self) {
        self.calls.fetch_and(!ORDERS, Ordering::AcqRel);
    }

    /// Whether it was ended or has orders.
    pub(crate) fn has_commands(&self) -> bool {
        self.calls.load(Ordering::Acquire) != 0
    }
}
