//! The topics of a request, and finished topics.

use sse_core::Event;

use crate::{
    App, DispatchedEvent, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// Type and data of each.
pub(super) fn said(told: &[DispatchedEvent]) -> Vec<(&str, &str)> {
    told.iter().map(|told| (&*told.event, &*told.data)).collect()
}

/// A reader starts live, from the oldest retained event, or with the newest N.
pub async fn start_says_where_a_fresh_reader_begins(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    for n in ["1", "2", "3", "4"] {
        server.publish("a", n).await?;
    }
    let mut readers = Vec::new();
    for (start, expected) in [
        ("", &["5"][..]),
        ("&start=live", &["5"]),
        ("&start=earliest", &["1", "2", "3", "4", "5"]),
        ("&start=2", &["3", "4", "5"]),
        ("&start=0", &["5"]),
        ("&start=99", &["1", "2", "3", "4", "5"]),
    ] {
        let reader = server.stream(Request::get(format!("/events?topic=a{start}"))).await?;
        readers.push((start, expected, reader));
    }
    server.publish("a", "5").await?;
    for (start, expected, mut reader) in readers {
        let told = reader.until_told(expected.len()).await?;
        ensure!(told.iter().map(|told| &*told.data).eq(expected.iter().copied()), "{start:?}: {told:?}");
    }
    // The newest are counted over all topics together, and a cursor takes precedence.
    let fifth = server.hub.stats().head.to_string();
    for n in ["6", "7"] {
        server.publish("b", n).await?;
    }
    server.publish("a", "8").await?;
    for (topics, after, expected) in [
        ("topic=a&topic=b", "", &["7", "8"][..]),
        ("topic=%3E", "", &["7", "8"]),
        ("topic=a", "", &["5", "8"]),
        ("topic=%3E", &fifth, &["6", "7", "8"]),
    ] {
        let request = Request::get(format!("/events?{topics}&start=2"));
        let mut reader = server.stream(request.after(after)).await?;
        let told = reader.until_told(expected.len()).await?;
        ensure!(told.iter().map(|told| &*told.data).eq(expected.iter().copied()), "{topics}: {told:?}");
    }
    Ok(())
}

/// The event comes once to a reader of all its topics, of some, and of a pattern.
pub async fn g5_an_event_of_several_topics_comes_once(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mut readers = Vec::new();
    for query in ["topic=x.a&topic=x.b", "topic=x.b", "topic=x.*", "topic=x.a&topic=x.%3E"] {
        readers.push((query, server.stream(Request::get(format!("/events?{query}"))).await?));
    }
    server.hub.publish(["x.a", "x.b"], Event::message("both")).await?;
    server.publish("x.b", "after").await?;
    for (query, mut reader) in readers {
        let told = reader.until_told(2).await?;
        ensure!(said(&told) == [("message", "both"), ("message", "after")], "{query}: {told:?}");
    }
    // The same when it is replayed.
    for query in ["topic=x.a&topic=x.b", "topic=x.%3E"] {
        let mut reader = server.stream(Request::get(format!("/events?{query}&start=earliest"))).await?;
        server.publish("x.a", "live").await?;
        let told = reader.until_told(3).await?;
        ensure!(told.iter().filter(|told| told.data == "both").count() == 1, "{query}: {told:?}");
    }
    Ok(())
}

/// `*` is one part, `>` the rest, and a topic that appears later is matched as well.
pub async fn wildcards_match_parts(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    server.publish("prices.eur", "known").await?;
    let mut one = server.stream(Request::get("/events?topic=prices.*&start=earliest")).await?;
    let mut rest = server.stream(Request::get("/events?topic=prices.%3E")).await?;
    for topic in ["prices", "prices.usd", "prices.usd.spot", "news.usd", "prices.eur"] {
        server.publish(topic, topic).await?;
    }
    let told = one.until_told(3).await?;
    ensure_eq!(said(&told), [("message", "known"), ("message", "prices.usd"), ("message", "prices.eur")]);
    let told = rest.until_told(3).await?;
    let expected = ["prices.usd", "prices.usd.spot", "prices.eur"].map(|topic| ("message", topic));
    ensure_eq!(said(&told), expected);
    Ok(())
}

/// Only readers connected now get signals, and signals do not change the cursor.
pub async fn signals_have_no_id_and_are_not_kept(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mut reader = server.stream(Request::get("/events?topic=a")).await?;
    let receivers = server.hub.signal("a", Event::message("now").event("typing"))?;
    ensure_eq!(receivers, 1);
    reader.until_text("data: now\nevent: typing\n\n").await?;
    ensure!(!reader.text_after_first_checkpoint().contains("id:"), "{:?}", reader.text());
    server.publish("a", "kept").await?;
    reader.until_told(2).await?;
    let mut fresh = server.stream(Request::get("/events?topic=a&start=earliest")).await?;
    let told = fresh.until_told(1).await?;
    ensure_eq!(said(&told), [("message", "kept")]);
    Ok(())
}

/// Readers get the rest, `sse.end` and a clean end; a reader that has that and comes back gets 204.
pub async fn a_finished_topic_ends_and_then_answers_204(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mut reader = server.stream(Request::get("/events?topic=job")).await?;
    let first = server.publish("job", "50 %").await?.cursor.to_string();
    let mut finish = server.send(Request::post("/finish?topic=job", "")).await?;
    finish.to_end().await?;
    reader.to_end().await?;
    let told = reader.told();
    ensure_eq!(said(&told), [("message", "50 %"), ("sse.end", r#"{"topic":"job"}"#)]);
    ensure!(reader.body().ends_with(b"\n\n"), "something follows: {:?}", reader.text());
    let last = told.last().map(|told| told.id.clone()).unwrap_or_default();
    ensure_eq!(finish.text(), format!("{{\"id\":\"{last}\",\"receivers\":1}}"));
    let mut again = server.send(Request::get("/events?topic=job").after(&last)).await?;
    again.to_end().await?;
    ensure_eq!(again.head(), "http/1.1 204 no content\ncache-control: no-cache, no-transform\nvary: accept");
    ensure!(again.body().is_empty(), "204 with a body: {:?}", again.text());
    // A reader that does not have the whole topic gets the rest first.
    let mut late = server.send(Request::get("/events?topic=job").after(&first)).await?;
    late.to_end().await?;
    ensure_eq!(late.status(), 200);
    ensure_eq!(said(&late.told()), [("sse.end", r#"{"topic":"job"}"#)]);
    Ok(())
}

/// A new reader gets 200, the requested events, `sse.end` and a clean end.
pub async fn a_fresh_reader_of_a_finished_topic_gets_its_end(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    server.publish("job", "50 %").await?;
    server.hub.finish("job").await?;
    let end = ("sse.end", r#"{"topic":"job"}"#);
    for (start, expected) in [("live", &[end][..]), ("earliest", &[("message", "50 %"), end]), ("1", &[end])]
    {
        let mut reader = server.send(Request::get(format!("/events?topic=job&start={start}"))).await?;
        reader.to_end().await?;
        ensure_eq!(reader.status(), 200);
        ensure!(said(&reader.told()) == expected, "{start}: {:?}", reader.text());
    }
    // A later publish reopens it.
    server.publish("job", "reopened").await?;
    let mut reader = server.stream(Request::get("/events?topic=job")).await?;
    server.publish("job", "goes on").await?;
    let told = reader.until_told(1).await?;
    ensure_eq!(said(&told), [("message", "goes on")]);
    Ok(())
}

/// A reader with another topic that is not finished continues too.
pub async fn a_wildcard_reader_goes_on_after_a_finish(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mut readers = Vec::new();
    for query in ["topic=job.*", "topic=job.1&topic=other"] {
        readers.push((query, server.stream(Request::get(format!("/events?{query}"))).await?));
    }
    server.hub.finish("job.1").await?;
    for (_, reader) in &mut readers {
        reader.until_told(1).await?;
    }
    server.hub.publish(["job.2", "other"], Event::message("goes on")).await?;
    for (query, mut reader) in readers {
        let told = reader.until_told(2).await?;
        let expected = [("sse.end", r#"{"topic":"job.1"}"#), ("message", "goes on")];
        ensure!(said(&told) == expected, "{query}: {told:?}");
    }
    Ok(())
}
