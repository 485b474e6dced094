//! No wake-up is lost: the crate's own waiters, as a feed's readers use them, under a scheduler that tries the
//! orders in which threads may run (shuttle). A reader that sleeps although an event is available would never wake,
//! and the scheduler reports that as a deadlock.

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

/// Number of schedules per check.
const SCHEDULES: usize = 5_000;

const PUBLISHERS: u64 = 2;
const EVENTS: u64 = 3;

/// Number of frames that the ring keeps.
const KEPT: usize = 2;

/// The parts of a feed that concern waiting: what `push` and `poll_window` do under its one lock.
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

/// How a reader goes to sleep: as the hub's readers do, or in a wrong way.
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
            // A gap: evicted frames are skipped.
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

    /// Looks a few times, as a task does that is also polled for another reason, and leaves.
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

/// The smallest setup in which a wake-up can be lost.
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

#[path = "../src/hub/window/topics.rs"]
#[allow(dead_code, unreachable_pub)]
mod topics;

/// The types that `topics.rs` uses.
mod history {
    pub use sse_core::Topic;
}

mod ring {
    use super::{Arc, Mutex, history::Topic};

    /// A topic's ring, reduced to its readers.
    pub struct TopicRing {
        pub topic: Topic,
        pub place: usize,
        pub feeds: Mutex<Vec<Arc<Mutex<u64>>>>,
    }
}

/// Quiet topics are dropped while readers come and go: no reader may be left in a ring that its topic no longer has.
mod forgetting {
    use super::{
        Arc, Mutex, SCHEDULES, check_pct, check_random, history::Topic, ring::TopicRing, thread,
        topics::Topics,
    };

    /// What the sweep and a leave drop: the ring that was found, or the ring that has its name by then.
    #[derive(Clone, Copy, PartialEq)]
    enum Forgets {
        TheRing,
        TheName,
    }

    type Window = Mutex<Topics>;

    fn topic() -> Topic {
        Topic::new("a").unwrap()
    }

    fn ring_of(topics: &mut Topics) -> std::sync::Arc<TopicRing> {
        let known = topics.get(&topic()).cloned();
        known.unwrap_or_else(|| {
            topics.insert(|place| TopicRing { topic: topic(), place, feeds: Mutex::default() })
        })
    }

    fn forget_if_idle(topics: &mut Topics, ring: &std::sync::Arc<TopicRing>, forgets: Forgets) {
        if !ring.feeds.lock().unwrap().is_empty() {
            return;
        }
        let found = match forgets {
            Forgets::TheRing => Some(std::sync::Arc::clone(ring)),
            Forgets::TheName => topics.get(&topic()).cloned(),
        };
        if let Some(found) = found {
            topics.remove(&found);
        }
    }

    fn sweep(window: &Window, forgets: Forgets) {
        let rings: Vec<_> = window.lock().unwrap().values().cloned().collect();
        for ring in rings {
            forget_if_idle(&mut window.lock().unwrap(), &ring, forgets);
        }
    }

    /// Subscribes, publishes, and leaves in two steps, as a feed of many topics does.
    fn read_once(window: &Window, forgets: Forgets) {
        let feed = Arc::new(Mutex::new(0));
        let ring = {
            let mut topics = window.lock().unwrap();
            let ring = ring_of(&mut topics);
            ring.feeds.lock().unwrap().push(Arc::clone(&feed));
            ring
        };
        {
            let mut topics = window.lock().unwrap();
            ring_of(&mut topics).feeds.lock().unwrap().iter().for_each(|feed| *feed.lock().unwrap() += 1);
        }
        assert!(*feed.lock().unwrap() > 0, "a reader got nothing");
        ring.feeds.lock().unwrap().retain(|known| !Arc::ptr_eq(known, &feed));
        forget_if_idle(&mut window.lock().unwrap(), &ring, forgets);
    }

    fn scenario(forgets: Forgets) {
        let window = Arc::new(Window::default());
        let mut threads = Vec::new();
        for _ in 0..2 {
            let window = Arc::clone(&window);
            threads.push(thread::spawn(move || (0..2).for_each(|_| read_once(&window, forgets))));
        }
        sweep(&window, forgets);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(window.lock().unwrap().values().count(), 0, "an idle topic is left");
    }

    #[test]
    fn g4_costs_no_reader_its_events() {
        check_random(|| scenario(Forgets::TheRing), SCHEDULES / 5);
        check_pct(|| scenario(Forgets::TheRing), SCHEDULES / 5, 4);
    }

    #[test]
    #[should_panic = "a reader got nothing"]
    fn by_name_is_found_out() {
        check_random(|| scenario(Forgets::TheName), SCHEDULES);
    }
}
