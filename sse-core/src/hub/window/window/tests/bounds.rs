//! No call holds the window's lock for long, however many topics and feeds there are.

use super::*;
use crate::hub::window::survey::TOPICS_AT_ONCE;

/// More topics than are visited under one lock.
const MANY: usize = 3 * TOPICS_AT_ONCE;

fn crowded(retention: Retention) -> Window {
    let window = window(retention, usize::MAX, false);
    for number in 0..MANY {
        window.say(&[&format!("t.{number}")], EntryKind::Event, "x");
    }
    window
}

#[test]
fn a_sweep_goes_in_steps() {
    let window = crowded(Retention::default().age(Duration::ZERO));
    let mut steps = 0;
    let mut next = Some(0);
    while let Some(place) = next {
        let before = window.lock().totals().frames;
        next = window.sweep_from(place);
        assert!(before - window.lock().totals().frames <= TOPICS_AT_ONCE);
        steps += 1;
    }
    assert!(steps > MANY / TOPICS_AT_ONCE, "{steps} steps");
    let state = window.lock();
    assert_eq!((state.totals(), state.topics.len()), (Totals::default(), 0));
}

#[test]
fn one_topic_with_much_to_evict_is_swept_in_steps_too() {
    let window = window(Retention::default().age(Duration::ZERO), usize::MAX, false);
    // An age of zero evicts with the next event unless the clock stands still, so the frames are added under
    // another retention.
    let ring = {
        let mut state = window.lock();
        window.ring(&mut state, &topics(&["a"])[0])
    };
    for seq in 1..=MANY as u64 {
        let frame = crate::wire::Frame::try_from(Event::message("x")).expect("a frame");
        let kept = RingEntry { seq, at: Instant::now(), frame, is_finish: false, topics: None };
        window.lock().change(&ring, |ring| ring.push(kept, &Retention::default().events(MANY)));
    }
    let mut steps = 0;
    let mut next = Some(0);
    while let Some(place) = next {
        next = window.sweep_from(place);
        steps += 1;
    }
    assert!(steps > MANY / TOPICS_AT_ONCE, "{steps} steps");
    window.assert_sums();
}

#[test]
fn what_a_wildcard_matches_is_searched_in_steps() {
    let window = crowded(Retention::default());
    let patterns: Box<[Pattern]> = vec![Pattern::new(">").expect("a pattern")].into();
    for found_before in [0, MANY] {
        let mut attaching = Attaching::begin(&window, patterns.clone(), Arc::new(Reader::new(0)));
        assert_eq!(attaching.feed.lock().backlog.rings.len(), found_before);
        let mut steps = 1;
        let attached = loop {
            match attaching.step() {
                Some(attached) => break attached,
                None => steps += 1,
            }
        };
        assert!(steps >= MANY / TOPICS_AT_ONCE, "{steps} steps");
        assert_eq!(attached.feed.lock().backlog.rings.len(), MANY);
        if found_before == MANY {
            break;
        }
    }
}

#[test]
fn forgotten_topics_are_walked_once_for_all_wildcards() {
    let window = crowded(Retention::default().events(0));
    window.sweep();
    let patterns: Vec<_> =
        (0..100).map(|number| Pattern::new(format!("*.{number}")).expect("a pattern")).collect();
    let mut attaching = Attaching::begin(&window, patterns.into(), Arc::new(Reader::new(0)));
    let mut steps = 1;
    let attached = loop {
        match attaching.step() {
            Some(attached) => break attached,
            None => steps += 1,
        }
    };
    // The indexes of topics are visited as well.
    assert!((4..=10).contains(&steps), "{steps} steps");
    assert_eq!(attached.view.evicted, 100);
}

#[test]
fn a_search_that_is_given_up_leaves_nothing() {
    let window = crowded(Retention::default());
    let patterns: Box<[Pattern]> = vec![Pattern::new(">").expect("a pattern")].into();
    let mut attaching = Attaching::begin(&window, patterns, Arc::new(Reader::new(0)));
    assert!(attaching.step().is_none());
    drop(attaching);
    assert_eq!(window.feeds().count(), 0);
    assert_eq!(window.readers_of(&topics(&["t.0", "new"])), 0);
    let state = window.lock();
    assert!(state.topics().all(|ring| state.topic_feeds.of(ring).is_empty()));
}

#[test]
fn feeds_in_common_are_found_once() {
    let window = window(Retention::default(), usize::MAX, false);
    let names: Vec<_> = (0..50).map(|number| format!("user.{number}")).collect();
    let _readers: Vec<_> = names.iter().map(|name| window.join(&["news", name])).collect();
    let both = topics(&["news", "user.7"]);
    assert_eq!(window.readers_of(&both), 50);
    let append = Append { topics: &both, kind: EntryKind::Finish, lines: lines(EntryKind::Finish, "x") };
    assert_eq!(window.append(append, None).receivers, 50);
    let finished: Vec<_> = window.feeds().map(|feed| feed.lock().finished).collect();
    assert_eq!(finished.iter().filter(|finished| **finished == 2).count(), 1);
    assert_eq!(finished.iter().sum::<usize>(), 51);
}

#[test]
fn a_wildcards_topics_are_forgotten_once_passed() {
    let window = window(Retention::default().events(0), usize::MAX, false);
    let (all, _reader) = window.join(&[">"]);
    let (both, _other) = window.join(&["b", "a.*"]);
    for name in ["a.1", "a.2", "b", "c"] {
        window.say(&[name], EntryKind::Event, "x");
    }
    let topics_left = |window: &Window| {
        window.sweep();
        let state = window.lock();
        let mut left: Vec<_> = state.topics().map(|ring| ring.topic.as_str().to_owned()).collect();
        left.sort();
        left
    };
    assert_eq!(topics_left(&window), ["a.1", "a.2", "b", "c"]);
    let mut slots = [Slot::default(), Slot::default()];
    all.lock().wait(&mut slots[0], Waker::noop());
    assert_eq!(topics_left(&window), ["a.1", "a.2", "b"]);
    both.lock().wait(&mut slots[1], Waker::noop());
    // A topic that a feed names stays.
    assert_eq!(topics_left(&window), ["b"]);
    assert_eq!([&all, &both].map(|feed| feed.lock().backlog.rings.len()), [1, 1]);
    let attached = window.attach(all.patterns.clone(), Arc::new(Reader::new(0)));
    assert_eq!(attached.view.evicted, 4);
    let both = topics(&["a.1"]);
    let append = Append { topics: &both, kind: EntryKind::Event, lines: lines(EntryKind::Event, "x") };
    assert_eq!(window.append(append, None).receivers, 3);
}

/// The memory kept for readers that are behind.
mod kept_for_readers {
    use super::*;

    fn frame(len: usize) -> crate::wire::Frame {
        crate::wire::Frame::try_from(Event::message("x".repeat(len))).expect("a frame")
    }

    #[test]
    fn signals_are_bounded_by_bytes() {
        let window = window(Retention::default(), usize::MAX, false);
        let (feed, _reader) = window.join(&["a"]);
        for _ in 0..10 {
            window.signal(&topics(&["a"]), &frame(100_000));
        }
        assert!((200_000..=256 << 10).contains(&feed.lock().backlog.kept_bytes()));
        // A signal that is larger than the limit is kept alone.
        window.signal(&topics(&["a"]), &frame(1_000_000));
        assert_eq!(feed.lock().backlog.unseen_signals(0).count(), 1);
    }

    #[test]
    fn merged_frames_are_bounded_by_bytes() {
        let window = window(Retention::default(), usize::MAX, false);
        let (feed, _reader) = window.join(&["a", "b"]);
        for _ in 0..10 {
            window.say(&["a"], EntryKind::Event, &"x".repeat(300_000));
        }
        assert!((900_000..=1 << 20).contains(&feed.lock().backlog.kept_bytes()));
        // Frames that are no longer merged are in the rings.
        assert_eq!(
            feed.lock()
                .chunk_after(0, &[], usize::MAX, FullAccess::for_test())
                .expect("kept")
                .expect("events")
                .events,
            10
        );
    }

    #[test]
    fn nothing_is_kept_once_all_wait() {
        let window = window(Retention::default(), usize::MAX, false);
        let (feed, first) = window.join(&["a", "b"]);
        let (_, second) = window.join(&["a", "b"]);
        let cursor = window.say(&["a"], EntryKind::Event, &"x".repeat(50_000));
        window.signal(&topics(&["a"]), &frame(1_000));
        assert_eq!(after(&feed, 0).len(), 1);
        assert!(feed.lock().backlog.kept_bytes() > 51_000);
        let mut slots = [Slot::default(), Slot::default()];
        feed.lock().wait(&mut slots[0], Waker::noop());
        assert!(feed.lock().backlog.kept_bytes() > 51_000);
        feed.lock().wait(&mut slots[1], Waker::noop());
        assert_eq!(feed.lock().backlog.kept_bytes(), 0);
        assert!(feed.lock().backlog.recent_after(cursor.seq() - 1).is_none(), "merged frames are kept");
        // The same happens if the reader that is behind leaves.
        window.signal(&topics(&["a"]), &frame(1_000));
        feed.lock().wait(&mut slots[0], Waker::noop());
        assert!(feed.lock().backlog.kept_bytes() > 1_000);
        feed.lock().remove_reader(&second);
        assert_eq!(feed.lock().backlog.kept_bytes(), 0);
        window.leave(&feed, &first);
    }
}
