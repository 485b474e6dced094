//! The tail: everything that happens, once and in order.

use std::time::Duration;

use futures_util::StreamExt;
use sse_core::history::{History, TailEvent};

use super::{Engine, appended, entry, first_record, settled, steps::Tail, texts, wait_for};

/// A tail begins after any position, and returns every record.
pub async fn everything_is_told_once_and_in_order_from_any_position<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(None).await;
    history.append((1..=1_200).map(|n| entry("a", n)).collect()).await.unwrap();
    for after in [0, 1, 599, 1_199, 1_200] {
        let mut tail: Tail = Box::pin(history.tail(after));
        for seq in after + 1..=1_200 {
            assert_eq!(first_record(&mut tail).await.cursor.seq(), seq);
        }
    }
    let mut tail: Tail = Box::pin(history.tail(1_200));
    let placed = appended(&history, entry("a", "next")).await;
    let record = first_record(&mut tail).await;
    assert_eq!(
        (record.cursor, texts(std::slice::from_ref(&record))),
        (placed.cursor, vec!["next".to_owned()])
    );
}

/// Tails on two handles return the same while both append.
pub async fn records_appended_meanwhile_are_told_in_order<E: Engine>() {
    let engine = E::start().await;
    let handles = [engine.open(None).await, engine.open(None).await];
    let mut tails: [Tail; 2] = [Box::pin(handles[0].tail(0)), Box::pin(handles[1].tail(0))];
    let mut calls = tokio::task::JoinSet::new();
    for call in 0..8 {
        let history = handles[call % 2].clone();
        calls.spawn(async move {
            for n in 0..25 {
                let entries = (0..1 + n % 3).map(|m| entry("a", format!("{call}.{n}.{m}"))).collect();
                history.append(entries).await.unwrap();
            }
        });
    }
    let total = 8 * (0..25).map(|n| 1 + n % 3).sum::<u64>();
    let mut told = [Vec::new(), Vec::new()];
    for (tail, told) in tails.iter_mut().zip(&mut told) {
        for seq in 1..=total {
            let record = first_record(tail).await;
            assert_eq!(record.cursor.seq(), seq);
            told.push(record);
        }
    }
    wait_for("all appended", calls.join_all()).await;
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], handles[0].read(0, 10_000, usize::MAX).await.unwrap());
}

/// A signal reaches every tail, is not kept, and does not change positions.
pub async fn signals_reach_every_handle<E: Engine>() {
    let engine = E::start().await;
    let handles = [engine.open(None).await, engine.open(None).await];
    let mut tails: [Tail; 2] = [Box::pin(handles[0].tail(0)), Box::pin(handles[1].tail(0))];
    let signal = entry("a", "typing");
    // A tail listens once it has begun; until then a signal may be lost.
    let sender = tokio::spawn({
        let (history, signal) = (handles[0].clone(), signal.clone());
        async move {
            loop {
                history.signal(signal.clone()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    for tail in &mut tails {
        let told = wait_for("a signal", async {
            loop {
                if let Ok(TailEvent::Signal(told)) = tail.next().await.expect("the tail ended") {
                    return told;
                }
            }
        })
        .await;
        assert_eq!((told.topics, told.lines), (signal.topics.clone(), signal.lines.clone()));
    }
    let reach = handles[1].signal(signal).await.unwrap();
    assert!(reach.processes.is_none_or(|processes| processes >= 1), "{reach:?}");
    sender.abort();
    assert_eq!(handles[0].bounds(&[]).await.unwrap().head, 0);
}

/// A tail reports the position up to which the history was trimmed.
pub async fn trimming_is_told<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(Some(50)).await;
    let mut tail: Tail = Box::pin(history.tail(0));
    let told = tokio::spawn(async move {
        loop {
            if let Ok(TailEvent::Trimmed { oldest }) = tail.next().await.expect("the tail ended")
                && oldest > 100
            {
                return oldest;
            }
        }
    });
    for n in 0..40 {
        history.append((0..10).map(|m| entry("a", n * 10 + m)).collect()).await.unwrap();
    }
    let span = settled(&history, &[], |span| span.oldest > 100).await;
    let oldest = wait_for("the trimming is told", told).await.unwrap();
    assert!(oldest <= span.oldest, "told {oldest}, but {} is kept", span.oldest);
}

/// A tail that begins below the oldest record reports that, and returns the kept records.
pub async fn a_tail_from_below_the_oldest_goes_on_there<E: Engine>() {
    let engine = E::start().await;
    let history = engine.open(Some(50)).await;
    for n in 0..40 {
        history.append((0..10).map(|m| entry("a", n * 10 + m)).collect()).await.unwrap();
    }
    let span = settled(&history, &[], |span| span.oldest > 100).await;
    let mut tail: Tail = Box::pin(history.tail(3));
    let oldest = wait_for("the trimming is told", async {
        loop {
            match tail.next().await.expect("the tail ended") {
                Ok(TailEvent::Trimmed { oldest }) => return oldest,
                Ok(TailEvent::Record(record)) => panic!("{:?} before that", record.cursor),
                _ => {}
            }
        }
    })
    .await;
    assert!(oldest <= span.oldest.max(4), "told {oldest}, but {} is kept", span.oldest);
    assert_eq!(first_record(&mut tail).await.cursor.seq(), oldest);
}
