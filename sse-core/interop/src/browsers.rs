//! How the `EventSource` of a real browser reads our streams. Where a browser differs from the standard, the test
//! asserts its actual behaviour, and a comment describes it.

use std::time::Duration;

use serde_json::json;
use sse_testkit::{Outcome, Request};
use tokio::time::interval;

use crate::{App, Engine, Publisher, Reading, Session};

/// A finished topic ends the stream, and the browser that reconnects gets 204 and stops.
pub(crate) async fn g17_stops_at_204(program: &str, page: &Session) -> Outcome {
    let reading = Reading::open(program, &[], page, "/events?topic=a").await?;
    let id = reading.app.publish("a", "0").await?;
    let end = reading.app.json(200, Request::post("/finish?topic=a", "")).await?;
    reading.until("read.source.readyState === EventSource.CLOSED").await?;
    let heard = reading.heard().await?;
    assert_eq!(heard.iter().map(|heard| &*heard.event).collect::<Vec<_>>(), ["message", "sse.end"]);
    assert_eq!(heard[0].id, id);
    assert_eq!(Some(&*heard[1].id), end["id"].as_str());
    assert_eq!(reading.asked_after(), ["", &heard[1].id]);
    assert_eq!(reading.value("read.opens").await?, 1);
    Ok(())
}

/// A reader of a quiet topic advances with the events of others: it reconnects with the position of the last
/// checkpoint.
pub(crate) async fn g17_checkpoints_move_the_cursor(program: &str, page: &Session) -> Outcome {
    let reading = Reading::open(program, &["--keep-alive", "0.3"], page, "/events?topic=a").await?;
    let id = reading.app.publish("a", "0").await?;
    reading.until("read.told.length === 1 && read.last !== read.told[0].id").await?;
    reading.app.json(200, Request::post("/disconnect?topic=a", "")).await?;
    reading.until("read.opens === 2").await?;
    let asked = reading.asked_after();
    assert_eq!(json!([asked[1]]), reading.value("read.lost").await?, "not the last checkpoint's");
    assert_ne!(asked[1], id, "the cursor has not moved");
    let last = reading.app.publish("a", "1").await?;
    let heard = reading.until_heard(2).await?;
    assert_eq!(heard.iter().map(|heard| &heard.id).collect::<Vec<_>>(), [&id, &last]);
    Ok(())
}

/// The connection breaks before the first event: the browser reconnects with the cursor that the stream began with,
/// and gets the events published in the meantime. The page does not get that cursor as an event.
pub(crate) async fn g17_comes_back_before_its_first_event(program: &str, page: &Session) -> Outcome {
    // No keep-alive comes before the cut.
    let mut reading = Reading::open(program, &["--keep-alive", "600"], page, "/events?topic=a").await?;
    reading.until("read.last !== ''").await?;
    let cursor = reading.value("read.last").await?;
    assert_eq!(reading.heard().await?, []);
    reading.relay.refuse().await?;
    let id = reading.app.publish("a", "while it is away").await?;
    // One for the stream that ended, and one for the refused reconnect.
    reading.until("read.lost.length === 2").await?;
    reading.relay.accept()?;
    let heard = reading.until_heard(1).await?;
    assert_eq!(json!([heard[0].data, heard[0].id]), json!(["while it is away", id]));
    let last = reading.app.publish("a", "live").await?;
    let heard = reading.until_heard(2).await?;
    assert_eq!(heard.iter().map(|heard| &heard.id).collect::<Vec<_>>(), [&id, &last]);
    assert_eq!(json!(reading.asked_after()), json!(["", cursor]));
    Ok(())
}

/// Data arrives as it was published, whatever Unicode it holds.
pub(crate) async fn g1_reads_any_text(program: &str, page: &Session) -> Outcome {
    let reading = Reading::open(program, &[], page, "/events?topic=a").await?;
    let texts = [
        "",
        " ",
        "  two spaces",
        ":",
        "data: x",
        "a\nb\n\nc\n",
        "\n",
        "\t\u{1}\u{7f}",
        "æøå ß 日本語 עברית",
        "🦀 👩\u{200d}🚀 \u{1f1f3}\u{1f1f4}",
        "\u{feff}a\u{feff}",
        "\u{2028}\u{2029}\u{85}\u{b}\u{c}",
        "\u{fffd}\u{ffff}\u{10ffff}",
        "<script>alert(1)</script>",
        "{\"a\":\"\\u0000\"}",
    ];
    for text in texts {
        reading.app.publish("a", text).await?;
    }
    // Every line ending is read as a line ending.
    reading.app.publish("a&event=note", "a\r\nb\rc").await?;
    let heard = reading.until_heard(texts.len() + 1).await?;
    assert_eq!(
        heard.iter().map(|heard| &*heard.data).collect::<Vec<_>>(),
        [&texts[..], &["a\nb\nc"]].concat()
    );
    assert_eq!(heard[texts.len()].event, "note");
    Ok(())
}

/// Events of 64 KiB arrive whole: of one line, of many, and of characters that are several bytes long.
pub(crate) async fn g2_reads_events_of_64_kib(program: &str, page: &Session) -> Outcome {
    let reading = Reading::open(program, &[], page, "/events?topic=a").await?;
    let texts = ["x".repeat(64 << 10), "line\n".repeat((64 << 10) / 5), "🦀".repeat(16 << 10)];
    for _ in 0..4 {
        for text in &texts {
            reading.app.publish("a", text).await?;
        }
    }
    let heard = reading.until_heard(12).await?;
    for (at, heard) in heard.iter().enumerate() {
        let text = &texts[at % 3];
        assert!(heard.data == *text, "event {at}: {} bytes of {}", heard.data.len(), text.len());
    }
    Ok(())
}

/// Two seconds of 500 events each, and the stream ends in the middle: all arrive, in order, and none twice.
pub(crate) async fn g5_reads_500_events_a_second(program: &str, page: &Session) -> Outcome {
    const EVENTS: usize = 1_000;
    let reading = Reading::open(program, &[], page, "/events?topic=a").await?;
    let mut publisher = Publisher::connect(reading.app.address()).await?;
    let mut ticks = interval(Duration::from_millis(20));
    for first in (0..EVENTS).step_by(10) {
        ticks.tick().await;
        publisher.publish("a", (first..first + 10).map(|n| n.to_string())).await?;
        if first == EVENTS / 2 {
            reading.app.json(200, Request::post("/disconnect?topic=a", "")).await?;
        }
    }
    let ids = publisher.ids(EVENTS).await?;
    let heard = reading.until_heard(EVENTS).await?;
    let numbers = heard.iter().map(|heard| heard.data.parse::<usize>());
    assert_eq!(numbers.collect::<Result<Vec<_>, _>>()?, (0..EVENTS).collect::<Vec<_>>());
    assert!(heard.iter().map(|heard| &heard.id).eq(&ids), "the ids are not those that were published");
    assert_eq!(reading.value("read.opens").await?, 2);
    Ok(())
}

/// A tab stays open while its stream reaches its maximum age again and again: it misses nothing and gets nothing twice.
pub(crate) async fn g4_keeps_a_tab_for_several_ages(program: &str, page: &Session) -> Outcome {
    // From the first event on, because on a slow machine the first stream may end before there is any.
    let target = "/events?topic=a&start=earliest";
    let reading = Reading::open(program, &["--max-age", "1"], page, target).await?;
    let mut published = Vec::new();
    let mut ticks = interval(Duration::from_millis(100));
    while reading.value("read.opens").await? != 4 {
        ticks.tick().await;
        assert!(published.len() < 600, "three periods and as many pauses take no minute");
        published.push(reading.app.publish("a", &published.len().to_string()).await?);
    }
    published.push(reading.app.publish("a", "last").await?);
    reading.until("read.told.at(-1)?.data === 'last'").await?;
    let heard = reading.heard().await?;
    assert_eq!(heard.iter().map(|heard| &heard.id).collect::<Vec<_>>(), published.iter().collect::<Vec<_>>());
    Ok(())
}

/// A connection that is cut within an event loses nothing: the event comes again, whole.
///
/// WebKit 2.50 keeps the half that it has, and would join it to the next data if the stream did not begin with an
/// event that takes it.
pub(crate) async fn g17_survives_a_cut_within_an_event(program: &str, page: &Session) -> Outcome {
    let reading = Reading::open(program, &[], page, "/events?topic=a").await?;
    let first = reading.app.publish("a", "first").await?;
    reading.until_heard(1).await?;
    reading.relay.cut_after("hal");
    let second = reading.app.publish("a", "half and half").await?;
    let third = reading.app.publish("a", "third").await?;
    let heard = reading.until_heard(3).await?;
    // A frame's id comes after its data, so half a frame changes no browser's cursor.
    assert_eq!(reading.asked_after(), ["", &first]);
    assert_eq!(heard.iter().map(|heard| &heard.id).collect::<Vec<_>>(), [&first, &second, &third]);
    assert_eq!(
        heard.iter().map(|heard| &*heard.data).collect::<Vec<_>>(),
        ["first", "half and half", "third"]
    );
    Ok(())
}

/// A user opens another page and goes back: the kept page misses nothing.
///
/// Chromium keeps the page and its connection, WebKit keeps the page and reconnects for it. Firefox does not keep a
/// page with an open stream: it loads the page again.
pub(crate) async fn g17_goes_back_to_a_page(program: &str, page: &Session) -> Outcome {
    let reading = Reading::open(program, &[], page, "/events?topic=a").await?;
    let first = reading.app.publish("a", "0").await?;
    reading.until_heard(1).await?;
    reading.go(&format!("http://{}/stats", reading.app.address())).await?;
    assert_eq!(reading.value("typeof read").await?, "undefined");
    let second = reading.app.publish("a", "1").await?;
    reading.back().await?;
    let (kept, asked): (_, &[&str]) = match page.engine() {
        Engine::Chromium => ("object", &[""]),
        Engine::WebKit => ("object", &["", &first]),
        Engine::Firefox => ("undefined", &[""]),
    };
    assert_eq!(reading.value("typeof read").await?, kept);
    if kept == "object" {
        let heard = reading.until_heard(2).await?;
        assert_eq!(heard.iter().map(|heard| &heard.id).collect::<Vec<_>>(), [&first, &second]);
        assert_eq!(reading.value("read.isRestored").await?, true);
    }
    assert_eq!(reading.asked_after(), asked);
    Ok(())
}

/// No server listens when the browser reconnects: it tries again, and misses nothing.
pub(crate) async fn g17_survives_an_outage(program: &str, page: &Session) -> Outcome {
    let mut reading = Reading::open(program, &[], page, "/events?topic=a").await?;
    let first = reading.app.publish("a", "0").await?;
    reading.until_heard(1).await?;
    reading.relay.refuse().await?;
    let second = reading.app.publish("a", "1").await?;
    // One for the stream that ended, and one for the refused reconnect.
    reading.until("read.lost.length === 2").await?;
    reading.relay.accept()?;
    let heard = reading.until_heard(2).await?;
    assert_eq!(heard.iter().map(|heard| &heard.id).collect::<Vec<_>>(), [&first, &second]);
    assert_eq!(reading.asked_after(), ["", &first]);
    Ok(())
}

/// A page of another origin reads with its user's cookie if it requests that and is allowed to, and resumes with it.
///
/// Firefox gives up for good on a stream of another origin whose reconnect is refused; its page opens a new
/// `EventSource`, with the cursor in the query.
pub(crate) async fn g17_reads_across_origins_with_credentials(program: &str, page: &Session) -> Outcome {
    let other = App::start(program, &[]).await?;
    let origin = format!("http://{}", other.address());
    let mut reading = Reading::open(program, &["--origin", &origin], page, "/events?topic=a").await?;
    let stream = format!("http://{}/events?topic=a", reading.relay.address());
    reading.go(&format!("{origin}/stats")).await?;
    reading.run("document.cookie = 'reader=anna'", json!([])).await?;
    reading.read(&stream, json!({})).await?;
    reading.run("read.source.close()", json!([])).await?;
    reading.read(&stream, json!({ "withCredentials": true })).await?;
    let first = reading.app.publish("a", "0").await?;
    reading.until_heard(1).await?;
    reading.app.json(200, Request::post("/disconnect?topic=a", "")).await?;
    reading.until("read.opens === 2").await?;
    let second = reading.app.publish("a", "1").await?;
    reading.until_heard(2).await?;

    reading.relay.refuse().await?;
    let third = reading.app.publish("a", "2").await?;
    // One for each stream that ended, and one for the refused reconnect.
    reading.until("read.lost.length === 3").await?;
    let gives_up = page.engine() == Engine::Firefox;
    assert_eq!(reading.value("read.source.readyState === EventSource.CLOSED").await?, gives_up);
    reading.relay.accept()?;
    let mut expected = vec![&first, &second, &third];
    let mut asked = vec!["", "", "", &first, &second];
    if gives_up {
        let stream = format!("{stream}&last_event_id={second}");
        reading.read(&stream, json!({ "withCredentials": true })).await?;
        expected = vec![&third];
        asked[4] = "";
    }
    let heard = reading.until_heard(expected.len()).await?;
    assert_eq!(heard.iter().map(|heard| &heard.id).collect::<Vec<_>>(), expected);
    assert_eq!(reading.asked_after(), asked);

    let requests = reading.relay.requests("/events");
    let has = |request: &String, header: &str| request.to_ascii_lowercase().contains(header);
    let with_cookie = requests.iter().map(|request| has(request, "\r\ncookie: reader=anna\r\n"));
    // The first was from the page that the relay itself has served, the second did not request credentials.
    assert_eq!(with_cookie.collect::<Vec<_>>(), [false, false, true, true, true]);
    assert!(requests.iter().skip(1).all(|request| has(request, &format!("\r\norigin: {origin}\r\n"))));
    Ok(())
}

/// A page of a named origin reads by `fetch`, with headers that need a preflight; the post of a page of another
/// origin, which needs no preflight, is refused.
pub(crate) async fn fetches_across_origins(program: &str, page: &Session) -> Outcome {
    let other = App::start(program, &[]).await?;
    let origin = format!("http://{}", other.address());
    let named = App::start(program, &["--origin", &origin]).await?;
    // A page of HTML: Firefox shows JSON in a viewer that may not fetch.
    page.go(&format!("{origin}/")).await?;
    let fetch = "window.fetched = null;
        fetch(arguments[0], { headers: { 'Last-Event-ID': 'elsewhere', 'Cache-Control': 'no-cache' } }).then(
            response => { window.fetched = [response.status, response.headers.get('sse-gap') !== null]; },
            error => { window.fetched = String(error); });";
    page.run(fetch, json!([format!("http://{}/events?topic=a", named.address())])).await?;
    page.until("window.fetched !== null").await?;
    assert_eq!(page.value("fetched").await?, json!([200, true]));

    let unnamed = App::start(program, &[]).await?;
    let mut reader = unnamed.stream(Request::get("/events?topic=a")).await?;
    let post = "window.posted = null;
        fetch(arguments[0], { method: 'POST', mode: 'no-cors', body: 'forged' }).finally(() => { window.posted = true; });";
    page.run(post, json!([format!("http://{}/publish?topic=a", unnamed.address())])).await?;
    page.until("window.posted === true").await?;
    let id = unnamed.publish("a", "own").await?;
    let told = reader.until_told(1).await?;
    assert_eq!((&*told[0].data, &told[0].id), ("own", &id));
    Ok(())
}
