//! Answers to clients that cannot read event streams.

use std::time::Duration;

use serde_json::{Value, json};
use sse_core::Event;

use crate::{
    App, Outcome, PAGE, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// Sends one poll; `None` is a new reader.
async fn poll(server: &Server, cursor: Option<&str>) -> Outcome<Value> {
    let target = cursor.map_or_else(String::new, |cursor| format!("&last_event_id={cursor}"));
    let request = Request::get(format!("/events?topic=a{target}")).header("Accept", "application/json");
    let mut answer = server.send(request).await?;
    answer.to_end().await?;
    ensure_eq!(answer.status(), 200);
    ensure_eq!(answer.header("content-type"), Some("application/json"));
    ensure_eq!(answer.header("cache-control"), Some("no-store, no-transform"));
    Ok(serde_json::from_slice(answer.body())?)
}

fn message(data: &str, id: &str) -> Value {
    json!({ "type": "message", "data": data, "lastEventId": id })
}

/// The same handler answers with the available events, or with the next one, and with the cursor for the next poll.
pub async fn g4_long_polls_get_everything_once(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::default()).await?;
    server.publish("a", "before").await?;
    let head = server.hub.stats().head.to_string();
    let new = poll(&server, None).await?;
    ensure_eq!(new, json!({ "events": [], "cursor": head }));
    let mut expected = Vec::new();
    for data in ["one", "two\nlines \"é\"", "three"] {
        expected.push(message(data, &server.publish("a", data).await?.cursor.to_string()));
    }
    let page = poll(&server, Some(&head)).await?;
    let last = expected.last().and_then(|event| event["lastEventId"].as_str()).unwrap_or_default().to_owned();
    ensure_eq!(page, json!({ "events": expected, "cursor": last }));
    // Only events for others come for a while; the cursor advances.
    let other = server.publish("b", "not yours").await?.cursor.to_string();
    let idle = poll(&server, Some(&last)).await?;
    ensure_eq!(idle, json!({ "events": [], "cursor": other }));
    // An event that comes while a poll waits.
    let publish = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.publish("a", "next").await
    };
    let (page, receipt) = tokio::join!(poll(&server, Some(&other)), publish);
    let next = receipt?.cursor.to_string();
    ensure_eq!(page?, json!({ "events": [message("next", &next)], "cursor": next }));
    // The cursor is also valid for the stream.
    let mut reader = server.stream(Request::get("/events?topic=a").after(&last)).await?;
    let told = reader.until_told(1).await?;
    ensure!(told.first().is_some_and(|told| told.data == "next" && told.id == next), "{told:?}");
    Ok(())
}

/// A gap is the first event, a finish the last one, and then comes 204.
pub async fn long_polls_are_told_gaps_and_ends(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::default()).await?;
    let gap = poll(&server, Some("nonsense")).await?;
    ensure_eq!(gap["events"][0]["type"], "sse.gap");
    let cursor = gap["cursor"].as_str().unwrap_or_default();
    ensure_eq!(gap["events"][0]["lastEventId"], *cursor);
    let finish = server.hub.finish("a").await?.cursor.to_string();
    let end = json!({ "type": "sse.end", "data": r#"{"topic":"a"}"#, "lastEventId": finish });
    ensure_eq!(poll(&server, Some(cursor)).await?, json!({ "events": [end], "cursor": finish }));
    let again = Request::get("/events?topic=a").after(&finish).header("Accept", "application/json");
    let mut again = server.send(again).await?;
    again.to_end().await?;
    ensure_eq!(again.status(), 204);
    Ok(())
}

/// Without `Accept` in `Vary`, a cache, or a browser that goes back, shows one client a response written for another.
pub async fn h2_every_negotiated_answer_names_accept(app: &dyn App) -> Outcome {
    // With keep-alives, by which Rocket and Poem notice that a reader has left.
    let server = Server::start(app, Settings { max_readers: 1, ..Settings::default() }).await?;
    let asked = |accept: &str| Request::get("/events?topic=a").header("Accept", accept);
    let negotiated = async |request: Request, status: u16, caching: &str| {
        let answer = server.send(request).await?;
        ensure_eq!(answer.status(), status);
        ensure_eq!(answer.header("vary"), Some("accept"));
        ensure_eq!(answer.header("cache-control"), Some(caching));
        Outcome::Ok(answer)
    };
    let let_in = async || server.wait_for("the reader to go", |hub| hub.stats().readers.is_empty()).await;
    for (accept, caching) in [
        ("text/event-stream", "no-cache, no-transform"),
        ("*/*", "no-cache, no-transform"),
        ("application/x-ndjson", "no-store, no-transform"),
        ("application/json", "no-store, no-transform"),
    ] {
        drop(negotiated(asked(accept), 200, caching).await?);
        let_in().await?;
    }
    negotiated(asked("image/png"), 406, "no-store").await?;
    // Over the limit: an `EventSource` does not get an error status.
    let reader = server.stream(asked("text/event-stream")).await?;
    negotiated(asked("text/event-stream"), 200, "no-cache, no-transform").await?;
    negotiated(asked("application/json"), 503, "no-store, no-transform").await?;
    negotiated(asked("*/*"), 503, "no-store, no-transform").await?;
    drop(reader);
    let_in().await?;
    let end = server.hub.finish("a").await?.cursor.to_string();
    negotiated(asked("application/json").after(&end), 204, "no-cache, no-transform").await?;
    negotiated(asked("text/event-stream").after(&end), 204, "no-cache, no-transform").await?;
    Ok(())
}

/// Tests the headers of clients that name JSON beside anything else, and of those that name nothing.
pub async fn h3_the_form_that_is_named_wins(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    for (accept, content_type) in [
        ("application/json, text/plain, */*", "application/json"),
        ("application/x-ndjson, */*", "application/x-ndjson"),
        ("text/event-stream, */*", "text/event-stream"),
        ("*/*", "text/event-stream"),
        ("application/json, text/event-stream", "text/event-stream"),
    ] {
        let answer = server.send(Request::get("/events?topic=a").header("Accept", accept)).await?;
        ensure_eq!((accept, answer.header("content-type")), (accept, Some(content_type)));
    }
    let answer = server.get("/events?topic=a").await?;
    ensure_eq!(answer.header("content-type"), Some("text/event-stream"));
    Ok(())
}

/// Every event of the stream, one JSON text per line.
pub async fn json_lines_say_what_the_stream_says(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let first = server.publish("a", "one").await?.cursor.to_string();
    let accept = "application/x-ndjson, application/json;q=0.5";
    let request = Request::get("/events?topic=a&start=earliest").header("Accept", accept);
    let mut reader = server.send(request).await?;
    ensure_eq!(reader.status(), 200);
    ensure_eq!(reader.header("content-type"), Some("application/x-ndjson"));
    ensure_eq!(reader.header("x-accel-buffering"), Some("no"));
    reader.until_text("one").await?;
    let event = Event::message("é\ntwo").event("note").retry(Duration::from_millis(7_000));
    let second = server.hub.publish("a", event).await?.cursor.to_string();
    let end = server.hub.finish("a").await?.cursor.to_string();
    reader.to_end().await?;
    let text = reader.text();
    let mut lines = text.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
    let retry = lines.first().and_then(|line| line["retry"].as_u64());
    ensure!(retry.is_some_and(|retry| (2_000..=4_000).contains(&retry)), "begins with {text:?}");
    let place: Value = lines.drain(..2).next_back().unwrap_or_default();
    ensure!(place["type"] == "sse.checkpoint" && place["data"] == "", "the second line is {place}");
    let note = json!({ "type": "note", "data": "é\ntwo", "lastEventId": second });
    let end = json!({ "type": "sse.end", "data": r#"{"topic":"a"}"#, "lastEventId": end });
    // The event itself decides whether its `retry` comes before or after it.
    lines.retain(|line| line["retry"] != 7_000);
    ensure_eq!(lines, [message("one", &first), note, end]);
    Ok(())
}

/// A browser that follows a link gets HTML, every other client the stream.
pub async fn one_route_answers_a_page_or_a_stream(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    for accept in ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"] {
        let mut page = server.send(Request::get("/page?topic=a").header("Accept", accept)).await?;
        page.to_end().await?;
        ensure_eq!(page.status(), 200);
        ensure_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        ensure_eq!(page.header("vary"), Some("accept"));
        ensure_eq!(page.text(), PAGE);
    }
    for accept in ["text/event-stream", "*/*", "text/*"] {
        let stream = server.stream(Request::get("/page?topic=a").header("Accept", accept)).await?;
        ensure_eq!(stream.header("content-type"), Some("text/event-stream"));
    }
    Ok(())
}

/// Without the opt-in every client gets the stream, unless it excludes streams: the clients of some streaming APIs send
/// `Accept: application/json` for everything.
pub async fn without_fallbacks_every_client_gets_the_stream(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let asked = |accept: &str| Request::get("/events?topic=a&on=streams").header("Accept", accept);
    for accept in
        ["application/json", "application/json, text/plain, */*", "application/x-ndjson", "image/png"]
    {
        let mut reader = server.stream(asked(accept)).await?;
        ensure_eq!((accept, reader.header("content-type")), (accept, Some("text/event-stream")));
        ensure_eq!(reader.header("vary"), Some("accept"));
        server.publish("a", accept).await?;
        let told = reader.until_told(1).await?;
        ensure!(told.len() == 1 && told[0].data == accept, "{told:?}");
    }
    for accept in ["text/event-stream;q=0", "text/*;q=0, */*", "*/*;q=0, application/json"] {
        let answer = server.send(asked(accept)).await?;
        ensure_eq!((accept, answer.status(), answer.header("vary")), (accept, 406, Some("accept")));
    }
    Ok(())
}
