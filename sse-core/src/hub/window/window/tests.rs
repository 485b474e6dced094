//! The window's bookkeeping: what it holds, what its feeds sent, and what is left after readers and topics
//! leave.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    time::Duration,
};

use tokio::time::{Instant, advance};

use super::{Feed, Retentions, TopicRing, Window};
use crate::{
    history::{EntryKind, Pattern, Retention, Topic},
    hub::{
        feeds::chunk::CHUNK_BYTES, options::permission::FullAccess, readers::reader::Reader,
        window::append::Append, window::attach::Attaching, window::ring::RingEntry, window::totals::Totals,
    },
    resume::{Cursor, Epoch, EpochRow, EpochTable},
    waiters::Slot,
    wire::Event,
};

mod bounds;
mod fork;
mod interleavings;

fn topics(names: &[&str]) -> Vec<Topic> {
    names.iter().map(|name| Topic::new(*name).expect("a topic")).collect()
}

fn window(retention: Retention, total_bytes: usize, has_history: bool) -> Window {
    let retentions = Retentions { all: retention, some: Vec::new() };
    Window::new(retentions, total_bytes, EpochTable::starting(Epoch::from_bits(1)), 0, has_history)
}

fn lines(kind: EntryKind, text: &str) -> Vec<u8> {
    match kind {
        EntryKind::Finish => format!("event: sse.end\ndata: {text}\n").into_bytes(),
        _ => format!("data: {text}\n").into_bytes(),
    }
}

impl Window {
    /// Begins another epoch of the history.
    pub(crate) fn fork(&self, row: EpochRow) -> bool {
        let mut table = self.lock().epochs.clone();
        table.push(row);
        self.learn(&table).is_rewritten
    }

    fn say(&self, names: &[&str], kind: EntryKind, text: &str) -> Cursor {
        let topics = topics(names);
        self.append(Append { topics: &topics, kind, lines: lines(kind, text) }, None).cursor
    }

    /// Applies a record of the history with a check, as the next one of the newest epoch.
    fn tell(&self, names: &[&str], kind: EntryKind, text: &str) {
        let topics = topics(names);
        let cursor = {
            let state = self.lock();
            state.epochs.cursor(state.head() + 1)
        };
        let cursor = cursor.with_checksum(cursor.seq() as u32 * 100);
        assert!(self.apply(Append { topics: &topics, kind, lines: lines(kind, text) }, cursor));
    }

    fn join(&self, patterns: &[&str]) -> (Arc<Feed>, Arc<Reader>) {
        let patterns: Vec<_> = patterns.iter().map(|text| Pattern::new(*text).expect("a pattern")).collect();
        let reader = Arc::new(Reader::new(0));
        (self.attach(patterns.into(), Arc::clone(&reader)).feed, reader)
    }

    fn leave(&self, feed: &Arc<Feed>, reader: &Arc<Reader>) {
        feed.lock().remove_reader(reader);
        self.detach(feed);
    }

    /// Checks that the totals are those of the rings, and that the list is not much longer than the stored
    /// frames.
    fn assert_sums(&self) {
        let state = self.lock();
        let (mut topics, mut frames, mut bytes, mut names) = (0, 0, 0, 0);
        for topic_ring in state.topics() {
            let ring = topic_ring.lock();
            bytes += ring.after(0).map(|kept| kept.frame.bytes().len()).sum::<usize>();
            frames += ring.len();
            if ring.len() > 0 {
                topics += 1;
                names += topic_ring.topic.as_str().len();
            }
        }
        assert_eq!(state.totals(), Totals { topics, frames, bytes, names });
        let listed = state.order.len();
        assert!(listed <= 2 * frames + 3 * 1024, "{listed} listed, {frames} kept");
    }
}

/// Returns the data of the events after `position`.
fn after(feed: &Feed, position: u64) -> Vec<String> {
    let chunk =
        feed.lock().chunk_after(position, &[], CHUNK_BYTES, FullAccess::for_test()).expect("nothing evicted");
    let text = chunk.map_or_else(String::new, |chunk| String::from_utf8_lossy(&chunk.bytes).into_owned());
    text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
}

#[test]
fn rule_3_what_a_fork_replaced_is_told_to_nobody_afterwards() {
    let window = window(Retention::default(), usize::MAX, true);
    let feeds = [window.join(&["a"]).0, window.join(&["a", "b"]).0];
    // With several readers of a feed, each gets the chunk that was made for the first.
    let _others = [window.join(&["a"]), window.join(&["a", "b"])];
    for (name, kind, text) in [
        ("a", EntryKind::Event, "1"),
        ("b", EntryKind::Finish, "2"),
        ("a", EntryKind::Event, "3"),
        ("a", EntryKind::Event, "old"),
        ("a", EntryKind::Finish, "5"),
    ] {
        window.tell(&[name], kind, text);
    }
    window.assert_sums();
    assert_eq!(feeds.each_ref().map(|feed| after(feed, 3)), [["old", "5"], ["old", "5"]]);
    assert_eq!(feeds.each_ref().map(|feed| feed.lock().finished), [1, 2]);
    let checks =
        |window: &Window| (1..=5).map(|seq| window.lock().cursor_at(seq).checksum()).collect::<Vec<_>>();
    assert_eq!(checks(&window), [100, 200, 300, 400, 500].map(Some));

    for round in 1..=2 {
        assert!(window.fork(EpochRow { epoch: Epoch::from_bits(1 + round), begins: 4 }));
        window.assert_sums();
        assert_eq!(window.lock().order.len(), 3);
        assert_eq!(
            feeds.each_ref().map(|feed| feed.lock()).map(|feed| (feed.backlog.last, feed.finished)),
            [(3, 0), (3, 1)]
        );
        assert_eq!(feeds.each_ref().map(|feed| after(feed, 3)), [[""; 0]; 2]);
        assert_eq!(
            feeds[0].lock().backlog.generation(),
            round,
            "what compressing readers share is made anew"
        );
        let text = format!("new {round}");
        window.tell(&["a"], EntryKind::Event, &text);
        assert_eq!(feeds.each_ref().map(|feed| after(feed, 3)), [[&*text], [&*text]]);
        assert_eq!(checks(&window), [Some(100), Some(200), Some(300), Some(400), None]);
    }
    assert_eq!(window.lock().kept_cursor(9), None);
}

#[tokio::test(start_paused = true)]
async fn the_books_are_right_whatever_is_evicted() {
    let retention = Retention::default().events(5).age(Duration::from_secs(10));
    let window = window(retention, 4_000, false);
    for number in 0..3_000 {
        // One busy topic that evicts by its own retention, and others where only the total evicts.
        let quiet = format!("quiet.{}", number % 7);
        let names: &[&str] = if number % 50 == 0 { &["busy", &quiet] } else { &["busy"] };
        let cursor = window.say(names, EntryKind::Event, &"x".repeat(number % 20));
        window.assert_sums();
        assert!(window.lock().totals().cost() <= 4_000);
        assert_eq!(window.lock().kept_cursor(cursor.seq()), Some(cursor));
    }
    advance(Duration::from_secs(11)).await;
    window.sweep();
    window.assert_sums();
    let state = window.lock();
    assert_eq!((state.totals(), state.topics.len()), (Totals::default(), 0));
}

#[test]
fn what_is_evicted_is_not_listed_for_long() {
    let window = window(Retention::default().events(1), usize::MAX, false);
    let quiet = window.say(&["quiet"], EntryKind::Event, "x");
    for _ in 0..3_000 {
        let cursor = window.say(&["busy"], EntryKind::Event, "x");
        window.assert_sums();
        assert_eq!(
            [quiet, cursor].map(|kept| window.lock().kept_cursor(kept.seq())),
            [Some(quiet), Some(cursor)]
        );
    }
}

#[test]
fn a_feed_is_forgotten_with_its_last_reader() {
    let window = window(Retention::default(), usize::MAX, false);
    let (feed, first) = window.join(&["a", "b"]);
    let (same, second) = window.join(&["a", "b"]);
    assert!(Arc::ptr_eq(&feed, &same));
    assert_eq!((window.readers_of(&topics(&["a"])), window.readers_of(&topics(&["a", "b"]))), (2, 2));
    window.leave(&feed, &first);
    assert_eq!((window.feeds().count(), window.readers_of(&topics(&["a"]))), (1, 1));
    window.leave(&feed, &second);
    assert_eq!((window.feeds().count(), window.lock().topics.len()), (0, 0));
    // A reader that joins then gets a new feed, which a late leave of the old one does not remove.
    let (new, _third) = window.join(&["a", "b"]);
    window.detach(&feed);
    assert!(window.feeds().any(|kept| Arc::ptr_eq(&kept, &new)));
}

/// Returns a ring that was found before its topic was forgotten and read again.
mod stale_ring {
    use super::*;

    #[test]
    fn leaves_the_new_ring_alone() {
        let window = window(Retention::default().events(0), usize::MAX, false);
        let (feed, reader) = window.join(&["a"]);
        let stale = feed.lock().backlog.rings.first().cloned().expect("a ring");
        window.leave(&feed, &reader);
        assert_eq!(window.lock().topics.len(), 0);
        let (_feed, _reader) = window.join(&["a"]);
        window.say(&["a"], EntryKind::Event, "x");
        window.lock().forget_if_idle(&stale, Instant::now());
        assert_eq!(window.readers_of(&topics(&["a"])), 1);
        let topics = topics(&["a"]);
        let append = Append { topics: &topics, kind: EntryKind::Event, lines: b"data: x\n".to_vec() };
        assert_eq!(window.append(append, None).receivers, 1);
    }

    #[test]
    fn does_not_put_back_what_its_topic_had_evicted() {
        let window = window(Retention::default().events(0), usize::MAX, false);
        window.say(&["a"], EntryKind::Event, "x");
        let stale = window.lock().topics().next().cloned().expect("a ring");
        window.sweep();
        let evicted =
            |window: &Window| window.lock().forgotten.evicted(&Pattern::new("a").expect("a pattern"));
        assert_eq!(evicted(&window), 1);
        window.say(&["a"], EntryKind::Event, "x");
        window.sweep();
        assert_eq!(evicted(&window), 2);
        window.lock().forget_if_idle(&stale, Instant::now());
        assert_eq!(evicted(&window), 2);
    }

    /// Readers join and leave while another thread sweeps; each of them must get every published event.
    #[test]
    fn g4_costs_no_reader_its_events() {
        const TOPICS: usize = 500;
        let window = window(Retention::default().events(0), usize::MAX, false);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Acquire) {
                    window.sweep();
                }
            });
            let names: Vec<_> = (0..TOPICS).map(|number| format!("t.{number}")).collect();
            let mut readers: Vec<_> = names.iter().map(|name| window.join(&[name])).collect();
            let mut dead = 0;
            for round in 0..2_000 {
                let (name, (feed, reader)) = (&names[round % TOPICS], &mut readers[round % TOPICS]);
                window.leave(feed, reader);
                (*feed, *reader) = window.join(&[name]);
                std::thread::yield_now();
                let topics = topics(&[name]);
                let append =
                    Append { topics: &topics, kind: EntryKind::Event, lines: lines(EntryKind::Event, "x") };
                dead += usize::from(window.append(append, None).receivers != 1);
            }
            is_over.store(true, Ordering::Release);
            assert_eq!(dead, 0);
        });
    }
}

#[test]
fn readers_are_counted_once_and_before_the_topic_exists() {
    let window = window(Retention::default(), usize::MAX, false);
    let (_wild, _reader) = window.join(&["a.*"]);
    let (_exact, _other) = window.join(&["a.3"]);
    let readers_of = |names: &[&str]| window.readers_of(&topics(names));
    let all = || {
        [readers_of(&["a.1"]), readers_of(&["a.1", "a.2"]), readers_of(&["a.3", "a.4"]), readers_of(&["b"])]
    };
    assert_eq!(all(), [1, 1, 2, 0]);
    window.say(&["a.1", "a.2"], EntryKind::Event, "x");
    assert_eq!(all(), [1, 1, 2, 0]);
}

#[test]
fn rule_8_wildcards_know_how_far_forgotten_topics_were_evicted() {
    let window = window(Retention::default(), 0, false);
    let evicted = |name: &str| {
        let pattern = Pattern::new(name).expect("a pattern");
        window.attach(vec![pattern].into(), Arc::new(Reader::new(0))).view.evicted
    };
    for name in ["a.1", "b.1"] {
        window.say(&[name], EntryKind::Event, "x");
    }
    window.sweep();
    assert_eq!(window.lock().topics.len(), 0);
    assert_eq!(["a.*", "b.*", ">", "c.*", "a.1", "a.2"].map(evicted), [1, 2, 2, 0, 1, 0]);
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_waits_is_woken_when_the_window_was_left_behind() {
    let window = window(Retention::default(), usize::MAX, true);
    window.tell(&["a"], EntryKind::Event, "1");
    let (feed, _reader) = window.join(&["a"]);
    let woken = Arc::new(Woken::default());
    feed.lock().waiters.register(&mut Slot::default(), &Waker::from(Arc::clone(&woken)));
    window.skip_to(10);
    assert!(woken.0.load(Ordering::Relaxed));
    assert!(feed.lock().chunk_after(0, &[], CHUNK_BYTES, FullAccess::for_test()).is_err());
}

#[test]
fn what_a_history_says_is_finished_counts_once_in_every_feed() {
    let window = window(Retention::default(), usize::MAX, true);
    let (one, both) = (window.join(&["a"]).0, window.join(&["a", "b"]).0);
    let epochs = EpochTable::starting(Epoch::from_bits(1));
    let is_known = |feed: &Feed| feed.lock().backlog.rings.iter().all(|ring| ring.lock().is_known);
    assert!(!is_known(&one) && !is_known(&both));
    let finished = [(topics(&["a"]).remove(0), Cursor::new(Epoch::from_bits(1), 7))];
    // The answer for an older epoch table may be out of date.
    window.merge_finished(&one, &EpochTable::starting(Epoch::from_bits(2)), &finished);
    assert!(one.lock().finished == 0 && !is_known(&one));
    for _ in 0..2 {
        window.merge_finished(&one, &epochs, &finished);
        assert_eq!([&one, &both].map(|feed| feed.lock().finished), [1, 1]);
        assert!(is_known(&one) && !is_known(&both));
    }
    window.merge_finished(&both, &epochs, &finished);
    assert_eq!([&one, &both].map(|feed| feed.lock().finished), [1, 1]);
    assert!(is_known(&both));
    // One record may finish several topics of a feed, and one may open them again.
    let (both, _reader) = window.join(&["c", "d"]);
    window.tell(&["c", "d"], EntryKind::Finish, "x");
    assert_eq!(both.lock().finished, 2);
    window.tell(&["c", "d"], EntryKind::Event, "x");
    assert_eq!(both.lock().finished, 0);
    // A hub without history knows.
    assert!(is_known(&self::window(Retention::default(), usize::MAX, false).join(&["a"]).0));
}

#[test]
fn a_chunk_is_filled_to_its_last_byte_and_has_each_event_once() {
    let window = window(Retention::default(), usize::MAX, false);
    let len = |cursor: Cursor| format!("data: 1\nid: {cursor}\n\n").len();
    let max =
        len(window.say(&["a", "b"], EntryKind::Event, "1")) + len(window.say(&["a"], EntryKind::Event, "2"));
    for _ in 3..=5 {
        window.say(&["b"], EntryKind::Event, "x");
    }
    for (names, all) in [(&["a"][..], 2), (&["a", "b"], 5)] {
        let (feed, _reader) = window.join(names);
        let events = |max| {
            let chunk = feed
                .lock()
                .chunk_after(0, &[], max, FullAccess::for_test())
                .expect("nothing evicted")
                .expect("events");
            chunk.events
        };
        assert_eq!(
            [events(0), events(max - 1), events(max), events(CHUNK_BYTES)],
            [1, 1, 2, all],
            "{names:?}"
        );
    }
}

#[test]
fn rule_15_a_feed_keeps_the_newest_64_signals() {
    let window = window(Retention::default(), usize::MAX, false);
    let (feed, _reader) = window.join(&["a"]);
    let frame = crate::wire::Frame::try_from(Event::message("x")).expect("a frame");
    for announced in 1..=100 {
        assert_eq!(window.signal(&topics(&["a"]), &frame), 1);
        assert_eq!(feed.lock().backlog.unseen_signals(0).count(), announced.min(64));
    }
    assert_eq!(feed.lock().backlog.unseen_signals(99).map(|signal| signal.seq).collect::<Vec<_>>(), [100]);
}

#[test]
fn a_finish_is_remembered_for_its_time_and_not_a_moment_longer() {
    let window = window(Retention::default(), usize::MAX, false);
    window.say(&["a"], EntryKind::Finish, "x");
    let state = window.lock();
    let mut ring = state.topics().next().expect("a ring").lock();
    ring.skip_to(1);
    let (now, memory) = (Instant::now(), Duration::from_secs(60));
    assert!(ring.is_quiet(now, memory));
    ring.finished = Some((Cursor::new(Epoch::from_bits(1), 1), now));
    assert!(!ring.is_quiet(now + memory, memory));
    assert!(ring.is_quiet(now + memory + Duration::from_nanos(1), memory));
}
