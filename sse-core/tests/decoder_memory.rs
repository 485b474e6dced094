//! The decoder's memory: linear in its input, bounded by its limits. Counted, not timed (G2).

use allocation_counter::{AllocationInfo, measure};
use sse_core::decode::{Decoder, Item, Limits, Oversized};

/// Feeds `count` chunks of one stream, and counts the decoder's own allocations.
fn counted<'a>(mut decoder: Decoder, chunks: impl IntoIterator<Item = &'a [u8]>) -> (usize, AllocationInfo) {
    let mut messages = 0;
    let chunks = chunks.into_iter();
    let info = measure(|| {
        for mut chunk in chunks {
            while let Some(item) = decoder.decode(&mut chunk).expect("within the limits") {
                messages += usize::from(matches!(item, Item::Message(_)));
            }
        }
        drop(decoder);
    });
    (messages, info)
}

#[test]
fn an_event_in_many_chunks_costs_few_allocations() {
    let len = 1 << 20;
    let one_line = format!("id: 1\nevent: t\ndata: {}\n\n", "x".repeat(len));
    let many_lines = format!("{}\n", "data: 0123456789\n".repeat(len / 16));
    for stream in [one_line, many_lines] {
        for size in [1, 7, 64, 1_024, 16_384] {
            let (messages, info) = counted(Decoder::new(), stream.as_bytes().chunks(size));
            assert_eq!(messages, 1);
            // A buffer that doubles as it grows: few steps, and each byte moved about once.
            assert!(info.count_total <= 40, "{size}: {info:?}");
            assert!(info.bytes_total <= 5 * len as u64, "{size}: {info:?}");
            assert!(info.bytes_max <= 3 * len as u64, "{size}: {info:?}");
        }
    }
}

#[test]
fn messages_that_are_whole_in_their_chunk_cost_no_allocation() {
    let stream = "id: 1\nevent: price\ndata: 42\n\n".repeat(1_000);
    let (messages, info) = counted(Decoder::with_last_event_id("0".repeat(20)), [stream.as_bytes()]);
    assert_eq!((messages, info.count_total), (1_000, 0));
}

#[test]
fn messages_in_many_chunks_use_the_same_buffers_again() {
    let stream = "id: 1\nevent: price\ndata: 4\ndata: 2\n\n".repeat(1_000);
    for size in [1, 3, 16] {
        let (messages, info) = counted(Decoder::new(), stream.as_bytes().chunks(size));
        assert_eq!(messages, 1_000);
        assert!(info.count_total <= 10, "{size}: {info:?}");
    }
}

#[test]
fn discarded_lines_cost_no_memory() {
    let rest = [b'0'; 1_000];
    for start in [": ", "name: ", "n", "retry: "] {
        let chunks = [start.as_bytes()].into_iter().chain((0..1_000).map(|_| &rest[..]));
        let (_, info) = counted(Decoder::new(), chunks);
        assert_eq!(info.count_total, 0, "{start:?}");
    }
}

#[test]
fn an_endless_event_stays_within_the_limits() {
    let limit = 10_000;
    for start in ["data: ", "event: ", "id: ", ": ", "name: "] {
        for line in ["x".repeat(100), format!("{}\n{start}", "x".repeat(90))] {
            let limits = Limits::default().line(limit).event(limit).id(limit).oversized(Oversized::Skip);
            let decoder = Decoder::new().limits(limits).report_comments().report_fields();
            let chunks = [start.as_bytes()].into_iter().chain((0..10_000).map(|_| line.as_bytes()));
            let (messages, info) = counted(decoder, chunks);
            assert_eq!(messages, 0);
            assert!(info.bytes_max <= 4 * limit as u64, "{start:?}: {info:?}");
        }
    }
}

#[test]
fn a_large_event_does_not_hold_its_memory_for_ever() {
    let large = format!("data: {0}\ndata: {0}\n\n", "x".repeat(1 << 20));
    let mut decoder = Decoder::new();
    let info = measure(|| {
        for stream in [&*large, "data: a\n\n"] {
            let mut input = stream.as_bytes();
            while decoder.decode(&mut input).expect("within the limits").is_some() {}
        }
    });
    assert!(info.bytes_current <= 64 * 1_024, "{info:?}");
}
