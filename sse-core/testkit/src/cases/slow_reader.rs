//! Readers that do not read, and readers that leave.

use std::time::Duration;

use sse_core::{EndReason, KeepAlive, channel::SendError};

use crate::{
    App, Ending, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// More than the buffers of a connection on one machine hold.
const EVENTS: usize = 50;
const EVENT_BYTES: usize = 256 << 10;

/// The healthy one gets every event, the stalled one's place is freed, and when it reads again it resumes.
pub async fn g11_a_stalled_reader_delays_nobody_and_is_dropped(app: &dyn App) -> Outcome {
    let settings = Settings { stalled_after: Duration::from_millis(300), ..Settings::quiet() };
    let mut server = Server::start(app, settings).await?;
    let mut stalled = server.send(Request::get("/events?topic=a").narrow()).await?;
    let mut healthy = server.stream(Request::get("/events?topic=a")).await?;
    let large = "x".repeat(EVENT_BYTES);
    for n in 1..=EVENTS {
        server.publish("a", &large).await?;
        healthy.until("a large event", |healthy| healthy.body().len() > n * EVENT_BYTES).await?;
    }
    server.wait_for("the stalled reader to be dropped", |hub| hub.stats().stalled == 1).await?;
    ensure_eq!(server.hub.stats().readers.get("a").copied(), Some(1));
    server.publish("a", "after").await?;
    healthy.until_text("data: after\n").await?;
    // It reads again: whole events and a clean end; from there it resumes without a gap.
    stalled.until("the end", |stalled| stalled.ending().is_some()).await?;
    ensure_eq!(stalled.ending(), Some(Ending::Clean));
    let ended = server.ended().await?.end;
    ensure!(matches!(ended, EndReason::Stalled), "the hook was told {ended}");
    ensure!(stalled.body().ends_with(b"\n"), "ends within a line");
    let got = stalled.told();
    ensure!(got.len() < EVENTS, "it was not stalled");
    ensure!(got.iter().all(|told| told.data.len() == EVENT_BYTES), "an event arrived cut");
    let request = Request::get("/events?topic=a&start=earliest");
    let request = match got.last() {
        Some(last) => request.after(&last.id),
        None => request,
    };
    let mut again = server.stream(request).await?;
    again.until_text("data: after\n").await?;
    again.until("its end", |again| again.body().ends_with(b"\n\n")).await?;
    ensure_eq!(again.told().len(), EVENTS + 1 - got.len());
    ensure_eq!(again.header("sse-gap"), None);
    Ok(())
}

/// Sending fails and `closed` completes, after two keep-alives at the latest.
pub async fn a_reader_that_left_is_noticed(app: &dyn App) -> Outcome {
    let interval = Duration::from_millis(250);
    let keep_alive = Some(KeepAlive::every(interval));
    let mut server = Server::start(app, Settings { keep_alive, ..Settings::default() }).await?;
    let mut reader = server.stream(Request::get("/talk")).await?;
    reader.until_told(1).await?;
    drop(reader);
    // The promised time, and what a busy machine may add.
    let left = server.left(interval * 2 + Duration::from_secs(2)).await?;
    ensure!(matches!(left, SendError::Left), "the sender was told {left}");
    // An idle reader, which is sent only keep-alives.
    let reader = server.stream(Request::get("/events?topic=a")).await?;
    server.wait_for("the reader to come", |hub| hub.stats().readers.contains_key("a")).await?;
    drop(reader);
    server.wait_for("the reader to go", |hub| hub.stats().readers.is_empty()).await?;
    for _ in 0..2 {
        let end = server.ended().await?.end;
        ensure!(matches!(end, EndReason::Left), "the hook was told {end}");
    }
    Ok(())
}

/// Tokens over POST: each word with its space, and a clean end when the sender is done.
pub async fn a_channel_delivers_every_word(app: &dyn App) -> Outcome {
    let mut server = Server::start(app, Settings::quiet()).await?;
    let mut answer = server.send(Request::post("/complete", " several words,  some\nspaces ")).await?;
    answer.to_end().await?;
    let words: Vec<_> = answer.told().into_iter().map(|told| told.data).collect();
    ensure_eq!(words, [" ", "several ", "words, ", " ", "some\nspaces "]);
    let end = server.ended().await?.end;
    ensure!(matches!(end, EndReason::Complete), "the hook was told {end}");
    Ok(())
}
