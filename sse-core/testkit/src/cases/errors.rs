//! Errors, and how they are reported.

use sse_core::{EndReason, Event};

use crate::{
    App, Ending, Exchange, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// Earlier events are delivered, then a long `retry`, so that no browser reloads the same error quickly, and a
/// clean end.
pub async fn an_invalid_event_ends_the_stream_after_earlier_ones(app: &dyn App) -> Outcome {
    for wrong in [Event::message("wrong").id("a\nb"), Event::message("wrong").event("a\rb"), Event::default()]
    {
        let script = [Event::message("one"), Event::message("two"), wrong, Event::message("three")];
        let mut server = Server::start(app, Settings::scripted(script)).await?;
        failed_after_two(&mut server, "/script").await?;
    }
    Ok(())
}

/// The error of a stream of results has the same effect.
pub async fn a_stream_that_fails_ends_after_what_came_before(app: &dyn App) -> Outcome {
    let script = [Event::message("one"), Event::message("two")];
    let mut server = Server::start(app, Settings::scripted(script)).await?;
    let end = failed_after_two(&mut server, "/failing").await?;
    ensure!(end.contains("the source broke"), "the hook was told {end}");
    Ok(())
}

/// In the application's stream, in a task that feeds a channel, in a filter, a key or the loader of a state: earlier
/// events are delivered, and the connection is not cut.
pub async fn h7_a_panic_ends_the_stream_as_an_error_does(app: &dyn App) -> Outcome {
    let script = [Event::message("one"), Event::message("two")];
    let settings = Settings { panics: true, ..Settings::scripted(script) };
    let mut server = Server::start(app, settings).await?;
    let end = failed_after_two(&mut server, "/failing").await?;
    ensure!(end.contains("the source broke"), "the hook was told {end}");

    let mut answer = server.send(Request::post("/complete", "one two boom")).await?;
    answer.to_end().await?;
    failed(&mut server, &answer, &["one ", "two "]).await?;

    for code in ["bad_filter", "bad_key"] {
        // Live, and then replayed.
        let topic = code.replace('_', ".");
        let target = format!("/events?topic={topic}&start=earliest&on={code}");
        let mut live = server.stream(Request::get(&target)).await?;
        for (count, data) in (1..).zip(["one", "two"]) {
            server.publish(&topic, data).await?;
            live.until_told(count).await?;
        }
        server.publish(&topic, "boom").await?;
        server.publish(&topic, "after").await?;
        live.to_end().await?;
        failed(&mut server, &live, &["one", "two"]).await?;
        let mut replayed = server.send(Request::get(&target)).await?;
        replayed.to_end().await?;
        failed(&mut server, &replayed, &["one", "two"]).await?;
    }
    for code in ["bad_loader", "bad_state"] {
        let mut answer = server.send(Request::get(format!("/events?topic=a&on={code}"))).await?;
        answer.to_end().await?;
        failed(&mut server, &answer, &[]).await?;
    }
    // Other readers are not affected.
    let mut reader = server.stream(Request::get("/events?topic=a")).await?;
    server.publish("a", "unharmed").await?;
    reader.until_text("data: unharmed\n").await
}

/// The stream ended with these messages, a long `retry` and a clean end, and the hook got the reason.
async fn failed(server: &mut Server, answer: &Exchange, messages: &[&str]) -> Outcome {
    ensure_eq!(answer.status(), 200);
    ensure_eq!(answer.ending(), Some(Ending::Clean));
    let told = answer.told();
    let told = told.iter().filter(|told| told.event == "message").map(|told| &*told.data);
    ensure_eq!(told.collect::<Vec<_>>(), messages);
    ensure!(answer.text().ends_with("\nretry: 30000\n"), "{:?}", answer.text());
    let end = server.ended().await?.end;
    ensure!(matches!(end, EndReason::Error(_)), "the hook was told {end} instead of error");
    Ok(())
}

/// An `EventSource` comes back later, every other client gets a status, and the server continues.
pub async fn h7_a_panic_of_the_access_hook_is_answered(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let of = |tenant: &str, request: Request| request.header("X-Tenant", tenant);
    let get = |accept: &str| Request::get("/mounted?topic=news").header("Accept", accept);
    let mut stream = server.send(of("boom", get("text/event-stream"))).await?;
    stream.to_end().await?;
    ensure_eq!((stream.status(), stream.ending()), (200, Some(Ending::Clean)));
    ensure!(stream.text().ends_with("\nretry: 30000\n"), "{:?}", stream.text());
    refused(&mut server.send(of("boom", get("application/json"))).await?, 503, "failed").await?;
    let publish = Request::post("/mounted?topic=tenant.boom.x", "x");
    refused(&mut server.send(of("boom", publish)).await?, 500, "failed").await?;
    ensure_eq!(server.send(of("acme", get("text/event-stream"))).await?.status(), 200);
    Ok(())
}

async fn failed_after_two(server: &mut Server, target: &str) -> Outcome<String> {
    let mut answer = server.get(target).await?;
    answer.to_end().await?;
    let text = answer.text();
    let (_, rest) = text.split_once('\n').unwrap_or_default();
    ensure_eq!(rest, "data: one\n\ndata: two\n\nretry: 30000\n");
    let ended = server.ended().await?;
    ensure_eq!(ended.events, 2);
    match ended.end {
        EndReason::Error(error) => Ok(error.to_string()),
        end => Err(crate::Failed::new(format!("the hook was told {end} instead of error"))),
    }
}

/// A bad topic gets 400, with JSON that explains what to do.
pub async fn g14_a_bad_topic_is_400_with_json(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let long = "x".repeat(257);
    for topic in ["a..b", "", ".", "a.", "pri*ces", "a.%3E.b", &long] {
        let mut answer = server.get(&format!("/events?topic={topic}")).await?;
        refused(&mut answer, 400, "topic").await?;
    }
    let mut answer = server.get("/events").await?;
    refused(&mut answer, 400, "at least one").await?;
    let many: String = (0..101).map(|n| format!("&topic=t{n}")).collect();
    let mut answer = server.get(&format!("/events?{many}")).await?;
    refused(&mut answer, 400, "100").await
}

/// A page or a plain client may accept anything; a client that names types without the stream's type is refused.
pub async fn accept_decides_between_a_stream_and_406(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    for accept in ["image/png", "text/html, application/xhtml+xml", "text/*;q=0, */*;q=0"] {
        let mut answer = server.send(Request::get("/events?topic=a").header("Accept", accept)).await?;
        refused(&mut answer, 406, "text/event-stream").await?;
    }
    for accept in
        ["text/event-stream", "text/html,*/*", "text/html,*/*;q=0.8", "text/*", "", "TEXT/Event-Stream"]
    {
        let answer = server.send(Request::get("/events?topic=a").header("Accept", accept)).await?;
        ensure!(answer.status() == 200, "accept {accept:?}: {}", answer.head());
    }
    let twice = Request::get("/events?topic=a").header("Accept", "text/html");
    let answer = server.send(twice.header("Accept", "text/event-stream")).await?;
    ensure_eq!(answer.status(), 200);
    let absent = server.get("/events?topic=a").await?;
    ensure_eq!(absent.status(), 200);
    Ok(())
}

/// The handler refuses an invalid event with `?`; a valid event gets the receipt.
pub async fn publish_says_what_is_wrong(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let publish = |target: &str| Request::post(target, "text");
    for (target, says) in [
        ("/publish?topic=a.*", "wildcard"),
        ("/publish?topic=a..b", "topic"),
        ("/publish", "at least one"),
        ("/publish?topic=a&event=sse.gap", "sse."),
        ("/publish?topic=a&event=", "event type"),
        ("/finish?topic=a.*", "wildcard"),
        ("/finish?topic=a&topic=b", "1"),
    ] {
        let mut answer = server.send(publish(target)).await?;
        refused(&mut answer, 400, says).await?;
    }
    let mut reader = server.stream(Request::get("/events?topic=a")).await?;
    let mut answer = server.send(publish("/publish?topic=a&event=e")).await?;
    answer.to_end().await?;
    ensure_eq!(answer.status(), 200);
    let told = reader.until_told(1).await?;
    let id = told.first().map(|told| told.id.clone()).unwrap_or_default();
    ensure_eq!(answer.text(), format!("{{\"id\":\"{id}\",\"receivers\":1}}"));
    Ok(())
}

/// The response is refused with this status and `{"error":"…"}`, whose message contains the expected text.
pub(crate) async fn refused(answer: &mut Exchange, status: u16, says: &str) -> Outcome {
    answer.to_end().await?;
    ensure_eq!(answer.status(), status);
    ensure_eq!(answer.header("content-type"), Some("application/json"));
    let json: serde_json::Value = serde_json::from_slice(answer.body())?;
    let only = json.as_object().filter(|object| object.len() == 1);
    let error = only.and_then(|object| object.get("error")).and_then(serde_json::Value::as_str);
    ensure!(error.is_some_and(|error| error.contains(says)), "{json} should say {says:?}");
    Ok(())
}
