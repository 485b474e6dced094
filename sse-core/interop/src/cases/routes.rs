use std::time::Duration;

use serde_json::{Value, json};
use sse_testkit::{Outcome, Request};

use crate::App;

/// The page is served unchanged.
///
/// # Errors
/// If a check fails.
pub async fn serves_the_page(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut page = app.send(Request::get("/")).await?;
    page.to_end().await?;
    assert_eq!(page.status(), 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.text(), example_common::PAGE);
    Ok(())
}

/// The module for pages is served as JavaScript, and not again to a browser that has it.
///
/// # Errors
/// If a check fails.
pub async fn serves_the_module_for_pages(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut module = app.send(Request::get("/resumable.js")).await?;
    module.to_end().await?;
    assert_eq!(module.status(), 200);
    assert_eq!(module.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(module.header("cache-control"), Some("no-cache"));
    assert_eq!(module.header("access-control-allow-origin"), Some("*"));
    assert_eq!(module.text(), sse_core::browser::RESUMABLE_JS);
    let etag = module.header("etag").unwrap_or_default().to_owned();
    for request in [Request::get("/resumable.js"), Request::head("/resumable.js")] {
        let mut again = app.send(request.header("If-None-Match", &etag)).await?;
        again.to_end().await?;
        assert_eq!((again.status(), &*again.text()), (304, ""), "{}", again.head());
        assert_eq!(again.header("etag"), Some(&*etag));
    }
    Ok(())
}

/// A published event reaches the readers of the topic, once, by name or by wildcard.
///
/// # Errors
/// If a check fails.
pub async fn publishes_to_readers(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut exact = app.stream(Request::get("/events?topic=a.x&topic=a.y")).await?;
    let mut wild = app.stream(Request::get("/events?topic=a.*")).await?;
    let published =
        app.json(200, Request::post("/publish?topic=a.x&topic=a.y&event=note", "two\nlines")).await?;
    assert_eq!(published.get("receivers"), Some(&json!(2)));
    let last = app.publish("a.y", "").await?;
    for reader in [&mut exact, &mut wild] {
        let told = reader.until_told(2).await?;
        assert_eq!((&*told[0].event, &*told[0].data), ("note", "two\nlines"));
        assert_eq!(published.get("id"), Some(&json!(told[0].id)));
        assert_eq!((&*told[1].event, &*told[1].data, &told[1].id), ("message", "", &last));
    }
    Ok(())
}

/// A second event under a key is not published.
///
/// # Errors
/// If it is.
pub async fn publishes_once_under_a_key(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let publish = |data| app.json(200, Request::post("/publish?topic=a&key=order.7", data));
    let (first, second) = (publish("once").await?, publish("twice").await?);
    assert_eq!(first.get("id"), second.get("id"));
    assert_eq!(second.get("duplicate"), Some(&json!(true)));
    let mut reader = app.stream(Request::get("/events?topic=a&start=earliest")).await?;
    app.publish("a", "end").await?;
    let told = reader.until_told(2).await?;
    assert_eq!([&*told[0].data, &*told[1].data], ["once", "end"]);
    Ok(())
}

/// A signal reaches the readers connected now, and changes no cursor.
///
/// # Errors
/// If a check fails.
pub async fn signals_without_an_id(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut reader = app.stream(Request::get("/events?topic=a")).await?;
    let signalled = app.json(200, Request::post("/signal?topic=a&event=typing", "…")).await?;
    assert_eq!(signalled, json!({ "receivers": 1 }));
    let told = reader.until_told(1).await?;
    assert_eq!((&*told[0].event, &*told[0].data), ("typing", "…"));
    let body = String::from_utf8_lossy(reader.body()).into_owned();
    let signal = body.split("\n\n").find(|block| block.contains("typing")).unwrap_or_default();
    assert!(!signal.is_empty() && !signal.contains("id:"), "{body}");
    Ok(())
}

/// Readers of a finished topic get the rest and its end, and one that reconnects gets 204.
///
/// # Errors
/// If a check fails.
pub async fn finishes_and_then_answers_204(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut reader = app.stream(Request::get("/events?topic=job.1")).await?;
    app.publish("job.1", "step").await?;
    let finished = app.json(200, Request::post("/finish?topic=job.1", "")).await?;
    reader.to_end().await?;
    let told = reader.told();
    let types: Vec<_> = told.iter().map(|told| &*told.event).collect();
    assert_eq!(types, ["message", "sse.end"]);
    assert_eq!(finished.get("id"), Some(&json!(told[1].id)));
    let mut again = app.send(Request::get("/events?topic=job.1").after(&told[1].id)).await?;
    again.to_end().await?;
    assert_eq!((again.status(), again.body()), (204, &b""[..]));
    Ok(())
}

/// The streams of a topic's readers end, also those by wildcard, and the readers miss nothing.
///
/// # Errors
/// If a check fails.
pub async fn disconnects_and_resumes(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut reader = app.stream(Request::get("/events?topic=a.*")).await?;
    let first = app.publish("a.x", "first").await?;
    reader.until_told(1).await?;
    let ended = app.json(200, Request::post("/disconnect?topic=a.x", "")).await?;
    assert_eq!(ended, json!({ "ended": 1 }));
    reader.to_end().await?;
    app.publish("a.y", "meanwhile").await?;
    let mut again = app.stream(Request::get("/events?topic=a.*").after(first)).await?;
    assert_eq!(again.until_told(1).await?[0].data, "meanwhile");
    Ok(())
}

/// The machine's metrics are published every second.
///
/// # Errors
/// If a check fails.
pub async fn publishes_the_metrics(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut reader = app.stream(Request::get("/events?topic=metrics.*&start=earliest")).await?;
    let told = reader.until_told(6).await?;
    let value = |event: &str, name: &str| {
        let told = told.iter().find(|told| told.event == event);
        let data = told.and_then(|told| serde_json::from_str::<Value>(&told.data).ok());
        data.and_then(|data| data.get(name).cloned()).unwrap_or_default()
    };
    assert!(value("cpu", "percent").as_f64().is_some_and(|percent| (0.0..=100.0).contains(&percent)));
    assert!(value("cpu", "cores").as_array().is_some_and(|cores| !cores.is_empty()));
    let (used, total) = (value("memory", "used").as_u64(), value("memory", "total").as_u64());
    assert!(used > Some(0) && used < total, "{told:?}");
    assert!(value("network", "received").is_number() && value("network", "sent").is_number(), "{told:?}");
    Ok(())
}

/// The hub's statistics have the names that the page and external tools use.
///
/// # Errors
/// If a check fails.
pub async fn says_its_stats(program: &str) -> Outcome {
    let app = App::start(program, &["--name", "north-1"]).await?;
    let _reader = app.stream(Request::get("/events?topic=a&topic=b.*")).await?;
    let id = app.publish("a", "x").await?;
    let mut gap = app.stream(Request::get("/events?topic=a").after("from-elsewhere")).await?;
    gap.until_told(1).await?;
    let stats = app.json(200, Request::get("/stats")).await?;
    let (epoch, seq) = id.split_once('-').unwrap_or_default();
    assert_eq!(stats.get("node"), Some(&json!("north-1")));
    assert!(
        stats.get("framework").is_some_and(|framework| program.ends_with(framework.as_str().unwrap_or("?")))
    );
    assert_eq!(stats.get("epoch"), Some(&json!(epoch)));
    assert!(stats.get("head").and_then(Value::as_u64) >= seq.parse().ok(), "{stats}");
    assert_eq!(stats.get("readers"), Some(&json!({ "a": 2, "b.*": 1 })));
    for name in ["topics", "window_bytes", "published"] {
        assert!(stats.get(name).and_then(Value::as_u64) > Some(0), "{name} in {stats}");
    }
    assert_eq!(stats.get("gaps"), Some(&json!(1)));
    assert_eq!(stats.pointer("/gaps_by_reason/malformed"), Some(&json!(1)));
    assert_eq!(stats.get("slow_readers_dropped"), Some(&json!(0)));
    Ok(())
}

/// Prometheus gets the metrics of what happened, under the names that the dashboard queries.
///
/// # Errors
/// If a check fails.
pub async fn serves_the_metrics(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut reader = app.stream(Request::get("/events?topic=a")).await?;
    app.publish("a", "x").await?;
    reader.until_told(1).await?;
    app.json(200, Request::post("/finish?topic=a", "")).await?;
    reader.to_end().await?;
    let mut metrics = app.send(Request::get("/metrics")).await?;
    metrics.to_end().await?;
    let text = metrics.text();
    // The counter is the number of bytes that arrived.
    let bytes = format!("sse_sent_bytes_total {}", reader.body().len());
    for line in [
        "# TYPE sse_delivered_total counter",
        // The first checkpoint, the event and the end.
        "sse_delivered_total 3",
        &bytes,
        "# TYPE sse_stream_seconds histogram",
        "sse_ends_total{reason=\"finished\"} 1",
        "sse_readers 0",
        "sse_stream_seconds_bucket{le=\"+Inf\"} 1",
        "sse_subscriptions_total{resume=\"fresh\"} 1",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} in {text}");
    }
    Ok(())
}

/// The plain stream counts.
///
/// # Errors
/// If a check fails.
pub async fn ticks_every_second(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut ticks = app.stream(Request::get("/ticks")).await?;
    let told = ticks.until_told(2).await?;
    assert_eq!((&*told[0].data, &*told[0].id, &*told[1].data, &*told[1].id), ("0", "0", "1", "1"));
    Ok(())
}

/// The answer to a prompt is the prompt's own words, and then the word that ends it.
///
/// # Errors
/// If a check fails.
pub async fn completes_a_prompt(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let prompt = "all  this\nand ☃ ";
    let mut answer = app.stream(Request::post("/complete", prompt)).await?;
    answer.to_end().await?;
    let mut tokens: Vec<_> = answer.told().into_iter().map(|told| told.data).collect();
    assert_eq!(tokens.pop().as_deref(), Some("[DONE]"));
    assert_eq!(tokens, ["all", "  this", "\nand", " ☃ "]);
    Ok(())
}

/// The work for a reader stops after it has left.
///
/// # Errors
/// If it does not.
pub async fn stops_when_the_reader_has_left(program: &str) -> Outcome {
    let mut app = App::start(program, &["--keep-alive", "0.5", "--drain", "1"]).await?;
    let mut answer = app.stream(Request::post("/complete", "word ".repeat(10_000))).await?;
    answer.until_told(3).await?;
    drop(answer);
    // A second answer takes longer than the maximum time to detect that the first reader has left.
    let mut other = app.stream(Request::post("/complete", "word ".repeat(40))).await?;
    other.to_end().await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    app.terminate().await?;
    let ended = app.ended().await?;
    assert_eq!(ended.stderr.matches("the reader has left").count(), 1, "{}", ended.stderr);
    Ok(())
}
