use std::time::Duration;

use sse_testkit::{Outcome, Request};

use crate::App;

/// SIGTERM ends every stream that can be ended, completes the answers in progress, and then ends the process.
///
/// # Errors
/// If a check fails.
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
    // It cannot be completed, but it can be ended.
    endless.to_end().await?;
    let ended = app.ended().await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    assert!(ended.took < Duration::from_secs(4), "{:?}", ended.took);
    Ok(())
}

/// A stalled reader cannot keep the process alive.
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

/// A second signal ends the process at once, although minutes of the drain remain; its exit code names the signal.
///
/// # Errors
/// If it does not.
pub async fn h5_a_second_signal_ends_at_once(program: &str) -> Outcome {
    for (first, second, code) in
        [("TERM", "TERM", 143), ("INT", "INT", 130), ("TERM", "INT", 130), ("INT", "TERM", 143)]
    {
        let mut app = App::start(program, &["--drain", "3600"]).await?;
        let mut endless = app.stream(Request::post("/complete", "word ".repeat(10_000))).await?;
        // It ends as soon as the drain has begun, so the second signal comes after that.
        let mut ticks = app.stream(Request::get("/ticks")).await?;
        app.signal(first).await?;
        ticks.to_end().await?;
        let length = endless.body().len();
        endless.until("a word in the drain", |endless| endless.body().len() > length).await?;
        app.signal(second).await?;
        let ended = app.ended().await?;
        assert_eq!(ended.code, Some(code), "{first}, {second}: {}", ended.stderr);
    }
    Ok(())
}
