//! Shutdown, and ended readers.

use std::time::Duration;

use sse_core::EndReason;
use tokio::time::Instant;

use super::wire::{is_retry, retry_of};
use crate::{
    App, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// The drain window of these cases. Rocket counts its own in whole seconds.
const WINDOW: Duration = Duration::from_secs(1);

/// What a busy machine may add before a delay counts as a hang.
const SLACK: Duration = Duration::from_secs(3);

/// Each subscription ends cleanly, with a jittered `retry`; and the server stops.
pub async fn g13_subscriptions_end_in_half_the_window(app: &dyn App) -> Outcome {
    let settings = Settings { window: WINDOW * 4, ..Settings::quiet() };
    let mut server = Server::start(app, settings).await?;
    let mut readers = Vec::new();
    for _ in 0..20 {
        readers.push(server.stream(Request::get("/events?topic=a")).await?);
    }
    let last = server.publish("a", "before").await?.cursor;
    let begun = Instant::now();
    server.shutdown.notify();
    let mut retries = Vec::new();
    for reader in &mut readers {
        reader.to_end().await?;
        let told = reader.told();
        ensure!(told.len() == 1 && told[0].id == last.to_string(), "{told:?}");
        let text = reader.text();
        let line = text.lines().last().unwrap_or_default();
        ensure!(is_retry(line), "the last line is {line:?}");
        retries.push(retry_of(line).unwrap_or(0));
    }
    let took = begun.elapsed();
    ensure!(
        took < WINDOW * 4,
        "the streams end {took:?} after the beginning, the window is {:?}",
        WINDOW * 4
    );
    ensure!(retries.iter().all(|retry| (2_000..=4_000).contains(retry)), "{retries:?}");
    retries.sort_unstable();
    retries.dedup();
    ensure!(retries.len() > 10, "not jittered: {retries:?}");
    for _ in 0..readers.len() {
        let ended = server.ended().await?;
        ensure!(matches!(ended.end, EndReason::Shutdown), "the hook was told {}", ended.end);
        let half = WINDOW * 2;
        ensure!(ended.lasted < half + SLACK, "one lasted {:?}, half the window is {half:?}", ended.lasted);
    }
    server.stopped(WINDOW * 4 + SLACK).await
}

/// The reader's stream cannot end, because it is not polled; the window ends all the same.
pub async fn g13_a_reader_that_does_not_read_does_not_hold_the_server(app: &dyn App) -> Outcome {
    let mut server = Server::start(app, Settings { window: WINDOW, ..Settings::quiet() }).await?;
    let stalled = server.send(Request::get("/events?topic=a").narrow()).await?;
    let mut healthy = server.stream(Request::get("/events?topic=a")).await?;
    let large = "x".repeat(256 << 10);
    for n in 1..=40usize {
        server.publish("a", &large).await?;
        healthy.until("a large event", |healthy| healthy.body().len() > n * (256 << 10)).await?;
    }
    server.shutdown.notify();
    healthy.to_end().await?;
    server.stopped(WINDOW + SLACK).await?;
    drop(stalled);
    Ok(())
}

/// A subscription during a shutdown gets 200, `retry`, end, and never 503, which stops a browser for good.
pub async fn g14_who_comes_during_a_shutdown_is_told_to_come_back(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings { window: WINDOW, ..Settings::quiet() }).await?;
    let shutdown = server.shutdown.clone();
    let late = server.send(Request::get("/late?topic=a"));
    let notify = async {
        // The request must be on its way before the server stops accepting.
        tokio::time::sleep(Duration::from_millis(200)).await;
        shutdown.notify();
    };
    let (late, ()) = tokio::join!(late, notify);
    let mut late = late?;
    late.to_end().await?;
    ensure_eq!(late.status(), 200);
    ensure_eq!(late.header("content-type"), Some("text/event-stream"));
    let text = late.text_after_first_checkpoint();
    ensure!(!text.is_empty() && text.lines().all(is_retry), "{text:?}");
    Ok(())
}

/// A plain stream ends with `until`; on Rocket automatically.
pub async fn g13_a_plain_stream_ends_with_the_handle(app: &dyn App) -> Outcome {
    let mut server = Server::start(app, Settings { window: WINDOW, ..Settings::quiet() }).await?;
    let mut reader = server.stream(Request::get("/ticks")).await?;
    reader.until_told(2).await?;
    server.shutdown.notify();
    reader.to_end().await?;
    ensure!(reader.body().ends_with(b"\n\n"), "ends with half an event: {:?}", reader.text());
    server.stopped(WINDOW + SLACK).await
}

/// The stream cannot be resumed, so it gets the whole window, and still ends cleanly.
pub async fn g13_a_stream_of_tokens_goes_on_until_the_deadline(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings { window: WINDOW, ..Settings::quiet() }).await?;
    let mut reader = server.stream(Request::get("/tokens")).await?;
    reader.until_told(2).await?;
    server.shutdown.notify();
    let begun = reader.told().len();
    // A tick is 50 ms: this is well after the beginning and before the end.
    reader.until_told(begun + 8).await?;
    reader.to_end().await?;
    ensure!(reader.body().ends_with(b"\n\n"), "ends with half an event: {:?}", reader.text());
    Ok(())
}

/// Disconnected readers, for example after a permission was revoked, get a clean end, and resume when they come back.
pub async fn disconnect_ends_readers_who_then_resume(app: &dyn App) -> Outcome {
    let mut server = Server::start(app, Settings::quiet()).await?;
    let mut wild = server.stream(Request::get("/events?topic=%3E")).await?;
    let mut other = server.stream(Request::get("/events?topic=b")).await?;
    let mut reader = server.stream(Request::get("/events?topic=a")).await?;
    let id = server.publish("a", "before").await?.cursor.to_string();
    reader.until_told(1).await?;
    ensure_eq!(server.hub.disconnect("a")?, 2);
    for ended in [&mut reader, &mut wild] {
        ended.to_end().await?;
        let text = ended.text();
        let last = text.lines().last().unwrap_or_default();
        ensure!(is_retry(last), "the last line is {last:?}");
        let end = server.ended().await?.end;
        ensure!(matches!(end, EndReason::Disconnected), "the hook was told {end}");
    }
    server.publish("a", "meanwhile").await?;
    let mut again = server.stream(Request::get("/events?topic=a").after(&id)).await?;
    let told = again.until_told(1).await?;
    ensure!(told.len() == 1 && told[0].data == "meanwhile", "{told:?}");
    server.publish("b", "undisturbed").await?;
    other.until_text("data: undisturbed\n").await
}
