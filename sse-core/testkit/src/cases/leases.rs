//! Permission that ends.

use std::time::Duration;

use sse_core::EndReason;
use tokio::time::Instant;

use super::{refusals::browser, wire::is_retry};
use crate::{
    App, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// More than the buffers of a connection on one machine hold.
const EVENTS: usize = 50;
const EVENT_BYTES: usize = 256 << 10;

fn of(principal: &str) -> String {
    format!("/events?topic=shared&as={principal}&on=lease")
}

/// The stream does not end earlier; it ends with a `retry`, and later events are not written.
pub async fn g9_a_lease_ends_its_stream_at_its_time(app: &dyn App) -> Outcome {
    let mut server = Server::start(app, Settings::default()).await?;
    let lease = server.lease("ann");
    lease.renew(Duration::from_secs(60));
    let mut reader = server.stream(Request::get(of("ann"))).await?;
    server.publish("shared", "before").await?;
    reader.until_told(1).await?;
    // While the reader waits.
    let (time, begun) = (Duration::from_millis(500), Instant::now());
    lease.renew(time);
    reader.to_end().await?;
    ensure!(begun.elapsed() >= time, "ended after {:?}", begun.elapsed());
    let text = reader.text();
    ensure!(text.lines().last().is_some_and(is_retry), "{text:?}");
    ensure_eq!(reader.told().len(), 1);
    let end = server.ended().await?.end;
    ensure!(matches!(end, EndReason::Expired), "the hook was told {end}");
    ensure!(server.hub.stats().readers.is_empty(), "{:?}", server.hub.stats());
    Ok(())
}

/// Revoking a lease ends all streams of the principal, while they wait.
pub async fn g9_a_revoked_lease_ends_only_its_own_streams(app: &dyn App) -> Outcome {
    let mut server = Server::start(app, Settings::quiet()).await?;
    let mut anns = Vec::new();
    for _ in 0..3 {
        anns.push(server.stream(Request::get(of("ann"))).await?);
    }
    let mut bob = server.stream(Request::get(of("bob"))).await?;
    server.lease("ann").revoke();
    server.publish("shared", "after").await?;
    for ann in &mut anns {
        ann.to_end().await?;
        ensure!(ann.text_after_first_checkpoint().lines().all(is_retry), "{:?}", ann.text());
        let end = server.ended().await?.end;
        ensure!(matches!(end, EndReason::Expired), "the hook was told {end}");
    }
    bob.until_text("data: after\n").await
}

/// A reader that did not read an event in time does not get it.
pub async fn g9_what_is_pending_when_a_lease_ends_is_not_sent(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mut slow = server.send(Request::get(of("ann")).narrow()).await?;
    let mut healthy = server.stream(Request::get(of("bob"))).await?;
    let large = "x".repeat(EVENT_BYTES);
    for n in 1..=EVENTS {
        server.publish("shared", &large).await?;
        healthy.until("a large event", |healthy| healthy.body().len() > n * EVENT_BYTES).await?;
    }
    server.lease("ann").revoke();
    slow.to_end().await?;
    let got = slow.told();
    ensure!(got.len() < EVENTS, "everything was sent");
    ensure!(got.iter().all(|told| told.data.len() == EVENT_BYTES), "an event arrived cut");
    Ok(())
}

/// The answer reveals neither kept events nor gaps: a browser gets a `retry`, other clients get 503.
pub async fn g9_a_lease_that_is_over_reads_nothing(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    server.publish("shared", "kept").await?;
    server.lease("ann").revoke();
    let target = format!("{}&start=earliest", of("ann"));
    for request in [browser(&target), browser(&target).after("elsewhere")] {
        let mut answer = server.send(request).await?;
        answer.to_end().await?;
        ensure_eq!((answer.status(), answer.header("sse-gap")), (200, None));
        ensure!(!answer.body().is_empty() && answer.text().lines().all(is_retry), "{:?}", answer.text());
    }
    for accept in ["*/*", "application/json", "application/x-ndjson"] {
        let mut answer = server.send(Request::get(&target).header("Accept", accept)).await?;
        answer.to_end().await?;
        ensure_eq!((answer.status(), answer.header("sse-gap")), (503, None));
        ensure!(answer.text().contains("permission has ended"), "{accept}: {}", answer.text());
    }
    Ok(())
}
