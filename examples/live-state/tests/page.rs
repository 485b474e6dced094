//! The page of the board in real browsers: one object, whatever happens to the connection.

use serde_json::json;
use sse_interop::{App, Engine, Outcome, Session};

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-live-state");

/// Waits until the lists of the current tab have these texts.
async fn shows(page: &Session, todo: &str, done: &str) -> Outcome {
    let texts =
        |id: &str| format!("[...document.querySelectorAll('#{id} button')].map((b) => b.textContent).join()");
    page.until(&format!("{} === '{todo}' && {} === '{done}'", texts("todo"), texts("done"))).await
}

async fn add(page: &Session, text: &str) -> Outcome {
    page.type_into("text", text).await?;
    page.click("send").await
}

async fn all_tabs_have_one_board(engine: Engine) -> Outcome {
    let app = App::start(PROGRAM, &[]).await?;
    let address = app.address().to_string();
    let page = Session::open(engine).await?;
    let url = format!("http://{address}/");
    let first = page.tab().await?;
    page.go(&url).await?;
    page.until("window.source?.value === null").await?;
    add(&page, "write").await?;
    shows(&page, "write", "").await?;

    // A new tab gets the whole, and both get the changes.
    let second = page.open_tab().await?;
    page.go(&url).await?;
    shows(&page, "write", "").await?;
    add(&page, "test").await?;
    shows(&page, "write,test", "").await?;
    page.switch_to(&first).await?;
    shows(&page, "write,test", "").await?;
    page.run("document.querySelector('#todo button').click()", json!([])).await?;
    shows(&page, "test", "write").await?;
    page.switch_to(&second).await?;
    shows(&page, "test", "write").await?;

    // The server loses its board: the pages get a gap, and the new board.
    page.run("window.gaps = 0; window.source.ongap = () => { window.gaps += 1; }", json!([])).await?;
    app.kill().await?;
    let _restarted = App::start_at(PROGRAM, &address, &[]).await?;
    page.until("window.gaps === 1").await?;
    page.until("window.source.value === null").await?;
    shows(&page, "", "").await?;
    add(&page, "begin anew").await?;
    shows(&page, "begin anew", "").await?;
    page.switch_to(&first).await?;
    shows(&page, "begin anew", "").await
}

#[tokio::test]
async fn chromium() -> Outcome {
    all_tabs_have_one_board(Engine::Chromium).await
}

#[tokio::test]
async fn firefox() -> Outcome {
    all_tabs_have_one_board(Engine::Firefox).await
}

#[tokio::test]
async fn webkit() -> Outcome {
    all_tabs_have_one_board(Engine::WebKit).await
}
