//! How a reader gets the earlier events of topics that it adds.

use crate::hub::subscription::subscription::Subscription;
use crate::hub::{feeds::backfill::Backfill, options::filter::PermittedFrame, options::start::Start};
use crate::{history::Pattern, panic::Panic};

impl Subscription {
    /// Puts the earlier state of topics before everything else, without ids, so that positions only increase.
    pub(in crate::hub) fn backfill(&mut self, patterns: Vec<Pattern>, start: Start) {
        let mut backfill = Backfill { patterns, after: 0, until: self.progress.position() };
        match start {
            Start::Live => return,
            Start::Earliest => {}
            Start::Latest(count) => {
                let filter = self.filter();
                // A lock that a panic of the filter poisoned is used like any other.
                match Panic::catch(|| self.feed.lock().backlog.before_latest(&backfill, count, &filter)) {
                    Ok(after) => backfill.after = after,
                    Err(panic) => return self.fail(panic),
                }
            }
        }
        self.extras.get_or_insert_default().backfills.push_back(backfill);
    }

    pub(in crate::hub) fn has_backfill(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| !extras.backfills.is_empty())
    }

    /// Takes the next chunk of the earlier state.
    pub(in crate::hub) fn read_backfill(&mut self) {
        let filter = self.filter();
        let Some(extras) = &mut self.extras else { return };
        let Some(backfill) = extras.backfills.front_mut() else { return };
        let events = self.feed.lock().backlog.earlier(backfill);
        match events.last() {
            Some(last) => backfill.after = last.seq,
            None => drop(extras.backfills.pop_front()),
        }
        for event in events {
            let permitted = self.permit(&filter, event.topics.as_slice(), &event.frame, event.seq);
            self.hold(permitted.map(PermittedFrame::without_id), self.progress.position());
        }
    }
}
