use std::time::Duration;

use sse_testkit::{Outcome, Request};

use crate::App;

/// SIGTERM ends every stream that can be ended, finishes the answers that are under way, and then the process.
///
/// # Errors
/// If not.
pub async fn g13_terminates_with_streams_open(program: &str) -> Outcome {
    let mut app = App::start(program, &["--drain", "3"]).await?;
    let mut idle = app.stream(Request::get("/events?topic=a&topic=b.*")).await?;
    let mut ticks = app.stream(Request::get("/ticks")).await?;
    let mut answer = app.stream(Request::post("/complete", "word ".repeat(20))).await?;
    let mut endless = app.stream(Request::post("/complete", "word ".repeat(10_000))).await?;
    app.terminate().await?;
    idle.to_end().await?;
    ticks.to_end().await?;
    answer.to_end().await?;
    assert_eq!(answer.told().last().map(|told| &*told.data), Some("[DONE]"));
    // It cannot be finished, but it can be ended.
    endless.to_end().await?;
    let ended = app.ended().await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    assert!(ended.took < Duration::from_secs(4), "{:?}", ended.took);
    Ok(())
}

/// A reader that does not read cannot keep the process.
///
/// # Errors
/// If it can.
pub async fn g13_terminates_with_a_reader_that_does_not_read(program: &str) -> Outcome {
    let mut app = App::start(program, &["--drain", "2"]).await?;
    let stalled = app.stream(Request::get("/events?topic=a").narrow()).await?;
    for _ in 0..8 {
        app.publish("a", &"x".repeat(1 << 20)).await?;
    }
    app.terminate().await?;
    let ended = app.ended().await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
    drop(stalled);
    Ok(())
}
