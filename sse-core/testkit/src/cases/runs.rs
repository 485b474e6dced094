//! Producers that outlive their readers.

use std::time::Duration;

use super::{errors::refused, refusals::browser, topics::said};
use crate::{
    App, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
    producer::CRASH,
};

const TARGET: &str = "/runs?topic=answer.1";
const END: (&str, &str) = ("sse.end", r#"{"topic":"answer.1"}"#);
const ABANDONED: (&str, &str) = ("sse.end", r#"{"topic":"answer.1","abandoned":true}"#);

fn read() -> Request {
    Request::get("/events?topic=answer.1&start=earliest")
}

async fn status(server: &Server, request: Request) -> Outcome<u16> {
    let mut answer = server.send(request).await?;
    answer.to_end().await?;
    Ok(answer.status())
}

/// Late readers get it from the start, then live, then its end; a reader that has the end and comes back gets 204.
pub async fn a_run_outlives_its_readers(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::default()).await?;
    ensure_eq!(status(&server, Request::post(TARGET, "a b c d e f")).await?, 202);
    let mut early = server.stream(read()).await?;
    server.let_work(2);
    let told = early.until_told(2).await?;
    ensure_eq!(said(&told), [("message", "a"), ("message", "b")]);
    drop(early);
    server.wait_for("the reader to go", |hub| hub.stats().readers.is_empty()).await?;
    // No reader is connected, and the work continues.
    server.let_work(2);
    server.wait_for("four words", |hub| hub.stats().published == 4).await?;
    let mut resumed = server.stream(read().after(&told[1].id)).await?;
    let mut late = server.stream(read()).await?;
    resumed.until_told(2).await?;
    late.until_told(4).await?;
    server.let_work(2);
    let all = ["a", "b", "c", "d", "e", "f"].map(|word| ("message", word));
    let mut last = String::new();
    for (mut reader, from) in [(resumed, 2), (late, 0)] {
        reader.to_end().await?;
        let told = reader.told();
        ensure_eq!(said(&told), [&all[from..], &[END]].concat());
        ensure_eq!(reader.header("sse-gap"), None);
        last = told.last().map(|told| told.id.clone()).unwrap_or_default();
    }
    ensure_eq!(status(&server, read().after(&last)).await?, 204);
    // A reader that comes after the end gets the run too.
    let mut later = server.send(read()).await?;
    later.to_end().await?;
    ensure_eq!(said(&later.told()), [&all[..], &[END]].concat());
    Ok(())
}

/// The producer sends a last word and finishes; no other run is stopped.
pub async fn a_stop_reaches_the_producer(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    for target in [TARGET, "/runs?topic=answer.2"] {
        ensure_eq!(status(&server, Request::post(target, "a")).await?, 202);
    }
    let mut reader = server.stream(read()).await?;
    ensure_eq!(status(&server, Request::delete(TARGET)).await?, 204);
    reader.to_end().await?;
    ensure_eq!(said(&reader.told()), [("message", "stopped"), END]);
    // The first run is over, and the other never existed.
    for target in [TARGET, "/runs?topic=answer.3"] {
        ensure_eq!(status(&server, Request::delete(target)).await?, 404);
    }
    server.let_work(1);
    let mut other = server.send(Request::get("/events?topic=answer.2&start=earliest")).await?;
    other.to_end().await?;
    ensure_eq!(said(&other.told()), [("message", "a"), ("sse.end", r#"{"topic":"answer.2"}"#)]);
    Ok(())
}

/// A run is abandoned if its producer fails or is silent for too long.
pub async fn an_abandoned_run_ends_and_says_so(app: &dyn App) -> Outcome {
    let silence = Some(Duration::from_millis(300));
    for (silence, text, allowed) in [(None, format!("a {CRASH} b"), 2), (silence, "a b".to_owned(), 1)] {
        let server = Server::start(app, Settings { silence, ..Settings::quiet() }).await?;
        ensure_eq!(status(&server, Request::post(TARGET, text.as_str())).await?, 202);
        let mut reader = server.stream(read()).await?;
        server.let_work(allowed);
        reader.to_end().await?;
        let told = reader.told();
        ensure!(said(&told) == [("message", "a"), ABANDONED], "{text}: {told:?}");
        let last = told.last().map(|told| told.id.clone()).unwrap_or_default();
        ensure_eq!(status(&server, read().after(&last)).await?, 204);
        // The run can be started again.
        ensure_eq!(status(&server, Request::post(TARGET, "again")).await?, 202);
    }
    Ok(())
}

/// A second start gets 409, and its client can read the run instead.
pub async fn a_topic_runs_once_at_a_time(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    ensure_eq!(status(&server, Request::post(TARGET, "a")).await?, 202);
    refused(&mut server.send(Request::post(TARGET, "b")).await?, 409, "runs the topic already").await?;
    refused(&mut server.send(Request::post("/runs?topic=answer.*", "b")).await?, 400, "wildcard").await?;
    server.let_work(1);
    let mut reader = server.send(read()).await?;
    reader.to_end().await?;
    ensure_eq!(said(&reader.told()), [("message", "a"), END]);
    ensure_eq!(status(&server, Request::post(TARGET, "b")).await?, 202);
    Ok(())
}

/// The answer is JSON before the first byte, for an `EventSource` too; a run is known before its first event and
/// after its end.
pub async fn an_unknown_topic_is_404_where_it_must_exist(app: &dyn App) -> Outcome {
    const EXISTING: &str = "/events?topic=answer.1&start=earliest&on=existing";
    let server = Server::start(app, Settings::quiet()).await?;
    for request in [
        Request::get(EXISTING),
        browser(EXISTING),
        browser(EXISTING).after("00000000000000ff-7"),
        Request::get(EXISTING).header("Accept", "application/json"),
        Request::get(EXISTING).header("Accept", "application/x-ndjson"),
    ] {
        refused(&mut server.send(request).await?, 404, "nothing is known of the topic `answer.1`").await?;
    }
    ensure!(server.hub.stats().readers.is_empty(), "{:?}", server.hub.stats());
    ensure_eq!(status(&server, Request::post(TARGET, "a b")).await?, 202);
    let mut reader = server.stream(browser(EXISTING)).await?;
    server.let_work(2);
    reader.to_end().await?;
    let told = reader.told();
    ensure_eq!(said(&told), [("message", "a"), ("message", "b"), END]);
    let mut late = server.send(browser(EXISTING)).await?;
    late.to_end().await?;
    ensure_eq!((late.status(), late.told().len()), (200, 3));
    ensure_eq!(status(&server, browser(EXISTING).after(&told[2].id)).await?, 204);
    Ok(())
}
