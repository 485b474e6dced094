//! No wake-up is lost: how a feed's readers wait, with the crate's own waiters, under a scheduler that tries the orders in which
//! threads may run (shuttle). A reader that sleeps although something is there for it would never wake, and that the scheduler
//! reports as a deadlock.

#[path = "../src/waiters.rs"]
#[allow(dead_code, unreachable_pub)]
mod waiters;

use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Context, Poll},
};

use shuttle::{
    check_pct, check_random,
    future::block_on,
    sync::{Arc, Mutex},
    thread,
};
use waiters::{Slot, Waiters, wake};

/// How many schedules each check tries.
const SCHEDULES: usize = 5_000;

const PUBLISHERS: u64 = 2;
const EVENTS: u64 = 3;

/// How many frames the ring keeps.
const KEPT: usize = 2;

/// A feed, as far as waiting goes: what `push` and `look` do under its one lock.
#[derive(Default)]
struct Feed {
    frames: VecDeque<u64>,
    last: u64,
    evicted: u64,
    waiters: Waiters,
}

fn publish(feed: &Mutex<Feed>) {
    let waiting = {
        let mut feed = feed.lock().unwrap();
        feed.last += 1;
        let last = feed.last;
        feed.frames.push_back(last);
        if feed.frames.len() > KEPT {
            feed.evicted = feed.frames.pop_front().unwrap();
        }
        feed.waiters.take()
    };
    wake(waiting);
}

/// How a reader goes to sleep: as the hub's do, or as they must not.
#[derive(Clone, Copy, PartialEq)]
enum Sleeps {
    UnderTheSameLock,
    AfterAnotherLock,
}

struct Reader {
    feed: Arc<Mutex<Feed>>,
    slot: Slot,
    position: u64,
    seen: Vec<u64>,
    sleeps: Sleeps,
}

impl Reader {
    fn new(feed: &Arc<Mutex<Feed>>, sleeps: Sleeps) -> Self {
        Self { feed: Arc::clone(feed), slot: Slot::default(), position: 0, seen: Vec::new(), sleeps }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut feed = self.feed.lock().unwrap();
        if feed.evicted > self.position {
            // A gap: what is gone is passed.
            self.position = feed.evicted;
            return Poll::Ready(());
        }
        if let Some(next) = feed.frames.iter().find(|seq| **seq > self.position) {
            assert_eq!(*next, self.position + 1, "a frame was passed in silence");
            self.position = *next;
            self.seen.push(*next);
            return Poll::Ready(());
        }
        if self.sleeps == Sleeps::AfterAnotherLock {
            drop(feed);
            feed = self.feed.lock().unwrap();
        }
        feed.waiters.register(&mut self.slot, cx.waker());
        Poll::Pending
    }

    fn read_up_to(mut self, last: u64) {
        while self.position < last {
            block_on(poll_fn(|cx| self.poll(cx)));
        }
        assert!(self.seen.is_sorted());
    }

    /// Looks some times, as a task does that is polled for another reason too, and leaves.
    fn leave_soon(mut self) {
        for _ in 0..2 {
            let mut polled = false;
            block_on(poll_fn(|cx| {
                if std::mem::replace(&mut polled, true) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                self.poll(cx)
            }));
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.feed.lock().unwrap().waiters.cancel(&mut self.slot);
        }
    }
}

fn scenario() {
    let feed = Arc::new(Mutex::new(Feed::default()));
    let mut threads = Vec::new();
    for leaves in [true, false, false, true] {
        let reader = Reader::new(&feed, Sleeps::UnderTheSameLock);
        threads.push(thread::spawn(move || {
            if leaves { reader.leave_soon() } else { reader.read_up_to(PUBLISHERS * EVENTS) }
        }));
    }
    for _ in 0..PUBLISHERS {
        let feed = Arc::clone(&feed);
        threads.push(thread::spawn(move || (0..EVENTS).for_each(|_| publish(&feed))));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(feed.lock().unwrap().waiters.len(), 0, "someone who has left still waits");
}

/// The least in which a wake-up can be lost.
fn one_of_each(sleeps: Sleeps) {
    let feed = Arc::new(Mutex::new(Feed::default()));
    let reader = Reader::new(&feed, sleeps);
    let reading = thread::spawn(move || reader.read_up_to(1));
    publish(&feed);
    reading.join().unwrap();
}

#[test]
fn g4_no_wake_up_is_lost_in_random_schedules() {
    check_random(|| one_of_each(Sleeps::UnderTheSameLock), SCHEDULES);
    check_random(scenario, SCHEDULES);
}

#[test]
fn g4_no_wake_up_is_lost_in_schedules_of_few_changes() {
    check_pct(scenario, SCHEDULES, 4);
}

#[test]
#[should_panic = "deadlock"]
fn the_check_finds_a_wake_up_that_is_lost() {
    check_random(|| one_of_each(Sleeps::AfterAnotherLock), SCHEDULES);
}
