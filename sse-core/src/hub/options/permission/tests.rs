//! A reader never gets an event that it must not see, whatever happens between two of its polls.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
    thread,
};

use futures_util::FutureExt as _;
use tokio::time::Instant;

use crate::hub::{
    EventView, Hub, Lease, MOST, Subscription, feeds::feed::FeedInner, window::ring::RingEntry,
    window::tagged::TopicSet,
};
use crate::{
    history::{Pattern, Topic},
    resume::{Epoch, EpochRow},
    wire::{Event, Frame},
};

const TOPICS: [&str; 5] = ["a.1", "a.2", "b.1", "b.2", "c"];
const ASKED: [&[&str]; 5] = [&["a.1"], &["a.1", "b.1"], &["a.*"], &[">"], &["c", "b.*"]];

fn subscribed(hub: &Hub, asked: &[&str], filter: Option<fn(&EventView<'_>) -> bool>) -> Subscription {
    let asked: Vec<_> = asked.iter().map(|text| Pattern::new(*text).expect("a pattern")).collect();
    let mut subscribe = hub.subscribe(asked);
    if let Some(filter) = filter {
        subscribe = subscribe.filter(filter);
    }
    let mut subscribing = subscribe.into_future();
    // With wildcards, other tasks run in between.
    let subscribed = (0..10).find_map(|_| (&mut subscribing).now_or_never());
    subscribed.expect("nothing to wait for").expect("subscribed")
}

fn publish(hub: &Hub, topics: &[&str], text: &str) -> u64 {
    let published = hub.publish(topics, Event::message(text)).into_future().now_or_never();
    published.expect("at once").expect("published").cursor.seq()
}

/// Returns everything that the reader gets before it waits.
fn taken(subscription: &mut Subscription) -> String {
    let mut text = String::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Ok(chunk)) = subscription.poll_chunk(&mut cx, MOST) {
        text.push_str(std::str::from_utf8(&chunk.bytes).expect("text"));
    }
    text
}

/// A failover that is only partly applied when a reader polls: some rings are cut, their feeds are not.
fn cut_rings(hub: &Hub, fork: u64, random: &mut fastrand::Rng) {
    let state = hub.shared.window().lock();
    for ring in state.topics() {
        if random.u8(..4) > 0 {
            ring.lock().truncate(fork);
        }
    }
}

#[test]
fn g9_no_failover_shows_another_readers_events() {
    let mut given = 0;
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let hub = Hub::memory();
        let nothing: fn(&EventView<'_>) -> bool = |_| false;
        let shown: fn(&EventView<'_>) -> bool = |event| event.data().starts_with("shown");
        let join = |filter| ASKED.map(|asked| subscribed(&hub, asked, filter));
        let mut open: Vec<_> = join(None).into_iter().chain(join(None)).collect();
        let (mut blind, mut partial) = (join(Some(nothing)), join(Some(shown)));
        #[cfg(feature = "compress")]
        for reader in open.iter_mut().chain(&mut blind).skip(1).step_by(2) {
            reader.share_blocks();
        }
        for number in 0..random.usize(1..6) {
            let text = if random.bool() { "secret" } else { "shown" };
            let topics = [TOPICS[random.usize(..5)], TOPICS[random.usize(..5)]];
            publish(&hub, &topics, &format!("{text} {number}"));
        }
        if random.bool() {
            open.iter_mut().chain(&mut blind).chain(&mut partial).for_each(|reader| drop(taken(reader)));
        }
        // The filters withhold the newest event; the readers without a filter have it, and then it is lost.
        let newest = publish(&hub, &TOPICS, "secret newest");
        given +=
            open.iter_mut().map(|reader| usize::from(taken(reader).contains("secret newest"))).sum::<usize>();
        cut_rings(&hub, newest, &mut random);
        let check = |blind: &mut [Subscription], partial: &mut [Subscription]| {
            for reader in blind {
                assert_eq!(taken(reader), "", "seed {seed}, {reader:?}");
            }
            for reader in partial {
                let text = taken(reader);
                assert!(!text.contains("secret"), "seed {seed}, {reader:?}: {text}");
            }
        };
        check(&mut blind, &mut partial);
        hub.shared.window().fork(EpochRow { epoch: Epoch::from_bits(seed + 2), begins: newest });
        check(&mut blind, &mut partial);
        publish(&hub, &TOPICS, "secret again");
        check(&mut blind, &mut partial);
        publish(&hub, &TOPICS, "shown at last");
        for reader in open.iter_mut().chain(&mut partial) {
            assert!(taken(reader).contains("data: shown at last\n"), "seed {seed}, {reader:?}");
        }
        check(&mut blind, &mut partial);
    }
    assert_eq!(given, 200 * 2 * ASKED.len());
}

/// Puts an event into a feed whose lock the caller holds, as a publisher does.
fn push(hub: &Hub, topic: &Topic, text: &str, feed: &mut FeedInner) {
    let frame = Frame::try_from(Event::message(text)).expect("a frame");
    let (seq, at) = (hub.shared.window().head() + 1, Instant::now());
    let ring = hub.shared.window().lock().topics.get(topic).cloned().expect("a ring");
    let kept = RingEntry { seq, at, frame: frame.clone(), topics: None, is_finish: false };
    ring.lock().push(kept, &ring.retention);
    drop(feed.push(seq, at, &frame, &TopicSet::new(std::slice::from_ref(topic))));
}

#[test]
fn g9_a_revoked_lease_reads_nothing_published_later() {
    let topic = Topic::new("a").expect("a topic");
    for round in 1..=100 {
        let hub = Hub::memory();
        let lease = Lease::new();
        let subscribe = hub.subscribe("a").lease(&lease).into_future();
        let mut subscription = subscribe.now_or_never().expect("at once").expect("subscribed");
        let reader = Arc::clone(&subscription.reader);
        let feed = Arc::clone(&subscription.feed);
        // The reader has checked its lease and waits for the feed, or has checked neither.
        let mut inner = feed.lock();
        hub.shared.clock.store(round, Ordering::Relaxed);
        let reading = thread::spawn(move || taken(&mut subscription));
        while reader.asked_at.load(Ordering::Relaxed) != round {
            thread::yield_now();
        }
        for _ in 0..round * 100 {
            std::hint::spin_loop();
        }
        lease.revoke();
        push(&hub, &topic, "secret", &mut inner);
        drop(inner);
        assert_eq!(reading.join().expect("read"), "", "round {round}");
    }
}
