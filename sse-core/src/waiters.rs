//! Tasks that wait for one source to change.

use std::task::Waker;

/// The number of tasks that a publisher wakes itself; a task of its runtime wakes the rest, so that a publisher
/// does not pay for 10,000 readers.
const WOKEN_INLINE: usize = 32;

/// The number of tasks woken before the runtime may run other tasks.
const WOKEN_AT_ONCE: usize = 256;

/// The wakers of one source; each waiting task has one slot, however often it is polled.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    slots: Vec<Option<Waker>>,
    free: Vec<u32>,
    wave: u64,
}

/// A waiting task's place in [`Waiters`]; the slot is void once its wave was woken.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// One more than the wave's number; 0 is void.
    after_wave: u64,
    index: u32,
}

impl Waiters {
    /// Registers `waker` for the next [`take`](Waiters::take).
    pub(crate) fn register(&mut self, slot: &mut Slot, waker: &Waker) {
        if let Some(kept) = self.find(slot) {
            match kept {
                Some(kept) if kept.will_wake(waker) => {}
                kept => *kept = Some(waker.clone()),
            }
            return;
        }
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(None);
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        if let Some(place) = self.slots.get_mut(index as usize) {
            *place = Some(waker.clone());
            *slot = Slot { after_wave: self.wave + 1, index };
        }
    }

    /// Removes a task that no longer waits.
    pub(crate) fn cancel(&mut self, slot: &mut Slot) {
        if let Some(kept) = self.find(slot) {
            *kept = None;
            self.free.push(slot.index);
        }
        *slot = Slot::default();
    }

    /// Returns the number of waiting tasks.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Removes and returns all wakers, to be woken outside the lock.
    #[must_use]
    pub(crate) fn take(&mut self) -> Vec<Option<Waker>> {
        if self.slots.is_empty() {
            return Vec::new();
        }
        self.wave += 1;
        self.free.clear();
        let next = Vec::with_capacity(self.slots.len());
        std::mem::replace(&mut self.slots, next)
    }

    fn find(&mut self, slot: &Slot) -> Option<&mut Option<Waker>> {
        if slot.after_wave == self.wave + 1 { self.slots.get_mut(slot.index as usize) } else { None }
    }
}

/// Wakes all tasks: the first few at once, the others from a task of the caller's runtime, if there is one.
pub(crate) fn wake(wakers: Vec<Option<Waker>>) {
    wake_all(vec![wakers]);
}

/// Wakes the tasks that wait for several sources, as [`wake`] does for all of them together.
pub(crate) fn wake_all(wakers: Vec<Vec<Option<Waker>>>) {
    let count: usize = wakers.iter().map(Vec::len).sum();
    let mut wakers = wakers.into_iter().flatten();
    if count <= WOKEN_INLINE {
        return wakers.flatten().for_each(Waker::wake);
    }
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return wakers.flatten().for_each(Waker::wake);
    };
    wakers.by_ref().take(WOKEN_INLINE).flatten().for_each(Waker::wake);
    runtime.spawn(async move {
        let mut left = count - WOKEN_INLINE;
        while left > 0 {
            wakers.by_ref().take(WOKEN_AT_ONCE).flatten().for_each(Waker::wake);
            left = left.saturating_sub(WOKEN_AT_ONCE);
            tokio::task::yield_now().await;
        }
    });
}
