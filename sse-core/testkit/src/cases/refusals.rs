//! Readers over the limit.

use super::wire::is_retry;
use crate::{
    App, Outcome, Request, Server, Settings,
    context::MAX_READERS,
    outcome::{ensure, ensure_eq},
    query::MAX_READERS_PER_ADDRESS,
};

/// A request as an `EventSource` sends it.
pub(super) fn browser(target: &str) -> Request {
    let request = Request::get(target).header("Accept", "text/event-stream");
    request.header("Cache-Control", "no-cache").header("Sec-Fetch-Mode", "cors")
}

/// An `EventSource` gets 200, `retry`, end: any other status would stop it for good.
pub async fn g14_an_event_source_over_the_limit_is_told_to_come_back(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings { max_readers: 1, ..Settings::default() }).await?;
    let first = server.stream(Request::get("/events?topic=a")).await?;
    let mut second = server.send(browser("/events?topic=a")).await?;
    second.to_end().await?;
    ensure_eq!(second.status(), 200);
    ensure_eq!(second.header("content-type"), Some("text/event-stream"));
    let text = second.text_after_first_checkpoint();
    ensure!(!text.is_empty() && text.lines().all(is_retry), "{text:?}");
    // A reader that comes when there is room again is admitted.
    drop(first);
    server.wait_for("the first reader to go", |hub| hub.stats().readers.is_empty()).await?;
    let mut third = server.stream(browser("/events?topic=a")).await?;
    server.publish("a", "welcome").await?;
    third.until_text("data: welcome\n").await
}

/// Other clients get 503, with a jittered `Retry-After` in whole seconds.
pub async fn a_fetch_client_over_the_limit_gets_503(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings { max_readers: 1, ..Settings::quiet() }).await?;
    let _first = server.stream(Request::get("/events?topic=a")).await?;
    for accept in ["*/*", "application/json", "application/x-ndjson", "text/event-stream, application/json"] {
        let mut answer = server.send(Request::get("/events?topic=a").header("Accept", accept)).await?;
        answer.to_end().await?;
        ensure!(answer.status() == 503, "{accept}: {}", answer.head());
        ensure_eq!(answer.header("content-type"), Some("application/json"));
        ensure_eq!(answer.header("cache-control"), Some("no-store, no-transform"));
        let after = answer.header("retry-after").and_then(|after| after.parse::<u64>().ok());
        ensure!(after.is_some_and(|after| (2..=4).contains(&after)), "{}", answer.head());
        let json: serde_json::Value = serde_json::from_slice(answer.body())?;
        ensure!(json["error"].as_str().is_some_and(|error| error.contains("as many readers")), "{json}");
    }
    // A page's `fetch` sends the same headers as an `EventSource`, except this one.
    let fetch = Request::get("/events?topic=a").header("Accept", "text/event-stream");
    let answer = server.send(fetch.header("Sec-Fetch-Mode", "cors")).await?;
    ensure_eq!(answer.status(), 503);
    Ok(())
}

/// Limits count over all topics; a reader that comes after another has left is admitted.
pub async fn limits_count_for_each_principal_and_each_address(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::default()).await?;
    let of = |principal: &str, address: &str, topic: &str| {
        let target = format!("/events?topic={topic}&as={principal}&at={address}&on=limits");
        Request::get(target).header("Accept", "*/*")
    };
    let mut anns = Vec::new();
    for topic in ["a", "b"] {
        anns.push(server.stream(of("ann", "1", topic)).await?);
    }
    ensure_eq!((anns.len(), MAX_READERS_PER_ADDRESS), (MAX_READERS, MAX_READERS + 1));
    let refused = async |request| Outcome::Ok(server.send(request).await?.status() == 503);
    ensure!(refused(of("ann", "2", "c")).await?, "a third reader of one principal was let in");
    let _bob = server.stream(of("bob", "1", "a")).await?;
    ensure!(refused(of("cy", "1", "a")).await?, "a fourth reader from one address was let in");
    let _cy = server.stream(of("cy", "2", "a")).await?;
    // A refused reader takes no place.
    ensure_eq!(server.hub.readers(["a", "b", "c"])?.len(), 4);
    drop(anns.pop());
    server.wait_for("a reader to go", |hub| !hub.stats().readers.contains_key("b")).await?;
    server.stream(of("ann", "1", "c")).await?;
    Ok(())
}
