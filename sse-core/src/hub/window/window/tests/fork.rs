//! After a fork, a window is what it would be in a process that never received the replaced records.

use super::*;

fn fork(window: &Window, begins: u64) {
    let rows = window.lock().epochs.rows().len() as u64;
    let is_rewritten = begins <= window.head();
    assert_eq!(window.fork(EpochRow { epoch: Epoch::from_bits(100 + rows), begins }), is_rewritten);
    window.assert_sums();
}

fn evicted(window: &Window, name: &str) -> u64 {
    let pattern = Pattern::new(name).expect("a pattern");
    let reader = Arc::new(Reader::new(0));
    let attached = window.attach(vec![pattern].into(), Arc::clone(&reader));
    window.leave(&attached.feed, &reader);
    attached.view.evicted
}

#[test]
fn forgotten_topics_are_evicted_up_to_the_fork_at_most() {
    for begins in 1..=4 {
        let window = window(Retention::default().events(0), usize::MAX, true);
        for name in ["a.1", "b.1", "a.2"] {
            window.tell(&[name], EntryKind::Event, "x");
        }
        window.sweep();
        assert_eq!(window.lock().topics.len(), 0);
        fork(&window, begins);
        let last = begins - 1;
        assert_eq!(
            ["a.*", "b.*", ">", "c.*", "a.1", "new"].map(|name| evicted(&window, name)),
            [last.min(3), last.min(2), last.min(3), 0, last.min(1), 0]
        );
    }
}

#[test]
fn the_floor_of_what_was_left_behind_goes_back_with_the_head() {
    let window = window(Retention::default(), usize::MAX, true);
    window.skip_to(101);
    fork(&window, 11);
    assert_eq!(window.head(), 10);
    assert_eq!([">", "new", "new.*"].map(|name| evicted(&window, name)), [10; 3]);
    fork(&window, 1);
    assert_eq!([">", "new", "new.*"].map(|name| evicted(&window, name)), [0; 3]);
}

#[test]
fn a_lost_reopening_leaves_the_topic_finished() {
    for begins in 5..=8 {
        let window = window(Retention::default(), usize::MAX, true);
        let feeds = [window.join(&["a"]).0, window.join(&["a", "b"]).0];
        for (name, kind) in [
            ("b", EntryKind::Event),
            ("a", EntryKind::Event),
            ("b", EntryKind::Finish),
            ("b", EntryKind::Event),
            ("a", EntryKind::Finish),
            ("b", EntryKind::Finish),
            ("a", EntryKind::Event),
        ] {
            window.tell(&[name], kind, "x");
        }
        assert_eq!(feeds.each_ref().map(|feed| feed.lock().finished), [0, 1]);
        fork(&window, begins);
        let (a, b) = (usize::from((6..8).contains(&begins)), usize::from(begins > 6));
        assert_eq!(feeds.each_ref().map(|feed| feed.lock().finished), [a, a + b], "a fork at {begins}");
        let end = feeds[0].lock().backlog.rings[0].end().map(|(cursor, _)| cursor.seq());
        assert_eq!(end, (a == 1).then_some(5), "a fork at {begins}");
    }
}

#[test]
fn a_finish_that_is_not_kept_is_asked_for_again() {
    let window = window(Retention::default().events(1), usize::MAX, true);
    let feed = window.join(&["a"]).0;
    window.tell(&["a"], EntryKind::Finish, "x");
    window.tell(&["a"], EntryKind::Event, "x");
    let is_known = || feed.lock().backlog.rings[0].lock().is_known;
    assert!(is_known());
    let before = window.lock().epochs.clone();
    fork(&window, 2);
    assert!(!is_known());
    // The history's answer from before the fork is out of date.
    window.merge_finished(&feed, &before, &[]);
    assert!(!is_known());
    let (now, finish) = {
        let state = window.lock();
        (state.epochs.clone(), state.epochs.cursor(1))
    };
    window.merge_finished(&feed, &now, &[(topics(&["a"]).remove(0), finish)]);
    assert!(is_known());
    assert_eq!(feed.lock().finished, 1);
}

#[test]
fn the_new_head_has_its_own_check() {
    let window = window(Retention::default(), usize::MAX, true);
    for _ in 0..5 {
        window.tell(&["a"], EntryKind::Event, "x");
    }
    fork(&window, 4);
    let state = window.lock();
    assert_eq!([3, 4, 5].map(|seq| state.cursor_at(seq).checksum()), [Some(300), None, None]);
}

#[test]
fn keys_of_replaced_events_may_be_used_again() {
    let window = window(Retention::default(), usize::MAX, false);
    let topics = topics(&["a"]);
    let publish = |key| {
        let lines = lines(EntryKind::Event, "x");
        window.append(Append { topics: &topics, kind: EntryKind::Event, lines }, Some(key))
    };
    let (kept, lost) = (publish("kept"), publish("lost"));
    fork(&window, lost.cursor.seq());
    assert_eq!(publish("kept").cursor.seq(), kept.cursor.seq());
    let again = publish("lost");
    assert_eq!((again.duplicate, again.cursor.seq()), (false, lost.cursor.seq()));
}
