//! What a user sees on the page. The ids of its elements are documented at its top.

use sse_testkit::Outcome;

use crate::{App, Session};

/// The stream is cut, by the server and then by the page, and nothing is missing afterwards.
pub(crate) async fn g17_resumes_after_cuts(program: &str, page: &Session) -> Outcome {
    let app = App::start(program, &[]).await?;
    open(&app, page).await?;
    page.click("cut").await?;
    page.until("window.sseDemo.reconnects === 1").await?;
    page.until(&shows("resume", "exact")).await?;
    page.click("offline").await?;
    page.until("window.sseDemo.reconnects === 2").await?;
    page.until(&shows("resume", "exact")).await?;
    // Only the metrics are published, and the page reads them all: their positions have no holes.
    let seqs = "window.sseDemo.ids.map((id) => Number(id.split('-')[1]))";
    page.until(&format!("{seqs}.length > 12")).await?;
    let are_dense = format!("{seqs}.every((seq, i, seqs) => i === 0 || seq === seqs[i - 1] + 1)");
    assert_eq!(page.value(&are_dense).await?.as_bool(), Some(true), "{}", page.value(seqs).await?);
    page.until("window.sseDemo.gaps === 0").await?;
    page.until(&shows("continuity", "ok")).await
}

/// The server crashes and loses the events in memory: the page gets a gap.
pub(crate) async fn g17_is_told_of_a_restart(program: &str, page: &Session) -> Outcome {
    let app = App::start(program, &[]).await?;
    open(&app, page).await?;
    let addr = app.address().to_string();
    app.kill().await?;
    page.until(&shows("state", "connecting")).await?;
    let _restarted = App::start_at(program, &addr, &[]).await?;
    page.until(&shows("resume", "gap: epoch")).await?;
    page.until("window.sseDemo.gaps === 1").await?;
    page.until(&shows("continuity", "ok")).await?;
    page.click("cut").await?;
    page.until(&shows("resume", "exact")).await
}

/// The server crashes and comes back with its file: the page resumes where it was.
pub(crate) async fn g17_resumes_after_a_crash(program: &str, page: &Session) -> Outcome {
    let directory = tempfile::tempdir()?;
    let file = format!("file:{}", directory.path().join("events.redb").display());
    let app = App::start(program, &["--history", &file]).await?;
    open(&app, page).await?;
    let addr = app.address().to_string();
    app.kill().await?;
    page.until(&shows("state", "connecting")).await?;
    let _restarted = App::start_at(program, &addr, &["--history", &file]).await?;
    page.until(&shows("resume", "exact")).await?;
    page.until("window.sseDemo.gaps === 0").await?;
    page.until(&shows("continuity", "ok")).await
}

/// The job reaches its end, the chat answers, and the tokens arrive.
pub(crate) async fn the_page_works(program: &str, page: &Session) -> Outcome {
    let app = App::start(program, &["--name", "north-1"]).await?;
    open(&app, page).await?;
    page.until(&shows("node", "north-1")).await?;
    page.click("job-start").await?;
    page.until(&shows("job-state", "finished")).await?;
    page.until("['job-progress', 'job-published'].every((id) => document.getElementById(id).position === 1)")
        .await?;
    page.type_into("chat-text", "<b>hello</b>").await?;
    page.click("chat-send").await?;
    page.until("document.getElementById('chat-log').textContent.includes('<b>hello</b>')").await?;
    page.type_into("prompt", "one two  three").await?;
    page.click("complete").await?;
    page.until(&shows("answer-state", "done: 3 tokens")).await?;
    page.until("document.getElementById('answer').textContent === 'one two  three'").await?;
    page.until("document.getElementById('notice').textContent === ''").await?;
    page.until(&shows("continuity", "ok")).await
}

async fn open(app: &App, page: &Session) -> Outcome {
    page.go(&format!("http://{}/", app.address())).await?;
    page.until(&shows("state", "open")).await?;
    page.until("window.sseDemo.ids.length >= 3").await
}

/// Whether an element's text begins with `text`.
fn shows(id: &str, text: &str) -> String {
    format!("document.getElementById('{id}').textContent.startsWith('{text}')")
}
