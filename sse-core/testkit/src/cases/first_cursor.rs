//! A reader has a cursor from its first bytes: cut before its first event, it misses nothing.

use std::time::Duration;

use serde_json::Value;
use sse_core::KeepAlive;

use super::{compress::unzipped, refusals::browser, wire::is_retry};
use crate::{
    App, Exchange, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// Without keep-alives, which would carry a cursor too.
fn silent() -> Settings {
    Settings { keep_alive: None, ..Settings::quiet() }
}

/// The id in a stream's first block, which holds only a `retry` line and a checkpoint.
fn first_cursor(text: &str) -> Outcome<String> {
    let (first, _) = text.split_once("\n\n").unwrap_or_default();
    let lines: Vec<_> = first.lines().collect();
    let [retry, "event: sse.checkpoint", "data: ", id] = &lines[..] else {
        return Err(crate::Failed::new(format!("begins with {text:?}")));
    };
    ensure!(is_retry(retry), "begins with {text:?}");
    Ok(id.strip_prefix("id: ").unwrap_or_default().to_owned())
}

/// Every kind of subscription gets the requested events and those published meanwhile, once and without a gap.
pub async fn g4_a_reader_cut_before_its_first_event_misses_nothing(app: &dyn App) -> Outcome {
    for (query, before) in [
        ("topic=a", &[][..]),
        ("topic=a&topic=b", &[]),
        ("topic=%3E", &[]),
        ("topic=a&topic=b&start=earliest", &["0", "1", "2"]),
        ("topic=a&topic=b&start=2", &["1", "2"]),
        ("topic=never.used", &[]),
        ("topic=a&as=ann&on=conflate", &[]),
    ] {
        let server = Server::start(app, silent()).await?;
        for (topic, data) in [("a", "0"), ("b", "1"), ("a", "2")] {
            server.publish(topic, data).await?;
        }
        let target = format!("/events?{query}");
        let mut cut = server.stream(Request::get(&target)).await?;
        cut.until_text("\n\n").await?;
        let cursor = first_cursor(&cut.text())?;
        drop(cut);
        let topic = if query.contains("never") { "never.used" } else { "a" };
        server.publish(topic, "while it is away").await?;
        server.publish("c", "of others").await?;
        let mut back = server.stream(Request::get(&target).after(&cursor)).await?;
        ensure!(back.header("sse-gap").is_none(), "{query}: {}", back.head());
        server.publish(topic, "live").await?;
        back.until_text("data: live\n").await?;
        let told = back.told();
        let data: Vec<_> = told.iter().map(|told| &*told.data).filter(|data| *data != "of others").collect();
        ensure!(data == [before, &["while it is away", "live"]].concat(), "{query}: {data:?}");
        ensure!(back.checkpoints().is_empty(), "{query}: {:?}", back.text());
    }
    Ok(())
}

/// Lines of JSON, a poll's page and a compressed stream have a cursor too.
pub async fn g4_every_form_begins_with_a_cursor(app: &dyn App) -> Outcome {
    let server = Server::start(app, silent()).await?;
    server.publish("a", "before").await?;
    let head = server.hub.stats().head.to_string();
    let as_json = |accept| Request::get("/events?topic=a").header("Accept", accept);
    let mut lines = server.send(as_json("application/x-ndjson")).await?;
    lines
        .until("two lines", |lines| lines.text().lines().count() == 2 && lines.text().ends_with('\n'))
        .await?;
    let line: Value = serde_json::from_str(lines.text().lines().last().unwrap_or_default())?;
    ensure_eq!((&line["type"], &line["lastEventId"]), (&"sse.checkpoint".into(), &head.as_str().into()));
    let mut page = server.send(as_json("application/json")).await?;
    page.to_end().await?;
    let page: Value = serde_json::from_slice(page.body())?;
    ensure_eq!(page, serde_json::json!({ "events": [], "cursor": head }));
    let gzip = Request::get("/compressed?topic=a").header("Accept-Encoding", "gzip");
    let mut compressed = server.send(gzip).await?;
    compressed.until("a block", |reader| unzipped(reader.body()).text.ends_with("\n\n")).await?;
    ensure_eq!(first_cursor(&unzipped(compressed.body()).text)?, head);
    Ok(())
}

/// The reader keeps its own cursor, or its first event is the gap that gives it another one.
pub async fn a_reader_with_a_cursor_begins_without_a_checkpoint(app: &dyn App) -> Outcome {
    let server = Server::start(app, silent()).await?;
    let id = server.publish("a", "before").await?.cursor.to_string();
    let mut exact = server.stream(Request::get("/events?topic=a").after(&id)).await?;
    let mut lost = server.stream(Request::get("/events?topic=a").after("elsewhere")).await?;
    server.publish("a", "after").await?;
    for reader in [&mut exact, &mut lost] {
        reader.until_text("data: after\n").await?;
        ensure!(reader.checkpoints().is_empty(), "{:?}", reader.text());
    }
    ensure_eq!(exact.told().len(), 1);
    ensure_eq!(lost.told().first().map(|told| &*told.event), Some("sse.gap"));
    Ok(())
}

/// A reader of a state has no cursor until its state is complete: a cursor would skip the rest of the state.
pub async fn a_state_comes_before_the_first_cursor(app: &dyn App) -> Outcome {
    let settings = Settings { keep_alive: Some(KeepAlive::every(Duration::from_millis(100))), ..silent() };
    let server = Server::start(app, settings).await?;
    server.add(3).await?;
    let mut reader = server.stream(Request::get("/events?topic=sum&on=state")).await?;
    reader.until_text("event: state\n").await?;
    let before = reader.text().split_once("data: 3\n").map(|(before, _)| before.to_owned());
    ensure!(before.as_deref().is_some_and(|before| before.lines().all(is_retry)), "{:?}", reader.text());
    ensure_eq!(reader.last_event_id(), server.hub.stats().head.to_string());
    Ok(())
}

/// A reader over the limit: after it is admitted it gets the events since, unless it never asked for a stream.
pub async fn g4_a_refused_reader_misses_nothing(app: &dyn App) -> Outcome {
    // With keep-alives, by which some servers notice that a reader has left.
    let server = Server::start(app, Settings { max_readers: 1, ..Settings::default() }).await?;
    server.publish("a", "before").await?;
    let first = server.stream(Request::get("/events?topic=b")).await?;
    let mut cursors = Vec::new();
    for target in ["/events?topic=a", "/events?topic=%3E", "/events?topic=a&start=1"] {
        let mut refused = server.send(browser(target)).await?;
        refused.to_end().await?;
        cursors.push((target, first_cursor(&refused.text())?));
        // A refused reader that has a cursor keeps it.
        let mut refused = server.send(browser(target).after("elsewhere")).await?;
        refused.to_end().await?;
        ensure!(refused.text().lines().all(is_retry), "{:?}", refused.text());
    }
    server.publish("a", "meanwhile").await?;
    drop(first);
    for (target, cursor) in cursors {
        server.wait_for("the reader before to go", |hub| hub.stats().readers.is_empty()).await?;
        let mut reader = server.stream(browser(target).after(&cursor)).await?;
        reader.until_text("data: meanwhile\n").await?;
        let data: Vec<_> = reader.told().into_iter().map(|told| told.data).collect();
        let expected: &[&str] =
            if target.ends_with("=1") { &["before", "meanwhile"] } else { &["meanwhile"] };
        ensure!(data == expected, "{target}: {data:?}");
        drop(reader);
    }
    Ok(())
}

/// A reader has a cursor whether it was admitted before the shutdown or comes during it, and even if no event came.
pub async fn g13_readers_in_a_shutdowns_window_have_a_cursor(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings { window: Duration::from_secs(1), ..silent() }).await?;
    let head = server.publish("a", "before").await?.cursor.to_string();
    let mut readers: Vec<Exchange> = Vec::new();
    for _ in 0..3 {
        readers.push(server.stream(Request::get("/events?topic=a")).await?);
    }
    let shutdown = server.shutdown.clone();
    let late = server.send(Request::get("/late?topic=a"));
    let notify = async {
        // The request must be on its way before the server stops accepting.
        tokio::time::sleep(Duration::from_millis(200)).await;
        shutdown.notify();
    };
    let (late, ()) = tokio::join!(late, notify);
    readers.push(late?);
    for reader in &mut readers {
        reader.to_end().await?;
        ensure_eq!(first_cursor(&reader.text())?, head);
        ensure!(reader.text_after_first_checkpoint().lines().all(is_retry), "{:?}", reader.text());
    }
    Ok(())
}
