//! The shop, with its own PostgreSQL.

use sse_interop::{App, Engine, Outcome, Session};
use sse_testkit::Request;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-orders");

/// Posts a form, and expects this status.
async fn post(app: &App, status: u16, path: &str, fields: &str) -> Outcome {
    let form = Request::post(path, fields).header("content-type", "application/x-www-form-urlencoded");
    let mut answer = app.send(form).await?;
    answer.to_end().await?;
    assert_eq!(answer.status(), status, "{}", answer.text());
    Ok(())
}

/// Ends the program as a user does: if it were killed, it could not end its PostgreSQL, which would outlive the test.
async fn end(mut app: App) -> Outcome {
    app.terminate().await?;
    let ended = app.ended().await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    Ok(())
}

/// The page shows what commits, live, and nothing of what is rolled back or refused.
#[tokio::test]
async fn the_page_shows_what_commits_and_nothing_else() -> Outcome {
    let app = App::start(PROGRAM, &[]).await?;
    let page = Session::open(Engine::Chromium).await?;
    page.go(&format!("http://{}/", app.address())).await?;
    let stock = |product: &str, stock: u32| {
        format!("document.getElementById('stocks-{product}')?.cells[1].textContent === '{stock}'")
    };
    page.until(&stock("tea", 20)).await?;
    // An order publishes, and so does the trigger on its product.
    page.until("document.getElementById('log').childElementCount === 0").await?;
    post(&app, 200, "/orders", "product=tea&ending=commit").await?;
    page.until(&stock("tea", 19)).await?;
    page.until("document.querySelector('#orders-1 td:nth-child(3)')?.textContent === 'new'").await?;
    page.until("document.getElementById('log').childElementCount === 2").await?;
    // Rolled back, and refused by the database: there is no such product.
    page.click("rollback").await?;
    page.until("document.getElementById('answer').textContent.includes('rolled back')").await?;
    post(&app, 409, "/orders", "product=gold&ending=commit").await?;
    // Another transaction after them arrives as the next event.
    post(&app, 200, "/payments", "ending=commit").await?;
    page.until("document.querySelector('#orders-1 td:nth-child(3)')?.textContent === 'paid'").await?;
    page.until("document.getElementById('log').childElementCount === 3").await?;
    page.until(&stock("tea", 19)).await?;
    end(app).await
}
