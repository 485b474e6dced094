//! Resuming where a reader stopped.

use std::time::Duration;

use sse_core::{Cursor, KeepAlive, Retention, history::Epoch};

use crate::{
    App, DispatchedEvent, Exchange, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// Publishes `0` to `count - 1` to topic `a`, and returns their ids.
async fn published(server: &Server, count: usize) -> Outcome<Vec<String>> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(server.publish("a", &n.to_string()).await?.cursor.to_string());
    }
    Ok(ids)
}

fn data(told: &[DispatchedEvent]) -> Vec<&str> {
    told.iter().map(|told| &*told.data).collect()
}

/// A gap comes before anything else, with the id from which the stream continues, and a header repeats it.
async fn gap_first(
    answer: &mut Exchange,
    reason: &str,
    requested: Option<&str>,
) -> Outcome<serde_json::Value> {
    ensure_eq!(answer.status(), 200);
    let told = answer.until_told(1).await?;
    let Some(gap) = told.first().filter(|told| told.event == "sse.gap") else {
        return Err(crate::Failed::new(format!("no gap first: {told:?}")));
    };
    ensure!(answer.header("sse-gap") == Some(&gap.data), "{}\nis not {}", answer.head(), gap.data);
    let json: serde_json::Value = serde_json::from_str(&gap.data)?;
    ensure_eq!(json["reason"], reason);
    ensure_eq!(json["resumed_at"], *gap.id);
    if let Some(requested) = requested {
        ensure_eq!(json["requested"], requested);
    }
    Ok(json)
}

/// A reader gets every event after the cursor, once, in order, and without a gap.
pub async fn g4_a_cursor_gets_exactly_what_follows(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let ids = published(&server, 6).await?;
    for (place, id) in ids.iter().enumerate().take(5) {
        let mut reader = server.stream(Request::get("/events?topic=a").after(id)).await?;
        let told = reader.until_told(5 - place).await?;
        let expected: Vec<_> = (place + 1..6).map(|n| n.to_string()).collect();
        ensure_eq!(data(&told), expected);
        ensure!(told.iter().map(|told| &told.id).eq(ids.iter().skip(place + 1)), "{told:?}");
        ensure_eq!(reader.header("sse-gap"), None);
    }
    Ok(())
}

/// Nothing is repeated, and the next published event comes next.
pub async fn g4_a_cursor_at_the_tail_gets_only_what_follows(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let ids = published(&server, 3).await?;
    let tail = ids.last().cloned().unwrap_or_default();
    let mut reader = server.stream(Request::get("/events?topic=a").after(&tail)).await?;
    server.publish("a", "next").await?;
    let told = reader.until_told(1).await?;
    ensure_eq!(data(&told), ["next"]);
    ensure_eq!(reader.header("sse-gap"), None);
    Ok(())
}

/// Evicted events are reported as missing, with their number, and the rest follows.
pub async fn g4_trimmed_cursor_gets_gap_first(app: &dyn App) -> Outcome {
    let settings = Settings { retention: Retention::default().events(3), ..Settings::quiet() };
    let server = Server::start(app, settings).await?;
    let ids = published(&server, 10).await?;
    let mut reader = server.send(Request::get("/events?topic=a").after(&ids[1])).await?;
    let gap = gap_first(&mut reader, "trimmed", Some(&ids[1])).await?;
    ensure_eq!(gap["missed"], 5);
    ensure_eq!(gap["resumed_at"], *ids[6]);
    let told = reader.until_told(4).await?;
    ensure!(told.iter().skip(1).map(|told| &*told.data).eq(["7", "8", "9"]), "{told:?}");
    // The cursor just before the oldest retained event is valid.
    let mut reader = server.stream(Request::get("/events?topic=a").after(&ids[6])).await?;
    let told = reader.until_told(3).await?;
    ensure_eq!(data(&told), ["7", "8", "9"]);
    Ok(())
}

/// A cursor of another epoch, and one beyond the head, get a gap.
pub async fn g4_another_hubs_cursor_gets_gap_first(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    published(&server, 3).await?;
    let foreign = Cursor::new(Epoch::random(), 2).to_string();
    let mut reader = server.send(Request::get("/events?topic=a&start=earliest").after(&foreign)).await?;
    let gap = gap_first(&mut reader, "epoch", Some(&foreign)).await?;
    ensure_eq!(gap["missed"], serde_json::Value::Null);
    let told = reader.until_told(4).await?;
    ensure!(told.iter().skip(1).map(|told| &*told.data).eq(["0", "1", "2"]), "{told:?}");
    let head = server.hub.stats().head;
    let future = Cursor::new(head.epoch(), head.seq() + 1).to_string();
    let mut reader = server.send(Request::get("/events?topic=a").after(&future)).await?;
    gap_first(&mut reader, "future", Some(&future)).await?;
    Ok(())
}

/// Any bytes in place of a cursor get 200, the gap first, and then the stream continues.
pub async fn g8_any_bytes_are_answered(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let epoch = server.hub.stats().head.epoch();
    for hostile in [
        "7".to_owned(),
        "-".to_owned(),
        "--".to_owned(),
        "a b".to_owned(),
        "tab\there".to_owned(),
        "<script>'\";--".to_owned(),
        "{\"epoch\":1}".to_owned(),
        "é€😀".to_owned(),
        "\u{202e}bidi".to_owned(),
        "%00%0a".to_owned(),
        format!("{epoch}"),
        format!("{epoch}-"),
        format!("{epoch}-+1"),
        format!("{epoch}-01"),
        format!("{epoch}--1"),
        format!("{epoch}-18446744073709551616"),
        format!("{epoch}-1-"),
        format!("{epoch}-1-xyz"),
        format!("{epoch}-1-00000000-"),
        format!("{epoch}-1").to_uppercase().replace(|c: char| c.is_ascii_digit(), "A"),
        "x".repeat(128),
    ] {
        let mut reader = server.send(Request::get("/events?topic=a").after(&hostile)).await?;
        gap_first(&mut reader, "malformed", Some(&hostile)).await?;
        server.publish("a", "goes on").await?;
        let told = reader.until_told(2).await?;
        ensure!(told.last().is_some_and(|told| told.data == "goes on"), "{hostile:?}: {told:?}");
    }
    // Spaces around a value are not part of it, and an empty value counts as none.
    let head = server.hub.stats().head.to_string();
    for fresh in [format!("  {head}\t "), String::new(), "  ".to_owned()] {
        let reader = server.stream(Request::get("/events?topic=a").after(&fresh)).await?;
        ensure!(reader.header("sse-gap").is_none(), "{fresh:?}: {}", reader.head());
    }
    Ok(())
}

/// The answer is a stream, with the gap first unless the framework has dropped the header.
pub async fn g8_bytes_that_are_not_utf8_are_answered(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    for hostile in [&b"\xff"[..], b"\xc3\x28", b"abc\xf0\x9f", b"\xed\xa0\x80"] {
        let mut reader = server.send(Request::get("/events?topic=a").after(hostile)).await?;
        ensure_eq!(reader.status(), 200);
        if !app.drops_headers_that_are_not_utf8() {
            gap_first(&mut reader, "malformed", None).await?;
        }
        reader.until_text("retry: ").await?;
        server.publish("a", "goes on").await?;
        reader.until_text("data: goes on\n").await?;
    }
    Ok(())
}

/// An id may be as long as the server's own limit on a request's head; the notice quotes only the beginning.
pub async fn g8_long_ids_are_answered(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    for length in [129, 512, 4 << 10, 16 << 10, 64 << 10] {
        let long = "é".repeat(length / 2);
        let mut reader = server.send(Request::get("/events?topic=a").after(&long)).await?;
        gap_first(&mut reader, "malformed", Some(&"é".repeat(64))).await?;
    }
    // Bytes that are not UTF-8 do not grow when they come back, in a head or in a page.
    for hostile in [&b"\xff"[..], b"a\xff\xc3"] {
        let long = hostile.repeat((60 << 10) / hostile.len());
        let mut reader = server.send(Request::get("/events?topic=a").after(long)).await?;
        ensure_eq!(reader.status(), 200);
        reader.until_text("retry: ").await?;
        ensure!(reader.head().len() < 1 << 10, "a head of {} bytes", reader.head().len());
        ensure!(reader.text().len() < 1 << 10, "a body of {} bytes", reader.text().len());
    }
    // Beyond any server's limit the server itself answers, and our code is not called.
    let reader = server.send(Request::get("/events?topic=a").after("x".repeat(2 << 20))).await;
    if let Ok(reader) = reader {
        ensure!([200, 431].contains(&reader.status()), "{}", reader.head());
    }
    let mut reader = server.stream(Request::get("/events?topic=a")).await?;
    server.publish("a", "unharmed").await?;
    reader.until_text("data: unharmed\n").await
}

/// The query has the id of clients that cannot set the header, under the two names that are in use.
pub async fn the_query_may_carry_the_id(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let ids = published(&server, 3).await?;
    for name in ["last_event_id", "lastEventId"] {
        let mut reader = server.stream(Request::get(format!("/events?topic=a&{name}={}", ids[1]))).await?;
        let told = reader.until_told(1).await?;
        ensure!(data(&told) == ["2"], "{name}: {told:?}");
    }
    let mut reader = server.send(Request::get("/events?topic=a&last_event_id=%C3%A9%20x")).await?;
    gap_first(&mut reader, "malformed", Some("é x")).await?;
    Ok(())
}

/// The id alone is enough for a plain stream whose events have ids of the application.
pub async fn a_plain_stream_resumes_by_ids_of_its_own(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let numbers = || Request::get("/numbers");
    for (request, expected) in [
        (numbers(), ["0", "1", "2"]),
        (numbers().after("7"), ["8", "9", "10"]),
        (Request::get("/numbers?last_event_id=4"), ["5", "6", "7"]),
        (Request::get("/numbers?lastEventId=4").after("8"), ["9", "10", "11"]),
        (numbers().after("elsewhere"), ["0", "1", "2"]),
    ] {
        let mut reader = server.stream(request).await?;
        let told = reader.until_told(3).await?;
        ensure_eq!(data(&told), expected);
        reader.to_end().await?;
    }
    Ok(())
}

/// A page keeps the query of its first connection, and the browser adds the header when it reconnects.
pub async fn the_header_wins_over_the_query(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let ids = published(&server, 3).await?;
    let target = format!("/events?topic=a&last_event_id={}", ids[0]);
    let mut reader = server.stream(Request::get(&target).after(&ids[1])).await?;
    let told = reader.until_told(1).await?;
    ensure_eq!(data(&told), ["2"]);
    let mut reader = server.stream(Request::get(&target).after("")).await?;
    let told = reader.until_told(1).await?;
    ensure_eq!(data(&told), ["1", "2"]);
    Ok(())
}

/// A reader of a quiet topic gets a cursor that stays valid, in place of a keep-alive.
pub async fn g4_a_filtered_reader_is_moved_on_by_checkpoints(app: &dyn App) -> Outcome {
    let keep_alive = Some(KeepAlive::every(Duration::from_millis(100)));
    let server = Server::start(app, Settings { keep_alive, ..Settings::default() }).await?;
    let mut reader = server.stream(Request::get("/events?topic=quiet")).await?;
    published(&server, 5).await?;
    let head = server.hub.stats().head.to_string();
    reader.until("a checkpoint", |reader| reader.checkpoints().contains(&head)).await?;
    // Sent once; after it the keep-alive is the retry line again.
    let before = reader.checkpoints().len();
    let lines = reader.text().lines().count();
    reader.until("a keep-alive", |reader| reader.text().lines().count() > lines).await?;
    ensure!(reader.checkpoints().len() == before, "said again: {:?}", reader.text());
    ensure!(reader.text().ends_with('\n') && !reader.text().ends_with("\n\n"), "{:?}", reader.text());
    let mut again = server.stream(Request::get("/events?topic=quiet").after(&head)).await?;
    server.publish("quiet", "at last").await?;
    let told = again.until_told(1).await?;
    ensure_eq!(data(&told), ["at last"]);
    ensure_eq!(again.header("sse-gap"), None);
    Ok(())
}

/// Positions increase on one connection, from replayed to live events, while others publish.
pub async fn g3_positions_increase(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let ids = published(&server, 50).await?;
    let publisher = {
        let hub = server.hub.clone();
        tokio::spawn(async move {
            for n in 50..400 {
                let topic = if n % 3 == 0 { "b" } else { "a" };
                let event = sse_core::Event::message(n.to_string());
                if hub.publish(topic, event).await.is_err() {
                    return;
                }
                if n % 16 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        })
    };
    let mut reader = server.stream(Request::get("/events?topic=a&topic=b").after(&ids[0])).await?;
    let told = reader.until_told(399).await?;
    publisher.await?;
    let positions: Vec<u64> =
        told.iter().filter_map(|told| Some(told.id.parse::<Cursor>().ok()?.seq())).collect();
    ensure!(positions.iter().copied().eq(2..=400), "{positions:?}");
    ensure!(told.iter().map(|told| told.data.clone()).eq((1..400).map(|n| n.to_string())), "{told:?}");
    Ok(())
}
