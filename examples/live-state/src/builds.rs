//! Builds: they run whether they are read or not, and late readers get them from the start.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use sse_axum::{
    Event, Result, Run, Sse, SseRequest, Start, Topic,
    error::{InvalidTopic, RunError},
};

use crate::App;

/// Number of steps of a build, and the duration of each.
const STEPS: (u32, Duration) = (10, Duration::from_millis(200));

/// `POST /builds/NAME`: starts a build.
pub(crate) async fn start(
    State(App { hub, .. }): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    let run = hub.start_run(topic(&name)?)?;
    tokio::spawn(build(run));
    Ok(StatusCode::ACCEPTED)
}

/// `GET /builds/NAME`: sends its steps from the first one on, then `sse.end`, and 204 to readers that reconnect.
/// Answers 404 for a build that was never started, because its stream would never end.
pub(crate) async fn read(
    State(App { hub, .. }): State<App>,
    Path(name): Path<String>,
    request: SseRequest,
) -> Result {
    Ok(Sse::new(hub.subscribe(topic(&name)?).request(request).start(Start::Earliest).existing().await?))
}

/// `DELETE /builds/NAME`: stops the work, on whichever node it runs.
pub(crate) async fn stop(State(App { hub, .. }): State<App>, Path(name): Path<String>) -> Result<StatusCode> {
    let is_known = hub.stop_run(topic(&name)?).await?;
    Ok(if is_known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

/// The topic of a build. The name comes from the URL: whatever it holds, it is one part and never a wildcard.
fn topic(name: &str) -> std::result::Result<Topic, InvalidTopic> {
    Topic::from_parts(["builds", name])
}

async fn build(run: Run) -> std::result::Result<(), RunError> {
    let (steps, pause) = STEPS;
    for step in 1..=steps {
        tokio::select! {
            () = run.stopped() => {
                run.publish(Event::message("stopped")).await?;
                break;
            }
            () = tokio::time::sleep(pause) => {
                run.publish(Event::message(format!("step {step} of {steps}"))).await?;
            }
        }
    }
    run.finish().await.map(|_| ())
}
