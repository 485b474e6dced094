//! A principal never receives events that it may not see.

use std::time::Duration;

use sse_core::{Event, KeepAlive};

use super::{compress::unzipped, topics::said};
use crate::{
    App, Exchange, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
    read,
};

/// A subscription under the principal's own filter.
fn of(principal: &str, more: &str) -> Request {
    Request::get(format!("/events?as={principal}&on=filter&{more}"))
}

fn messages<'a>(data: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    data.iter().map(|data| ("message", *data)).collect()
}

/// A filter applies live, after a cursor, after another principal's cursor, from the beginning, polled, and to
/// signals.
pub async fn g9_a_filter_is_the_same_live_and_by_replay(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mark = server.publish_of("ann", "orders", "mark").await?.cursor.to_string();
    let mut ann = server.stream(of("ann", "topic=orders")).await?;
    let mut bob = server.stream(of("bob", "topic=orders")).await?;
    for n in 0..6 {
        server.publish_of(["ann", "bob"][n % 2], "orders", &n.to_string()).await?;
    }
    server.hub.signal(["ann", "orders"], Event::message("typing"))?;
    let told = ann.until_told(4).await?;
    ensure_eq!(said(&told), messages(&["0", "2", "4", "typing"]));
    let id_of_anns = told[0].id.clone();
    let told = bob.until_told(3).await?;
    ensure_eq!(said(&told), messages(&["1", "3", "5"]));
    let mut readers = vec![(ann, vec!["0", "2", "4", "typing"]), (bob, vec!["1", "3", "5"])];
    for (principal, after, expected) in [
        ("ann", &mark, vec!["0", "2", "4"]),
        ("ann", &told[0].id, vec!["2", "4"]),
        ("bob", &mark, vec!["1", "3", "5"]),
        ("bob", &id_of_anns, vec!["1", "3", "5"]),
        ("bob", &String::new(), vec!["1", "3", "5"]),
    ] {
        let request = of(principal, "topic=orders&start=earliest").after(after);
        let mut poll = server.send(request.clone().header("Accept", "application/json")).await?;
        poll.to_end().await?;
        let page: serde_json::Value = serde_json::from_slice(poll.body())?;
        let events = page["events"].as_array().into_iter().flatten();
        let polled = events.filter_map(|event| event["data"].as_str());
        ensure!(polled.eq(expected.iter().copied()), "{principal} polls after {after:?}: {page}");
        readers.push((server.stream(request).await?, expected));
    }
    let compressed = Request::get("/compressed?as=bob&on=filter&topic=orders&start=earliest");
    let mut compressed = server.send(compressed.header("Accept-Encoding", "gzip")).await?;
    ensure_eq!(compressed.header("content-encoding"), Some("gzip"));
    // The event for both reaches both, and nothing else has come before it.
    server.hub.publish(["ann", "bob", "orders"], Event::message("both")).await?;
    for (mut reader, mut expected) in readers {
        expected.push("both");
        reader.until_text("data: both\n").await?;
        let told = reader.until_told(expected.len()).await?;
        ensure_eq!(said(&told), messages(&expected));
        ensure_eq!(reader.header("sse-gap"), None);
    }
    let text_of = |compressed: &Exchange| unzipped(compressed.body()).text;
    let is_told = |compressed: &Exchange| text_of(compressed).contains("data: both\n");
    compressed.until("the last event, compressed", is_told).await?;
    let mut told = read(text_of(&compressed).as_bytes());
    told.retain(|told| told.event != "sse.checkpoint");
    ensure_eq!(said(&told), messages(&["1", "3", "5", "both"]));
    Ok(())
}

/// A wildcard reader gets neither events nor ends of others, live or from the beginning.
pub async fn g9_a_wildcard_does_not_tell_the_names_of_others(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mut live = server.stream(of("ann", "topic=%3E")).await?;
    for topic in ["bob.secret", "ann.1", "bob.secret2", "ann.2"] {
        server.publish(topic, topic).await?;
        server.hub.finish(topic).await?;
    }
    let mut replayed = server.stream(of("ann", "topic=%3E&start=earliest")).await?;
    for reader in [&mut live, &mut replayed] {
        let told = reader.until_told(4).await?;
        let ends = [r#"{"topic":"ann.1"}"#, r#"{"topic":"ann.2"}"#];
        let expected =
            [("message", "ann.1"), ("sse.end", ends[0]), ("message", "ann.2"), ("sse.end", ends[1])];
        ensure_eq!(said(&told), expected);
    }
    Ok(())
}

/// The cursor advances past a withheld event in place of a keep-alive, and the event never comes back to a reader
/// that resumes after that cursor.
pub async fn rule_9_what_is_withheld_is_passed_by_checkpoints(app: &dyn App) -> Outcome {
    let keep_alive = Some(KeepAlive::every(Duration::from_millis(100)));
    let server = Server::start(app, Settings { keep_alive, ..Settings::default() }).await?;
    let mut reader = server.stream(of("ann", "topic=orders")).await?;
    server.publish_of("ann", "orders", "hers").await?;
    reader.until_text("data: hers\n").await?;
    for _ in 0..500 {
        server.publish_of("bob", "orders", "his").await?;
    }
    let head = server.hub.stats().head.to_string();
    reader.until("a checkpoint", |reader| reader.checkpoints().contains(&head)).await?;
    ensure!(!reader.text().contains("his"), "{:?}", reader.text());
    let mut again = server.stream(Request::get("/events?topic=orders").after(&head)).await?;
    server.publish_of("bob", "orders", "new").await?;
    let told = again.until_told(1).await?;
    ensure_eq!(said(&told), messages(&["new"]));
    ensure_eq!(again.header("sse-gap"), None);
    Ok(())
}
