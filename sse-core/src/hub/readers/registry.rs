//! The number of readers, and the readers that can be found by name.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    commands::ReaderControl,
    reader::{Closed, Reader},
};
use crate::hub::{
    EndReason,
    options::admission::{Admission, Exclusive},
};
use crate::metrics;

/// The readers of one hub.
pub(crate) struct Registry {
    max: usize,
    total: AtomicUsize,
    named: Mutex<NamedReaders>,
}

/// A leaf lock: no other lock is taken while this one is held.
#[derive(Default)]
struct NamedReaders {
    by_id: HashMap<u64, Arc<Reader>>,
    counted: HashMap<String, usize>,
    exclusive: HashMap<String, Arc<Reader>>,
}

impl Registry {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, total: AtomicUsize::new(0), named: Mutex::default() }
    }

    /// Admits a reader, or returns why it is refused. The reader has no control yet.
    pub(crate) fn enter(&self, reader: &Arc<Reader>, admission: Admission) -> Result<(), EndReason> {
        let more = |total| (total < self.max).then_some(total + 1);
        if self.total.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_err() {
            return Err(EndReason::Limit);
        }
        reader.is_counted.store(true, Ordering::Release);
        metrics::reader_entered();
        let entered = self.reserve(reader, admission);
        if entered.is_err() {
            self.leave(reader);
        }
        entered
    }

    /// Returns why a reader with these options would be refused now.
    pub(crate) fn refusal(&self, admission: &Admission) -> Option<EndReason> {
        if self.total.load(Ordering::Acquire) >= self.max {
            return Some(EndReason::Limit);
        }
        self.lock().refusal(admission)
    }

    /// Removes a reader; does nothing if it was already removed.
    pub(crate) fn leave(&self, reader: &Reader) {
        if !reader.is_counted.swap(false, Ordering::AcqRel) {
            return;
        }
        self.total.fetch_sub(1, Ordering::AcqRel);
        metrics::reader_left();
        let Some(control) = reader.control.get() else { return };
        let mut named = self.lock();
        named.by_id.remove(&control.id);
        for key in &control.counted {
            if let Some(count) = named.counted.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    named.counted.remove(key);
                }
            }
        }
        if let Some(key) = &control.exclusive
            && named.exclusive.get(key).is_some_and(|kept| std::ptr::eq(&**kept, reader))
        {
            named.exclusive.remove(key);
        }
    }

    /// Returns the reader's control, and registers the reader under the control's id until it leaves.
    pub(crate) fn control_of(&self, reader: &Arc<Reader>) -> Arc<ReaderControl> {
        let control = reader.control.get_or_init(|| Arc::new(ReaderControl::new(None, Box::default(), None)));
        let mut named = self.lock();
        if reader.is_counted.load(Ordering::Acquire) {
            named.by_id.entry(control.id).or_insert_with(|| Arc::clone(reader));
        }
        Arc::clone(control)
    }

    pub(crate) fn find(&self, id: u64) -> Option<Arc<Reader>> {
        self.lock().by_id.get(&id).cloned()
    }

    fn reserve(&self, reader: &Arc<Reader>, admission: Admission) -> Result<(), EndReason> {
        if admission.principal.is_none() && admission.limits.is_empty() && admission.exclusive.is_none() {
            return Ok(());
        }
        let mut named = self.lock();
        if let Some(end) = named.refusal(&admission) {
            return Err(end);
        }
        let Admission { principal, limits, exclusive } = admission;
        if let Some((key, Exclusive::Reject)) = &exclusive {
            named.exclusive.insert(key.clone(), Arc::clone(reader));
        }
        for key in limits.keys() {
            *named.counted.entry(key.clone()).or_default() += 1;
        }
        let counted = limits.into_keys().collect();
        let control = ReaderControl::new(principal, counted, exclusive.map(|(key, _)| key));
        let _ = reader.control.set(Arc::new(control));
        Ok(())
    }

    /// Gives an exclusive place to a reader that can read now, and ends the reader that had it.
    pub(crate) fn take_place(&self, reader: &Arc<Reader>) {
        let Some(key) = reader.control.get().and_then(|control| control.exclusive.as_ref()) else { return };
        let replaced = {
            let mut named = self.lock();
            if !reader.is_counted.load(Ordering::Acquire) {
                return;
            }
            named.exclusive.insert(key.clone(), Arc::clone(reader))
        };
        let Some(replaced) = replaced.filter(|replaced| !Arc::ptr_eq(replaced, reader)) else { return };
        replaced.end(Closed::Replace);
        if let Some(control) = replaced.control.get() {
            control.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, NamedReaders> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NamedReaders {
    /// Returns why these options cannot be granted now.
    fn refusal(&self, admission: &Admission) -> Option<EndReason> {
        let Admission { limits, exclusive, .. } = admission;
        if limits.iter().any(|(key, max)| self.counted.get(key).copied().unwrap_or(0) >= *max) {
            return Some(EndReason::Limit);
        }
        let taken = |key: &String| self.exclusive.contains_key(key);
        let is_refused = matches!(exclusive, Some((key, Exclusive::Reject)) if taken(key));
        is_refused.then_some(EndReason::Occupied)
    }
}
