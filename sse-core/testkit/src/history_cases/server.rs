//! An engine that is a separate process, and is down for a while.

use std::time::Duration;

use futures_util::StreamExt;
use sse_core::{
    Event, EventStream, Hub, Start,
    error::PublishError,
    history::{History, HistoryErrorKind, TailEvent},
};

use super::{Engine, appended, data, entry, next, steps::Tail, texts, wait_for};

/// Nothing hangs, and the error reports whether the event may have been kept.
pub async fn an_append_while_it_is_away_fails_at_once_and_says_so<E: Engine>() {
    let mut engine = E::start().await;
    let history = engine.open(None).await;
    appended(&history, entry("a", 1)).await;
    engine.kill().await;
    // The connection may still look open to the first append.
    let error = wait_for("an answer", history.append(vec![entry("a", 2)])).await.unwrap_err();
    assert!(matches!(error.kind(), HistoryErrorKind::Unavailable | HistoryErrorKind::Uncertain), "{error}");
    let error = wait_for("an answer", history.append(vec![entry("a", 3)])).await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Unavailable, "{error}");
    assert!(wait_for("an answer", history.read(0, 1, usize::MAX)).await.is_err());
    assert!(wait_for("an answer", history.bounds(&[])).await.is_err());
    assert!(wait_for("an answer", history.signal(entry("a", "s"))).await.is_err());
    engine.revive().await;
    wait_for("it answers again", async {
        while history.append(vec![entry("a", 4)]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let kept = texts(&history.read(0, 10, usize::MAX).await.unwrap());
    assert_eq!((kept.first().map(|text| &**text), kept.last().map(|text| &**text)), (Some("1"), Some("4")));
    assert!(!kept.contains(&"3".to_owned()), "what failed as not kept was kept: {kept:?}");
}

/// The tail reports that the engine is down and that it is back, and continues where it was.
pub async fn a_tail_outlives_the_engine<E: Engine>() {
    let mut engine = E::start().await;
    let history = engine.open(None).await;
    let mut epochs = history.bounds(&[]).await.unwrap().epochs;
    let mut tail: Tail = Box::pin(history.tail(0));
    let mut expected = 1;
    for round in 0..3 {
        engine
            .open(None)
            .await
            .append((0..4).map(|n| entry("a", format!("{round}.{n}"))).collect())
            .await
            .unwrap();
        let mut away = false;
        while expected <= (round + 1) * 4 {
            match wait_for("a change", tail.next()).await.expect("the tail ended") {
                Ok(TailEvent::Record(record)) => {
                    assert_eq!(record.cursor.seq(), expected);
                    assert_eq!(record.cursor.epoch(), epochs.at(expected));
                    expected += 1;
                }
                Ok(TailEvent::EpochTable(table)) => {
                    let differs = |seq: &u64| table.at(*seq) != epochs.at(*seq);
                    assert_eq!((1..expected).find(differs), None, "{table:?} replaces what was reported");
                    epochs = table;
                }
                _ => {}
            }
        }
        engine.kill().await;
        let mut revived = false;
        loop {
            match wait_for("it is away and back", tail.next()).await.expect("the tail ended") {
                Err(_) => away = true,
                Ok(TailEvent::Recovered) if away => break,
                Ok(TailEvent::EpochTable(table)) => epochs = table,
                Ok(_) => {}
            }
            if !revived && away {
                engine.revive().await;
                revived = true;
            }
        }
    }
}

/// Live readers are not ended, and miss nothing.
pub async fn a_hub_goes_on_without_a_gap_when_the_engine_comes_back<E: Engine>() {
    let mut engine = E::start().await;
    let hub = Hub::open(engine.open(None).await).await.unwrap();
    let mut live = hub.subscribe("a").await.unwrap();
    hub.publish("a", Event::message("before")).await.unwrap();
    let before = next(&mut live).await;
    engine.kill().await;
    let error =
        wait_for("an answer", async { hub.publish("a", Event::message("lost")).await }).await.unwrap_err();
    assert!(matches!(error, PublishError::History(_)), "{error}");
    // The hub serves what the window can prove.
    let mut resumed = hub.subscribe("a").after(before.last_event_id()).await.unwrap();
    assert!(resumed.gap().is_none(), "{:?}", resumed.resume());
    engine.revive().await;
    wait_for("it answers again", async {
        while hub.publish("a", Event::message("after")).key("after").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    for reader in [&mut live, &mut resumed] {
        let mut told = data(reader, 1).await;
        if told == ["lost"] {
            told = data(reader, 1).await;
        }
        assert_eq!(told, ["after"]);
    }
}

/// A reader whose cursor the window cannot check gets 200 and an end, not an error.
pub async fn a_reader_is_told_to_come_back_while_it_is_away<E: Engine>() {
    let mut engine = E::start().await;
    let hub = Hub::builder()
        .retention(sse_core::Retention::default().events(2))
        .open(engine.open(None).await)
        .await
        .unwrap();
    let first = hub.publish("a", Event::message("0")).await.unwrap();
    for n in 1..10 {
        hub.publish("a", Event::message(n.to_string())).await.unwrap();
    }
    engine.kill().await;
    let told =
        async || wait_for("an answer", async { hub.subscribe("a").after(first.cursor).await }).await.unwrap();
    assert_eq!(EventStream::new(told().await).into_response().status().as_u16(), 200);
    let mut reader = told().await;
    assert!(reader.gap().is_none() && wait_for("the end", reader.next()).await.is_none());
    engine.revive().await;
    wait_for("the reader gets everything", async {
        loop {
            let mut reader = hub.subscribe("a").after(first.cursor).start(Start::Live).await.unwrap();
            if let Some(frame) = reader.next().await {
                assert!(frame.as_ref().starts_with(b"data: 1\n"), "{frame:?}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
