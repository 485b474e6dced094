//! Appending, reading and the span.

use std::collections::HashSet;

use bytes::Bytes;
use sse_core::history::{Appended, Entry, History, HistoryErrorKind, Record};

use super::{
    Engine, appended, entry, finish, pattern, patterns, settled, texts, topic, wait_for, with_topics,
};

/// Positions count from 1 without a hole, and the records read are those appended.
pub async fn positions_are_dense_from_one<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(None).await;
    let span = history.bounds(&[]).await.unwrap();
    assert_eq!((span.oldest, span.head, span.last), (1, 0, 0));
    for seq in 1..=5 {
        let placed = appended(&history, entry("a", seq)).await;
        assert_eq!((placed.cursor.seq(), placed.duplicate), (seq, false));
        assert_eq!(placed.cursor.epoch(), span.epochs.current());
    }
    let records = history.read(0, 10, usize::MAX).await.unwrap();
    assert_eq!(texts(&records), ["1", "2", "3", "4", "5"]);
    assert!(records.iter().zip(1..).all(|(record, seq)| record.cursor.seq() == seq));
    let span = history.bounds(&[]).await.unwrap();
    assert_eq!((span.oldest, span.head), (1, 5));
}

/// Entries of one call are adjacent and in order, even if others append at the same time.
pub async fn several_at_once_stand_together<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(None).await;
    let mut calls = tokio::task::JoinSet::new();
    for call in 0..20 {
        let history = history.clone();
        calls.spawn(async move {
            let entries = (0..5).map(|n| entry("a", format!("{call}.{n}"))).collect();
            (call, history.append(entries).await.unwrap())
        });
    }
    let mut expected = vec![String::new(); 100];
    for (call, placed) in wait_for("all appended", calls.join_all()).await {
        let first = placed[0].cursor.seq();
        for (n, placed) in placed.iter().enumerate() {
            assert_eq!(placed.cursor.seq(), first + n as u64);
            expected[first as usize - 1 + n] = format!("{call}.{n}");
        }
    }
    assert_eq!(texts(&history.read(0, 1_000, usize::MAX).await.unwrap()), expected);
}

/// A read returns the records after the position, up to the requested number.
pub async fn reads_go_on_after_any_position<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(None).await;
    history.append((1..=7).map(|n| entry("a", n)).collect()).await.unwrap();
    for n in 8..=12 {
        appended(&history, entry("b", n)).await;
    }
    for after in 0..=13_u64 {
        for limit in [0, 1, 2, 5, 12, 100] {
            let records = history.read(after, limit, usize::MAX).await.unwrap();
            let wanted: Vec<_> = (after + 1..=12).take(limit).map(|n| n.to_string()).collect();
            assert_eq!(texts(&records), wanted, "{limit} after {after}");
        }
    }
    // Up to the given number of bytes of lines, but at least one record, and all of them at the end.
    let len = records_len(&history.read(9, 1, usize::MAX).await.unwrap());
    for max_bytes in [0, 1, len, 2 * len, 3 * len + 1, usize::MAX - 1] {
        let mut seen = Vec::new();
        while seen.len() < 12 {
            let records = history.read(seen.len() as u64, 100, max_bytes).await.unwrap();
            assert!(records.len() == 1 || records_len(&records) <= max_bytes, "{max_bytes}: {records:?}");
            assert!(!records.is_empty(), "{max_bytes} after {}", seen.len());
            seen.extend(texts(&records));
        }
        assert_eq!(seen, (1..=12).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}

fn records_len(records: &[sse_core::history::Record]) -> usize {
    records.iter().map(|record| record.lines.len()).sum()
}

/// Every byte comes back, and so do several topics and the kind.
pub async fn bytes_and_topics_are_kept_as_they_are<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(None).await;
    let long = format!("data: {}\n", "x".repeat(1_000_000));
    let every_byte: Vec<u8> =
        [b"data: ", &*(0..=255).filter(|byte| *byte != b'\n').collect::<Vec<_>>(), b"\n"].concat();
    let lines =
        [Bytes::from(long), Bytes::from(every_byte), Bytes::from("event: é\ndata: 💡\n"), Bytes::new()];
    let topics = vec![topic("a"), topic("a.b"), topic(&"x".repeat(256))];
    let entries: Vec<_> =
        lines.iter().map(|lines| Entry::event(topics.clone(), lines.clone())).chain([finish("a")]).collect();
    history.append(entries.clone()).await.unwrap();
    let records = history.read(0, 10, usize::MAX).await.unwrap();
    assert_eq!(records.len(), entries.len());
    for (record, entry) in records.into_iter().zip(entries) {
        assert_eq!((record.topics, record.kind), (entry.topics, entry.kind));
        assert!(record.lines == entry.lines, "the bytes differ");
    }
}

/// An append of no entries does nothing.
pub async fn nothing_to_append_is_nothing<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(None).await;
    assert_eq!(history.append(Vec::new()).await.unwrap(), []);
    assert_eq!(history.bounds(&[]).await.unwrap().head, 0);
}

/// A read from below the oldest record fails; `oldest - 1` is a valid position.
pub async fn what_is_trimmed_is_an_error<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(Some(50)).await;
    for n in 0..40 {
        history.append((0..10).map(|m| entry("a", n * 10 + m)).collect()).await.unwrap();
    }
    let span = settled(&history, &[], |span| span.oldest > 2).await;
    assert_eq!(span.head, 400);
    assert!(span.head - span.oldest + 1 >= 50, "{} are kept", span.head - span.oldest + 1);
    for after in [0, span.oldest - 2] {
        let error = history.read(after, 10, usize::MAX).await.unwrap_err();
        assert_eq!(error.kind(), HistoryErrorKind::Trimmed, "{error}");
    }
    let records = history.read(span.oldest - 1, 3, usize::MAX).await.unwrap();
    assert_eq!(records[0].cursor.seq(), span.oldest);
}

/// The last position of a topic is known although its records are trimmed.
pub async fn the_span_knows_the_last_of_a_topic_though_it_is_trimmed<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(Some(50)).await;
    let both = with_topics(entry("quiet.a", "both"), &["quiet.a", "quiet.b"]);
    let quiet = appended(&history, both).await.cursor.seq();
    let over = appended(&history, finish("over")).await;
    for n in 0..40 {
        history.append((0..10).map(|m| entry("busy", n * 10 + m)).collect()).await.unwrap();
    }
    let span = settled(&history, &patterns(&["quiet.a"]), |span| span.oldest > over.cursor.seq()).await;
    if !E::KNOWS_TRIMMED_TOPICS {
        assert!((quiet..span.oldest).contains(&span.last), "{} of {}", span.last, span.oldest);
        return;
    }
    assert_eq!(span.last, quiet);
    let last = async |texts: &[&str]| history.bounds(&patterns(texts)).await.unwrap().last;
    assert_eq!(last(&["quiet.b"]).await, quiet);
    assert_eq!(last(&["quiet.*"]).await, quiet);
    assert_eq!(last(&["quiet.>"]).await, quiet);
    assert_eq!(last(&["never"]).await, 0);
    assert_eq!(last(&["never", "over", "quiet.a"]).await, over.cursor.seq());
    assert_eq!(last(&["never.>"]).await, 0);
    assert_eq!(last(&["busy", "quiet.a"]).await, span.head);
    assert_eq!(last(&[">"]).await, span.head);
    let span = history.bounds(&patterns(&["over", "quiet.a"])).await.unwrap();
    assert_eq!(span.finished, [(topic("over"), over.cursor)]);
}

/// A later event reopens a finished topic.
pub async fn a_topic_is_finished_while_that_is_its_last_record<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(None).await;
    appended(&history, entry("a", 1)).await;
    let finished = async || history.bounds(&patterns(&["a", "b"])).await.unwrap().finished;
    assert_eq!(finished().await, []);
    let first = appended(&history, finish("a")).await.cursor;
    assert_eq!(finished().await, [(topic("a"), first)]);
    appended(&history, entry("a", 2)).await;
    assert_eq!(finished().await, []);
    let again = appended(&history, finish("a")).await.cursor;
    let other = appended(&history, finish("b")).await.cursor;
    assert_eq!(finished().await, [(topic("a"), again), (topic("b"), other)]);
    let both = with_topics(entry("a", 3), &["a", "b"]);
    appended(&history, both).await;
    assert_eq!(finished().await, []);
}

fn keyed(name: &str, text: &str, key: &str) -> Entry {
    entry(name, text).with_key(key)
}

/// A key's scope is its sorted topics; a duplicate gets the first position.
pub async fn a_key_keeps_one_event_for_the_same_topics<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(None).await;
    let first = appended(&history, keyed("a", "1", "k")).await;
    let second = appended(&history, keyed("a", "2", "k")).await;
    assert_eq!(second, Appended::duplicate_of(first.cursor));
    assert!(!appended(&history, keyed("b", "3", "k")).await.duplicate);
    assert!(!appended(&history, keyed("a", "4", "l")).await.duplicate);
    let both = |text| with_topics(keyed("a", text, "k"), &["a", "b"]);
    let third = appended(&history, both("5")).await;
    assert!(!third.duplicate);
    assert_eq!(appended(&history, both("6")).await.cursor, third.cursor);
    let mixed = vec![keyed("c", "7", "k"), keyed("c", "8", "k"), keyed("a", "9", "k"), entry("c", "10")];
    let mixed = history.append(mixed).await.unwrap();
    assert_eq!(mixed.iter().map(|placed| placed.duplicate).collect::<Vec<_>>(), [false, true, true, false]);
    assert_eq!((mixed[1].cursor, mixed[2].cursor), (mixed[0].cursor, first.cursor));
    assert_eq!(texts(&history.read(0, 100, usize::MAX).await.unwrap()), ["1", "3", "4", "5", "7", "10"]);
}

/// A topic's own trimmed part may end long before the trimmed part of the whole history, and the topic may have
/// come back since.
pub async fn the_span_knows_up_to_where_a_topic_was_trimmed<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(Some(50)).await;
    let mut append = Vec::from([entry("quiet", 0), entry("quiet", 1)]);
    for _ in 0..40 {
        append.extend((0..10).map(|n| entry("busy", n)));
        history.append(std::mem::take(&mut append)).await.unwrap();
    }
    settled(&history, &[], |span| span.oldest > 100).await;
    history.append(vec![entry("quiet", 2), entry("new", 0), entry("quiet", 3)]).await.unwrap();
    for (topics, expected) in [
        (&["quiet"][..], Some(2)),
        (&["new"], Some(0)),
        (&["never"], Some(0)),
        (&["new", "quiet"], Some(2)),
        (&["busy"], None),
        (&["busy", "quiet"], None),
    ] {
        let span = history.bounds(&patterns(topics)).await.unwrap();
        let unknown = span.oldest - 1;
        let expected = expected.filter(|_| E::KNOWS_TRIMMED_TOPICS).unwrap_or(unknown);
        assert_eq!(span.trimmed, expected, "{topics:?} of {span:?}");
        assert!(span.trimmed <= span.last && span.last <= span.head, "{topics:?} of {span:?}");
    }
    assert_eq!(history.bounds(&[]).await.unwrap().trimmed, 0);
}

/// If many publish under one key at once, one event is kept.
pub async fn a_key_raced_for_is_kept_once<E: Engine>() {
    let engine = E::start().await;
    let handles = [engine.open(None).await, engine.open(None).await];
    let mut calls = tokio::task::JoinSet::new();
    for call in 0..32 {
        let history = handles[call % 2].clone();
        calls.spawn(async move { appended(&history, keyed("a", "x", &format!("k{}", call % 4))).await });
    }
    let placed = wait_for("all appended", calls.join_all()).await;
    assert_eq!(placed.iter().filter(|placed| !placed.duplicate).count(), 4);
    let places: HashSet<_> = placed.iter().map(|placed| placed.cursor).collect();
    assert_eq!(places.len(), 4);
    assert_eq!(handles[0].read(0, 100, usize::MAX).await.unwrap().len(), 4);
}

/// Whichever handle appends, all read the same.
pub async fn two_handles_see_one_order<E: Engine>() {
    let engine = E::start().await;
    let handles = [engine.open(None).await, engine.open(None).await];
    for n in 1..=20_u64 {
        let placed = appended(&handles[n as usize % 2], entry("a", n)).await;
        assert_eq!(placed.cursor.seq(), n);
    }
    let [one, two] = [
        handles[0].read(0, 100, usize::MAX).await.unwrap(),
        handles[1].read(0, 100, usize::MAX).await.unwrap(),
    ];
    assert_eq!(one, two);
    assert_eq!(one.len(), 20);
    let spans = [handles[0].bounds(&[]).await.unwrap(), handles[1].bounds(&[]).await.unwrap()];
    assert_eq!(spans[0], spans[1]);
}

/// After the engine was killed, every acknowledged event is there, positions continue, and the old epoch is in the
/// table.
pub async fn a_restart_keeps_everything_and_names_nothing_twice<E: Engine>() {
    let mut engine = E::start().await;
    let mut names: HashSet<String> = HashSet::new();
    let mut kept: Vec<Record> = Vec::new();
    for round in 0..3_u64 {
        let history = engine.open(None).await;
        let span = history.bounds(&[pattern("a")]).await.unwrap();
        assert_eq!((span.oldest, span.head, span.last), (1, round * 10, round * 10));
        for n in 0..10 {
            let placed = appended(&history, entry("a", round * 10 + n)).await;
            assert!(names.insert(placed.cursor.to_string()), "{} names two records", placed.cursor);
            assert_eq!(placed.cursor.seq(), round * 10 + n + 1);
        }
        let records = history.read(0, 1_000, usize::MAX).await.unwrap();
        assert_eq!(records[..kept.len()], kept, "round {round}");
        let epochs = history.bounds(&[]).await.unwrap().epochs;
        for record in &records {
            assert_eq!(record.cursor.epoch(), epochs.at(record.cursor.seq()));
            assert!(names.contains(&record.cursor.to_string()));
        }
        assert_eq!(records.len(), names.len());
        kept = records;
        drop(history);
        engine.kill().await;
        engine.revive().await;
    }
}

/// The engine remembers a key, not the process.
pub async fn a_key_outlives_a_restart<E: Engine>() {
    let mut engine = E::start().await;
    let history = engine.open(None).await;
    let first = appended(&history, keyed("a", "1", "k")).await;
    drop(history);
    engine.kill().await;
    engine.revive().await;
    let history = engine.open(None).await;
    let second = appended(&history, keyed("a", "2", "k")).await;
    assert_eq!(second, Appended::duplicate_of(first.cursor));
    assert_eq!(texts(&history.read(0, 10, usize::MAX).await.unwrap()), ["1"]);
}
