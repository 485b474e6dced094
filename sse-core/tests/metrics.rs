//! The metrics that a recorder receives; the documentation must name all of them. One test, because the recorder is
//! global to the process.
#![cfg(feature = "metrics")]

#[path = "it/common/reader.rs"]
#[allow(dead_code)]
mod reader;
#[path = "it/common/fake_history.rs"]
#[allow(dead_code)]
mod scripted;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, Uri};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reader::{data, publish};
use scripted::{Scripted, until};
use sse_core::{Body, Event, EventStream, Hub, Lease, Retention, SseRequest};

const DOCUMENTED: &str = include_str!("../src/docs/operating.md");

/// Values by name and labels, as Prometheus would read them.
fn samples(recorder: &PrometheusHandle) -> BTreeMap<String, f64> {
    let text = recorder.render();
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    lines.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

/// Each metric's kind and whether it is described, as they are emitted.
fn emitted(recorder: &PrometheusHandle) -> BTreeSet<(String, String)> {
    let text = recorder.render();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let named = types.filter_map(|line| line.split_once(' '));
    let kinds = named.map(|(name, kind)| {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not described");
        (name.to_owned(), if kind == "summary" { "histogram" } else { kind }.to_owned())
    });
    kinds.collect()
}

/// The rows of the table: name and kind.
fn documented() -> BTreeSet<(String, String)> {
    let rows = DOCUMENTED.lines().filter_map(|line| line.strip_prefix("| `sse_"));
    let cells = rows.map(|row| row.split('|').map(|cell| cell.trim().trim_matches('`')).collect::<Vec<_>>());
    let metrics = cells.filter(|cells| ["counter", "gauge", "histogram"].contains(&cells[1]));
    metrics.map(|cells| (format!("sse_{}", cells[0]), cells[1].to_owned())).collect()
}

/// Every name that the text mentions, in the table of alerts too.
fn mentioned() -> BTreeSet<String> {
    let mentions = DOCUMENTED.split('`').filter(|code| code.starts_with("sse_"));
    let named =
        mentions.map(|code| code.split(|unit: char| !unit.is_ascii_lowercase() && unit != '_').next());
    named.map(|name| name.expect("a name").to_owned()).filter(|name| name != "sse_core").collect()
}

async fn read(stream: EventStream) -> Body {
    let mut body = stream.into_response().into_body();
    body.next().await.expect("the first line").unwrap();
    body
}

#[tokio::test(start_paused = true)]
async fn every_documented_metric_is_emitted_and_no_other() {
    let recorder = PrometheusBuilder::new().install_recorder().expect("the only one");
    let second = Duration::from_secs(1);

    // A hub over a history, with a window of two events.
    let history = Scripted::new();
    let small = Hub::builder().retention(Retention::default().events(2)).stalled_after(8 * second);
    let hub = small.open(history.clone()).await.unwrap();
    let mut fresh = hub.subscribe("a").await.unwrap();
    publish(&hub, "a", 0..6).await;
    assert_eq!(data(&mut fresh, 6).await.len(), 6);
    let first = hub.stats().head.to_string().replace("-6", "-1");
    let mut behind = hub.subscribe("a").after(&*first).await.unwrap();
    assert_eq!(data(&mut behind, 5).await.len(), 5);
    let cursor = first.replace("-1", "-5");
    let near = hub.subscribe("a").after(&*cursor).await.unwrap();
    let tail = hub.subscribe("a").after(hub.stats().head).await.unwrap();
    let gap = hub.subscribe("a").after("elsewhere").await.unwrap();
    let lease = Lease::new();
    lease.revoke();
    let refused = hub.subscribe("a").lease(lease).await.unwrap();

    // Bodies: bytes, ends, time.
    let mut over = read(EventStream::new(refused)).await;
    while over.next().await.is_some() {}
    let mut plain = read(EventStream::new(stream::iter(["x", "y"].map(Event::message)))).await;
    let chunk = plain.next().await.expect("both events at once").unwrap();
    tokio::time::sleep(second).await;
    while plain.next().await.is_some() {}
    let open = read(EventStream::new(stream::pending::<Event>())).await;

    // A stalled reader, and an unavailable history.
    hub.publish("a", Event::message("7")).await.unwrap();
    tokio::time::sleep(20 * second).await;
    until(|| hub.stats().stalled > 0).await;
    history.set_down(true);
    hub.signal("a", Event::message("lost")).unwrap();
    hub.publish("a", Event::message("refused")).await.unwrap_err();
    tokio::time::sleep(second).await;

    let now = samples(&recorder);
    let value = |name: &str| now.get(name).copied().unwrap_or_else(|| panic!("no {name} in {now:#?}"));
    assert_eq!(value("sse_published_total"), 7.0);
    assert_eq!(value("sse_delivered_total"), 2.0);
    assert!(value("sse_sent_bytes_total") > chunk.len() as f64);
    assert_eq!(value("sse_streams"), 1.0);
    assert_eq!(value(r#"sse_ends_total{reason="complete"}"#), 1.0);
    assert_eq!(value(r#"sse_ends_total{reason="expired"}"#), 1.0);
    assert!(value("sse_stream_seconds_sum") >= 1.0);
    for (resume, count) in [("fresh", 1.0), ("exact", 2.0), ("at_tail", 1.0), ("gap", 1.0), ("refused", 1.0)]
    {
        assert_eq!(value(&format!(r#"sse_subscriptions_total{{resume="{resume}"}}"#)), count, "{resume}");
    }
    assert_eq!(value(r#"sse_gaps_total{reason="malformed"}"#), 1.0);
    assert_eq!(value(r#"sse_replays_total{source="history"}"#), 1.0);
    assert_eq!(value(r#"sse_replays_total{source="window"}"#), 1.0);
    assert_eq!(value("sse_stalled_total"), hub.stats().stalled as f64);
    assert_eq!(value("sse_readers"), 5.0 - hub.stats().stalled as f64);
    assert_eq!(value("sse_window_bytes"), hub.stats().window_bytes as f64);
    assert!(value("sse_lag_events_sum") > 0.0);
    assert_eq!(value("sse_lost_signals_total"), 1.0);
    assert_eq!(value(r#"sse_history_errors_total{operation="append"}"#), 1.0);
    assert_eq!(value(r#"sse_history_errors_total{operation="signal"}"#), 1.0);
    assert_eq!(value(r#"sse_history_seconds_count{operation="append"}"#), 8.0);
    assert!(value(r#"sse_history_seconds_count{operation="read"}"#) >= 1.0);

    assert_eq!(emitted(&recorder), documented());
    assert_eq!(mentioned(), documented().into_iter().map(|(name, _)| name).collect());

    // A probe counts nothing, and neither does a response whose body is never polled.
    let before = samples(&recorder);
    let memory = Hub::memory();
    for cursor in [None, Some("elsewhere")] {
        let head = SseRequest::new(&Method::HEAD, &Uri::default(), &HeaderMap::new());
        let subscription = memory.subscribe("a").request(head).after(cursor).await.unwrap();
        drop(EventStream::new(subscription).into_response());
    }
    drop(EventStream::new(stream::pending::<Event>()).into_response());
    assert_eq!(samples(&recorder), before);

    // Closed streams are subtracted again.
    drop(open);
    drop((over, plain, fresh, behind, near, tail, gap, hub));
    tokio::time::sleep(2 * second).await;
    let gone = samples(&recorder);
    for gauge in ["sse_streams", "sse_readers", "sse_window_bytes"] {
        assert_eq!(gone.get(gauge), Some(&0.0), "{gauge}");
    }
}
