//! State and then its changes, under one cursor; and readers that want only the latest event of each key.

use sse_core::{Cursor, Retention, history::Epoch};

use super::topics::said;
use crate::{
    App, Exchange, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// More than the buffers of a connection on one machine hold.
const EVENTS: usize = 50;
const EVENT_BYTES: usize = 256 << 10;

fn of_sum() -> Request {
    Request::get("/events?topic=sum&on=state")
}

/// The state carries its position; a reader that resumes after it, or after a change, gets only changes.
pub async fn a_new_reader_gets_the_state_then_the_changes(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    for number in 1..=2 {
        server.add(number).await?;
    }
    let third = server.add(3).await?;
    // The head advances, and the state does not change.
    server.publish("other", "x").await?;
    let mut reader = server.stream(of_sum()).await?;
    let told = reader.until_told(1).await?;
    ensure_eq!(said(&told), [("state", "6")]);
    ensure_eq!(told[0].id, third);
    let fourth = server.add(4).await?;
    let told = reader.until_told(2).await?;
    ensure_eq!((said(&told)[1], &told[1].id), (("message", "4"), &fourth));
    drop(reader);
    server.add(5).await?;
    let changes = [("message", "4"), ("message", "5")];
    for (cursor, expected) in [(&third, &changes[..]), (&fourth, &changes[1..])] {
        let mut again = server.stream(of_sum().after(cursor)).await?;
        let told = again.until_told(expected.len()).await?;
        ensure_eq!(said(&told), expected);
        ensure_eq!(again.header("sse-gap"), None);
    }
    Ok(())
}

/// The gap has no id, so a reader that is cut off before it gets the state gets both again.
pub async fn g4_after_a_gap_the_state_comes_again_under_the_same_cursor(app: &dyn App) -> Outcome {
    let settings = Settings { retention: Retention::default().events(3), ..Settings::quiet() };
    let server = Server::start(app, settings).await?;
    let first = server.add(1).await?;
    let mut last = String::new();
    for number in 2..=10 {
        last = server.add(number).await?;
    }
    let foreign = Cursor::new(Epoch::random(), 2).to_string();
    for (cursor, reason) in [(&first, "trimmed"), (&foreign, "epoch")] {
        let mut reader = server.stream(of_sum().after(cursor)).await?;
        let told = reader.until_told(2).await?;
        ensure!(told[0].event == "sse.gap" && told[0].id.is_empty(), "{told:?}");
        let gap: serde_json::Value = serde_json::from_str(&told[0].data)?;
        ensure_eq!((&gap["reason"], &gap["requested"]), (&reason.into(), &cursor.as_str().into()));
        ensure!(reader.header("sse-gap").is_some_and(|gap| gap.contains(reason)), "{}", reader.head());
        ensure_eq!((said(&told)[1], &told[1].id), (("state", "55"), &last));
    }
    // What follows, on this connection and on the next.
    let mut reader = server.stream(of_sum().after(&first)).await?;
    reader.until_told(2).await?;
    let eleventh = server.add(11).await?;
    let told = reader.until_told(3).await?;
    ensure_eq!((said(&told)[2], &told[2].id), (("message", "11"), &eleventh));
    let mut again = server.stream(of_sum().after(&last)).await?;
    let told = again.until_told(1).await?;
    ensure_eq!(said(&told), [("message", "11")]);
    Ok(())
}

/// The latest events come in order, each once; a reader that keeps up gets every event.
pub async fn a_reader_that_is_behind_gets_the_latest_of_each_key(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let prices = || Request::get("/events?topic=prices.*&on=conflate");
    let mut keeping_up = server.stream(prices()).await?;
    let told = [("eur", "1"), ("usd", "1"), ("eur", "2"), ("gbp", "1"), ("eur", "3"), ("usd", "2")];
    let mut ids = Vec::new();
    for (count, (key, price)) in (1..).zip(told) {
        ids.push(
            server.publish(&format!("prices.{key}"), &format!("{key} {price}")).await?.cursor.to_string(),
        );
        keeping_up.until_told(count).await?;
    }
    let all: Vec<_> = keeping_up.told().into_iter().map(|told| told.data).collect();
    ensure_eq!(all, told.map(|(key, price)| format!("{key} {price}")));
    // An event that was left out before a cursor is replaced by one after it.
    for (after, expected) in
        [(0, &["gbp 1", "eur 3", "usd 2"][..]), (3, &["eur 3", "usd 2"]), (4, &["usd 2"])]
    {
        let mut behind = server.stream(prices().after(&ids[after])).await?;
        let told = behind.until_told(expected.len()).await?;
        ensure!(told.iter().map(|told| &*told.data).eq(expected.iter().copied()), "{told:?}");
        ensure_eq!(told.last().map(|told| &told.id), ids.last());
        server.hub.signal("prices.eur", sse_core::Event::message("next"))?;
        let told = behind.until_told(expected.len() + 1).await?;
        ensure_eq!(told[expected.len()].data, "next");
    }
    Ok(())
}

/// Only events that wait while the connection is full are reduced to the latest of each key.
pub async fn a_reader_that_reads_slowly_gets_the_latest_of_each_key(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mut slow = server.send(Request::get("/events?topic=prices.*&on=conflate").narrow()).await?;
    let mut healthy = server.stream(Request::get("/events?topic=prices.*")).await?;
    let padding = "x".repeat(EVENT_BYTES);
    for n in 1..=EVENTS {
        server.publish(&format!("prices.{}", n % 3), &format!("{n} {padding}")).await?;
        healthy.until("a large event", |healthy| healthy.body().len() > n * EVENT_BYTES).await?;
    }
    let last = server.hub.stats().head.to_string();
    slow.until("the last event", |slow| slow.body().ends_with(format!("id: {last}\n\n").as_bytes())).await?;
    let numbers = |exchange: &Exchange| -> Vec<usize> {
        let data = exchange.told().into_iter().map(|told| told.data);
        data.filter_map(|data| data.split(' ').next()?.parse().ok()).collect()
    };
    let (told, all) = (numbers(&slow), numbers(&healthy));
    ensure!(all.iter().copied().eq(1..=EVENTS), "a reader that keeps up was told {all:?}");
    ensure!(told.len() < EVENTS && told.is_sorted(), "{told:?}");
    ensure_eq!(told[told.len() - 3..], [EVENTS - 2, EVENTS - 1, EVENTS]);
    ensure!(!slow.text().contains("sse.gap"), "there is a gap");
    Ok(())
}
