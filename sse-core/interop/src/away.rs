//! The answers of a proxy with the document's settings for an application that fails or is down.

use serde_json::json;
use sse_testkit::{Exchange, Failed, Outcome, Request};

use crate::{App, Engine, Front, PATIENCE, Proxy, Reading, Session, Settings};

/// The origin of a page that is not the application's own.
const PAGE: &str = "https://page.example";

/// Maximum size of a history's file, in blocks of 512 bytes, and a number of events of [`LARGE`] bytes that exceeds it.
const BLOCKS: usize = 4 << 10;
const LARGE: usize = 256 << 10;
const TOO_MANY: usize = 64;

async fn ask(front: &Front, request: Request) -> Outcome<Exchange> {
    let mut answer = Exchange::send(front.address(), request, PATIENCE).await?;
    answer.to_end().await?;
    Ok(answer)
}

/// A failed publish gets an error status from either side: the application whose disk is full, or the proxy while the
/// application is down. In that case only a GET that accepts an event stream gets 200.
///
/// # Errors
/// If a check fails.
pub async fn h1_an_error_is_never_2xx(program: &str, proxy: Proxy) -> Outcome {
    let directory = tempfile::tempdir()?;
    let file = format!("file:{}", directory.path().join("events.redb").display());
    let app = App::start_on_full_disk(program, BLOCKS, &["--history", &file]).await?;
    let front = Front::start(proxy, Settings::Documented, app.address()).await?;
    let publish = |size: usize| Request::post("/publish?topic=a", "x".repeat(size));
    let mut failed = None;
    for _ in 0..TOO_MANY {
        let answer = ask(&front, publish(LARGE)).await?;
        if answer.status() != 200 {
            failed = Some(answer);
            break;
        }
    }
    let failed = failed.ok_or_else(|| Failed::new("the disk is not full"))?;
    assert_eq!(failed.status(), 503, "{}", failed.head());
    assert_eq!(failed.header("content-type"), Some("application/json"), "{}", failed.text());
    assert!(failed.text().contains("error"), "{}", failed.text());

    app.kill().await?;
    let stream = "text/event-stream";
    for request in [
        publish(1),
        publish(1).header("Accept", stream),
        Request::post("/events?topic=a", "x").header("Accept", stream),
        Request::delete("/events?topic=a").header("Accept", stream),
        Request::head("/events?topic=a").header("Accept", stream),
        Request::options("/events?topic=a").header("Accept", stream).header("Origin", PAGE),
        Request::get("/events?topic=a"),
        Request::get("/events?topic=a").header("Accept", "*/*"),
        Request::get("/events?topic=a").header("Accept", "application/json"),
        Request::get("/").header("Accept", "text/html,*/*;q=0.8"),
    ] {
        let said = format!("{request:?}");
        let answer = ask(&front, request).await?;
        assert!((500..600).contains(&answer.status()), "{said}: {}", answer.head());
        assert_ne!(answer.header("content-type"), Some(stream), "{said}: {}", answer.head());
    }
    for origin in [None, Some(PAGE)] {
        let request = Request::get("/events?topic=a").header("Accept", stream);
        let request = origin.iter().fold(request, |request, origin| request.header("Origin", origin));
        let answer = ask(&front, request).await?;
        assert_eq!((answer.status(), &*answer.text()), (200, "retry: 5000\n"), "{}", answer.head());
        assert_eq!(answer.header("content-type"), Some(stream));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("vary").map(str::to_ascii_lowercase).as_deref(), Some("accept, origin"));
        assert_eq!(answer.header("access-control-allow-origin"), origin);
    }
    Ok(())
}

/// A preflight passes, and so does a publish of a page of the same origin; refused requests stay refused.
///
/// # Errors
/// If a check fails.
pub async fn h1_preflights_pass(program: &str, proxy: Proxy) -> Outcome {
    let app = App::start(program, &["--origin", PAGE]).await?;
    let front = Front::start(proxy, Settings::Documented, app.address()).await?;
    let target = "/tenant?topic=tenant.acme.orders";
    let preflight = Request::options(target)
        .header("Origin", PAGE)
        .header("Sec-Fetch-Site", "cross-site")
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "last-event-id");
    let answer = ask(&front, preflight.clone()).await?;
    assert_eq!(answer.status(), 204, "{}", answer.head());
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{}", answer.head());
    let allowed = answer.header("access-control-allow-headers").unwrap_or_default();
    assert!(allowed.contains("last-event-id"), "{}", answer.head());

    let own = format!("http://{}", front.address());
    let publish = |origin: &str, site: &str| {
        let request = Request::post(target, "x").header("X-Tenant", "acme");
        request.header("Origin", origin).header("Sec-Fetch-Site", site)
    };
    let answer = ask(&front, publish(&own, "same-origin")).await?;
    assert_eq!(answer.status(), 200, "{}\n{}", answer.head(), answer.text());
    let answer = ask(&front, publish("https://evil.example", "cross-site")).await?;
    assert_eq!(answer.status(), 403, "{}\n{}", answer.head(), answer.text());

    app.kill().await?;
    let answer = ask(&front, preflight).await?;
    assert!((500..600).contains(&answer.status()), "{}", answer.head());
    Ok(())
}

/// In a browser: the stream of a page of another origin outlives the application's restart, and Back shows the page.
///
/// # Errors
/// If a check fails.
pub async fn h1_a_page_of_another_origin_survives(program: &str, proxy: Proxy) -> Outcome {
    let other = App::start(program, &[]).await?;
    let origin = format!("http://{}", other.address());
    let directory = tempfile::tempdir()?;
    let file = format!("file:{}", directory.path().join("events.redb").display());
    let flags = ["--history", &*file, "--origin", &*origin];
    let app = App::start(program, &flags).await?;
    let address = app.address().to_string();
    let front = Front::start(proxy, Settings::Documented, app.address()).await?;
    let page = Session::open_without_page_cache(Engine::Chromium).await?;

    page.go(&format!("{origin}/stats")).await?;
    let stream = front.url(false, "/events?topic=a");
    Reading::read_in(&page, &stream, json!({ "withCredentials": true })).await?;
    app.publish("a", "0").await?;
    page.until("read.told.length === 1").await?;
    app.kill().await?;
    // The proxy's answers are streams that open and end.
    page.until("read.opens >= 2").await?;
    assert_eq!(page.value("read.source.readyState === EventSource.CLOSED").await?, false);
    let app = App::start_at(program, &address, &flags).await?;
    app.publish("a", "1").await?;
    page.until("read.told.length === 2").await?;
    assert_eq!(page.value("read.told.map(({ data }) => data)").await?, json!(["0", "1"]));

    back_shows_the_page(&page, &front.url(false, "/events?topic=b"), &origin).await
}

/// A route with a page, a stream and JSON at one address: Back shows the page, and not the last response.
///
/// # Errors
/// If a check fails.
pub async fn h2_back_shows_the_page(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let other = App::start(program, &[]).await?;
    let page = Session::open_without_page_cache(Engine::Chromium).await?;
    let address = format!("http://{}/events?topic=a", app.address());
    back_shows_the_page(&page, &address, &format!("http://{}", other.address())).await
}

async fn back_shows_the_page(page: &Session, address: &str, elsewhere: &str) -> Outcome {
    page.go(address).await?;
    page.until("document.contentType === 'text/html'").await?;
    for accept in ["application/json", "application/json, text/plain, */*"] {
        let fetched = "window.kind = undefined;
            fetch(location.href, { headers: { accept: arguments[0] } })
                .then(async (answer) => { await answer.text(); window.kind = answer.headers.get('content-type'); });";
        page.run(fetched, json!([accept])).await?;
        page.until("window.kind === 'application/json'").await?;
        page.go(&format!("{elsewhere}/stats")).await?;
        page.back().await?;
        page.until("location.pathname === '/events'").await?;
        let shown = page.value("[document.contentType, document.title !== '']").await?;
        assert_eq!(shown, json!(["text/html", true]), "{}", page.value("document.body.innerText").await?);
        assert_eq!(page.value("typeof window.kind").await?, "undefined", "kept by the page cache");
    }
    Ok(())
}
