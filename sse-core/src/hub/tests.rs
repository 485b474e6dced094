//! The window alone: retention, forgotten topics, keys.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use crate::hub::{
    control_events,
    readers::reader::Reader,
    window::append::Append,
    window::dedup::RecentKeys,
    window::forgotten::ForgottenTopics,
    window::ring::{RingEntry, TopicRing},
    window::window::{Retentions, Window},
};
use crate::{
    history::{EntryKind, Pattern, Retention, Topic, scoped},
    resume::{Cursor, Epoch, EpochTable, Gap, GapReason},
    wire::{Event, Frame},
};

const SECOND: Duration = Duration::from_secs(1);

fn topic(text: &str) -> Topic {
    Topic::new(text).expect("a topic")
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).expect("a pattern")
}

fn kept(seq: u64, at: Instant, len: usize) -> RingEntry {
    let frame = Frame::try_from(Event::message("x".repeat(len - 8))).expect("a frame");
    assert_eq!(frame.as_ref().len(), len);
    RingEntry { seq, at, frame, is_finish: false, topics: None }
}

#[test]
fn retention_allows_up_to_each_limit_and_nothing_beyond() {
    let retention = Retention::default().events(3).bytes(100).age(10 * SECOND);
    assert!(retention.allows(3, 100, 10 * SECOND));
    assert!(!retention.allows(4, 100, 10 * SECOND));
    assert!(!retention.allows(3, 101, 10 * SECOND));
    assert!(!retention.allows(3, 100, 10 * SECOND + Duration::from_nanos(1)));
}

#[test]
fn a_ring_evicts_the_oldest_and_remembers_how_far() {
    let ring = TopicRing::new(topic("a"), Retention::default().events(3).bytes(100), 0, 0, true);
    let mut ring_inner = ring.lock();
    let now = Instant::now();
    for seq in [2, 5, 9] {
        ring_inner.push(kept(seq, now, 20), &ring.retention);
    }
    assert_eq!((ring_inner.evicted, ring_inner.last_seq()), (0, 9));
    ring_inner.push(kept(10, now, 20), &ring.retention);
    assert_eq!((ring_inner.evicted, ring_inner.len()), (2, 3));
    // A large frame makes room for itself.
    ring_inner.push(kept(11, now, 90), &ring.retention);
    assert_eq!((ring_inner.evicted, ring_inner.len(), ring.totals(&ring_inner).bytes), (10, 1, 90));
    // A frame that is larger than the limit is not kept at all, and its eviction is recorded too.
    ring_inner.push(kept(12, now, 200), &ring.retention);
    assert_eq!((ring_inner.evicted, ring_inner.len(), ring_inner.last_seq()), (12, 0, 12));
}

#[test]
fn rule_3_a_fork_drops_what_stands_at_it_and_after() {
    let ring = TopicRing::new(topic("a"), Retention::default(), 0, 0, true);
    let mut ring_inner = ring.lock();
    for seq in [2, 5, 9] {
        ring_inner.push(kept(seq, Instant::now(), 20), &ring.retention);
    }
    ring_inner.finished = Some((Cursor::new(Epoch::from_bits(1), 9), Instant::now()));
    ring_inner.truncate(5);
    assert_eq!(ring.totals(&ring_inner).bytes, 20);
    assert_eq!(ring_inner.after(0).map(|kept| kept.seq).collect::<Vec<_>>(), [2]);
    assert!(ring_inner.finished.is_none());
    // The byte count is that of the kept frames.
    ring_inner.push(kept(5, Instant::now(), 20), &Retention::default().bytes(40));
    assert_eq!((ring_inner.len(), ring_inner.evicted), (2, 0));
}

#[test]
fn rule_8_a_forgotten_topic_keeps_its_last_eviction() {
    let mut forgotten = ForgottenTopics::with_capacity(2);
    forgotten.insert(topic("a.1"), 10);
    forgotten.insert(topic("b.1"), 20);
    assert_eq!(forgotten.evicted(&pattern("a.1")), 10);
    assert_eq!(forgotten.evicted(&pattern("a.*")), 10);
    assert_eq!(forgotten.evicted(&pattern("*.1")), 20);
    assert_eq!(forgotten.evicted(&pattern(">")), 20);
    assert_eq!(forgotten.evicted(&pattern("c.*")), 0);
    assert_eq!(forgotten.remove(&topic("a.1")), 10);
    assert_eq!(forgotten.evicted(&pattern("a.*")), 0);
}

#[test]
fn rule_8_only_an_overflow_raises_the_common_floor() {
    let mut forgotten = ForgottenTopics::with_capacity(2);
    for (name, evicted) in [("a", 30), ("b", 10), ("c", 20)] {
        forgotten.insert(topic(name), evicted);
    }
    // The oldest, b, was dropped: a reader of b, or of an unknown topic, may have missed events up to 10.
    assert_eq!(forgotten.evicted(&pattern("b")), 10);
    assert_eq!(forgotten.evicted(&pattern("never")), 10);
    assert_eq!(forgotten.evicted(&pattern("c")), 20);
    assert_eq!(forgotten.evicted(&pattern("a")), 30);
    forgotten.insert(topic("d"), 5);
    assert_eq!(forgotten.evicted(&pattern("d")), 10);
}

#[test]
fn rule_14_a_keys_scope_is_the_sorted_list_of_topics() {
    let mut keys = RecentKeys::default();
    let now = Instant::now();
    let place = Cursor::new(Epoch::from_bits(1), 7);
    keys.insert(scoped(&[topic("a"), topic("b")], "k"), place, now);
    assert_eq!(keys.find(&scoped(&[topic("a"), topic("b")], "k"), now), Some(place));
    assert_eq!(keys.find(&scoped(&[topic("a")], "b \nk"), now), None);
    assert_eq!(keys.find(&scoped(&[topic("a")], "k"), now), None);
    assert_eq!(keys.find(&scoped(&[topic("a"), topic("b")], "k"), now + 600 * SECOND), Some(place));
    assert_eq!(keys.find(&scoped(&[topic("a"), topic("b")], "k"), now + 601 * SECOND), None);
    // Beyond the maximum number of keys, the oldest are forgotten.
    for number in 0..=100_000 {
        keys.insert(number.to_string(), place, now);
    }
    assert_eq!(["0", "1", "100000"].map(|key| keys.find(key, now)), [None, Some(place), Some(place)]);
}

#[test]
fn patterns_match_whole_parts() {
    let matches = |wanted: &str, name: &str| pattern(wanted).matches(&topic(name));
    assert!(matches("a.b", "a.b") && !matches("a.b", "a.c") && !matches("a.b", "a.b.c"));
    assert!(matches("a.*", "a.b") && !matches("a.*", "a") && !matches("a.*", "a.b.c"));
    assert!(matches("*.b", "a.b") && !matches("*.b", "a.c"));
    assert!(matches("a.>", "a.b") && matches("a.>", "a.b.c") && !matches("a.>", "a"));
    assert!(matches(">", "a") && matches("*", "a") && !matches("*", "a.b"));
    assert!(matches("*.*.c", "a.b.c") && !matches("*.*.c", "a.c"));
    for wrong in ["", ".", "a.", ".a", "a..b", "a.>.b", "a*", "a.b>", "ä", "a b", "a\n", &"x".repeat(257)] {
        assert!(Pattern::new(wrong).is_err(), "{wrong:?}");
    }
    assert!(Topic::new("a.*").is_err() && Topic::new(">").is_err());
    assert!(Topic::new("x".repeat(256)).is_ok() && Topic::new("$a.b-c_d~e/f:g").is_ok());
}

#[test]
fn a_gap_notice_is_ascii_json_on_one_line() {
    let requested = Some("\"\\\n\u{7f}é😀".to_owned());
    let resumed_at = Cursor::new(Epoch::from_bits(1), 7);
    let gap = Gap { reason: GapReason::Malformed, requested, resumed_at, missed: None };
    let json = control_events::gap_json(&gap);
    assert_eq!(
        json,
        r#"{"reason":"malformed","requested":"\"\\\u000a\u007f\u00e9\ud83d\ude00","resumed_at":"0000000000000001-7","missed":null}"#
    );
    let frame = control_events::gap(&gap).into_frame();
    assert_eq!(control_events::cursor_of(&frame), Some(resumed_at));
    assert_eq!(control_events::without_id(&frame), format!("event: sse.gap\ndata: {json}\n\n").into_bytes());
}

#[test]
fn a_window_left_behind_continues_at_the_oldest() {
    let retentions = Retentions { all: Retention::default(), some: Vec::new() };
    let epochs = EpochTable::starting(Epoch::random());
    let window = Window::new(retentions, usize::MAX, epochs.clone(), 0, true);
    let append = |seq| {
        let topics = [topic("a")];
        let append = Append { topics: &topics, kind: EntryKind::Event, lines: b"data: x\n".to_vec() };
        window.apply(append, epochs.cursor(seq))
    };
    assert!((1..=5).all(append));
    assert!(!append(101));
    window.skip_to(101);
    assert!(append(101));
    let patterns = |text: &str| vec![pattern(text)].into_boxed_slice();
    for name in ["a", "b", "*"] {
        let attached = window.attach(patterns(name), std::sync::Arc::new(Reader::new(0)));
        assert_eq!((attached.view.head, attached.view.evicted), (101, 100), "{name}");
    }
    window.skip_to(50);
    assert_eq!(window.head(), 101);
}

#[test]
fn a_wait_for_the_head_that_is_given_up_leaves_no_waker() {
    let retentions = Retentions { all: Retention::default(), some: Vec::new() };
    let window = Window::new(retentions, usize::MAX, EpochTable::starting(Epoch::random()), 0, true);
    for _ in 0..100 {
        let mut waiting = std::pin::pin!(window.reaches(Cursor::new(Epoch::from_bits(1), 7)));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(window.lock().head_waiters.len(), 1);
    }
    assert_eq!(window.lock().head_waiters.len(), 0);
}
