//! The memory that compressing readers share stays small.

use super::{
    super::feed::Feed,
    lookup::{Found, Lookup, ReaderState},
    *,
};
use crate::{
    gzip::tests::some_left,
    history::{EntryKind, Pattern, Retention, Topic},
    hub::{
        options::permission::FullAccess,
        readers::reader::Reader,
        window::append::Append,
        window::window::{Retentions, Window, fresh_epochs},
    },
    wire::{Event, Frame},
};

/// Returns what a newly connected reader takes next from the shared blocks.
fn take(blocks: &SharedGzip, feed: &Feed, position: u64, signals_seen: u64) -> Lookup {
    let mut blocks = blocks.lock();
    let state = ReaderState {
        position,
        ignored_evictions: &[],
        signals_seen,
        last: None,
        access: FullAccess::for_test(),
    };
    let found = match blocks.find(&feed.lock().backlog, state) {
        Ok(Found::Ready(found)) => found,
        Ok(Found::ToCompress(next)) => blocks.compress(next, None),
        Err(_) => Lookup::Nothing,
    };
    let kept = || blocks.events.iter().chain(&blocks.signals);
    let bytes: usize = kept().map(|kept| kept.chunk.bytes.len() + kept.block.deflated().len()).sum();
    assert_eq!(blocks.kept_bytes, bytes);
    assert!(kept().count() <= KEPT_BLOCKS && (bytes <= KEPT_BYTES || kept().count() == 1));
    found
}

#[test]
fn shared_blocks_are_bounded_in_number_and_bytes() {
    let _left = some_left();
    let retentions = Retentions { all: Retention::default(), some: Vec::new() };
    let window = Window::new(retentions, usize::MAX, fresh_epochs(), 0, false);
    let topics = [Topic::new("a").expect("a topic")];
    let patterns = vec![Pattern::new("a").expect("a pattern")];
    let feed = window.attach(patterns.into(), std::sync::Arc::new(Reader::new(0))).feed;
    let blocks = feed.lock().gzip.shared();
    let mut random = fastrand::Rng::with_seed(7);
    let (mut max, mut max_bytes) = (0, 0);
    for (rounds, len) in [(300, 10), (60, 20_000), (3, 300_000)] {
        for _ in 0..rounds {
            let text: String = (0..len).map(|_| random.alphanumeric()).collect();
            let frame = Frame::try_from(Event::message(&text)).expect("a frame");
            window.signal(&topics, &frame);
            let lines = format!("data: {text}\n").into_bytes();
            let append = Append { topics: &topics, kind: EntryKind::Event, lines };
            let seq = window.append(append, None).cursor.seq();
            let signal = feed.lock().backlog.last_signal();
            let found = take(&blocks, &feed, seq - 1, signal);
            assert!(matches!(found, Lookup::Events(..) | Lookup::Standalone(..)));
            assert!(matches!(take(&blocks, &feed, seq, signal - 1), Lookup::Signals(..)));
            let inner = blocks.lock();
            max = max.max(inner.events.len() + inner.signals.len());
            max_bytes = max_bytes.max(inner.kept_bytes);
        }
    }
    // As much as the limits allow, and evenly of both.
    assert_eq!(max, KEPT_BLOCKS);
    assert!(max_bytes > KEPT_BYTES / 2, "{max_bytes}");
}
