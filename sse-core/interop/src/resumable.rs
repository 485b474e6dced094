//! `ResumableSource`, the module for pages, in the situations for which it is made. Each test counts what was published
//! and what the page received: nothing is lost, and nothing comes twice.

use serde_json::json;
use sse_testkit::{Outcome, Request};
use tokio::time::{Duration, sleep};

use crate::{
    App, Engine, Gateway, Session, Tab,
    source::{Counter, holds_all, numbers, open},
};

/// A source with a header, which is read by `fetch`, and one without, which begins as an `EventSource`.
const BOTH: [&str; 2] = ["{}", "{ headers: { 'x-any': '1' } }"];

/// The sources share one connection.
const SHARED: &str = "{ share: 'anna' }";

const STREAM: &str = "text/event-stream";
const PAGE: &str = "application/json";

/// The application behind a gateway, while numbers are published.
struct Scene<'a> {
    // Kept, because dropping it ends the application.
    _app: App,
    gateway: Gateway,
    counter: Counter,
    page: &'a Session,
}

impl<'a> Scene<'a> {
    async fn begin(program: &str, flags: &[&str], page: &'a Session) -> Outcome<Self> {
        let app = App::start(program, flags).await?;
        let gateway = Gateway::start(app.address())?;
        let counter = Counter::start(&app);
        Ok(Self { _app: app, gateway, counter, page })
    }

    /// Opens a source in the current tab and waits until it has received numbers.
    async fn open(&self, options: &str) -> Outcome {
        self.page.go(&self.gateway.url("/stats")).await?;
        open(self.page, "/events?topic=a", options, "").await?;
        self.page.until("read.numbers.length >= 3").await
    }

    /// Stops publishing; every tab holds all numbers. Prints how many.
    async fn end(self, tabs: &[Tab], what: &str) -> Outcome {
        let last = self.counter.stop().await?;
        let mut sent = Vec::new();
        if tabs.is_empty() {
            sent.push(holds_all(self.page, last).await?);
        }
        for tab in tabs {
            self.page.switch_to(tab).await?;
            sent.push(holds_all(self.page, last).await?);
        }
        println!("  {what}: events sent {sent:?}, lost 0, twice 0");
        self.page.run("read.source.close()", json!([])).await?;
        Ok(())
    }
}

/// Waits until the source of the current tab has received this many further numbers.
async fn hears_more(page: &Session, count: usize) -> Outcome {
    let heard = numbers(page).await?.len();
    page.until(&format!("read.numbers.length >= {}", heard + count)).await
}

/// A finished topic closes the source: one more request, which is answered 204, and no other.
pub(crate) async fn stops_at_204(program: &str, page: &Session) -> Outcome {
    for options in BOTH {
        let app = App::start(program, &[]).await?;
        let gateway = Gateway::start(app.address())?;
        page.go(&gateway.url("/stats")).await?;
        open(page, "/events?topic=a", options, "").await?;
        page.until("read.source.state === 'live'").await?;
        app.publish("a", "0").await?;
        app.json(200, Request::post("/finish?topic=a", "")).await?;
        page.until("read.source.readyState === 2 && read.ends === 1").await?;
        assert_eq!(page.value("[read.numbers, read.source.reason]").await?, json!([[0], "ended"]));
        let requests = gateway.requests(STREAM).len();
        sleep(Duration::from_secs(4)).await;
        assert_eq!(gateway.requests(STREAM).len(), requests, "it came back");
    }
    Ok(())
}

/// Wrong options throw a `TypeError` that names the option and what is possible.
pub(crate) async fn reports_wrong_options(program: &str, page: &Session) -> Outcome {
    let app = App::start(program, &[]).await?;
    page.go(&format!("http://{}/stats", app.address())).await?;
    for (options, named) in [
        ("{ header: {} }", "header"),
        ("{ share: true }", "share"),
        ("{ retry: { attempt: 3 } }", "attempt"),
        ("{ topics: 'a' }", "topics"),
        ("{ silence: '5' }", "silence"),
        ("{ parse: true }", "parse"),
        ("{ value: { snapshot: 5 } }", "snapshot"),
        ("{ fallback: { after: 'soon' } }", "after"),
        ("{ method: 'GET', body: 'x' }", ""),
        ("{ headers: 5 }", ""),
        ("{ credentials: 'yes' }", ""),
        ("{ signal: {} }", ""),
    ] {
        open(page, "/events?topic=a", options, "").await?;
        let failure = page.value("read.failure").await?;
        let failure = failure.as_str().unwrap_or_default();
        assert!(failure.starts_with(&format!("TypeError: {named}")), "{options}: {failure}");
    }
    Ok(())
}

/// The token expires while the stream is cut: the source asks for another one at the 401, and stops at the second.
pub(crate) async fn renews_a_token(program: &str, page: &Session) -> Outcome {
    let mut scene = Scene::begin(program, &[], page).await?;
    scene.gateway.require("1");
    let options = "{ headers: async ({ status }) => {
        read.statuses.push(status ?? null);
        if (status === 401) read.token += 1;
        return { authorization: 'Bearer ' + (read.token ??= 1) };
    } }";
    scene.open(options).await?;
    scene.gateway.require("2");
    scene.gateway.cut().await?;
    hears_more(page, 5).await?;
    assert_eq!(page.value("read.statuses").await?, json!([null, 200, 401]));
    scene.end(&[], "a token that expires").await?;

    let scene = Scene::begin(program, &[], page).await?;
    scene.gateway.require("never");
    page.go(&scene.gateway.url("/stats")).await?;
    open(page, "/events?topic=a", options, "").await?;
    page.until("read.source.state === 'closed'").await?;
    let closed = page.value("[read.statuses, read.source.reason.slice(0, 8)]").await?;
    assert_eq!(closed, json!([[null, 401], "HTTP 401"]));
    Ok(())
}

/// The stream is cut again and again.
pub(crate) async fn resumes_after_a_cut(program: &str, page: &Session) -> Outcome {
    for options in BOTH {
        let mut scene = Scene::begin(program, &[], page).await?;
        scene.open(options).await?;
        for _ in 0..2 {
            scene.gateway.cut().await?;
            // The first number after the cut is heard on the next stream.
            scene.counter.more(1).await?;
            hears_more(page, 10).await?;
        }
        scene.end(&[], "two cuts").await?;
    }
    Ok(())
}

/// The server restarts without its events: the page gets a gap, and then the new events.
pub(crate) async fn reports_a_gap(program: &str, page: &Session) -> Outcome {
    for options in BOTH {
        let mut scene = Scene::begin(program, &[], page).await?;
        scene.open(options).await?;
        let restarted = App::start(program, &[]).await?;
        scene.gateway.lead_to(restarted.address());
        scene.gateway.cut().await?;
        page.until("read.gaps.length === 1").await?;
        assert_eq!(page.value("read.gaps").await?, json!(["epoch"]));
        restarted.publish("a", "1000000").await?;
        page.until("read.numbers.at(-1) === 1000000").await?;
        page.run("read.source.close()", json!([])).await?;
    }
    Ok(())
}

/// Nothing listens for 10 s.
pub(crate) async fn is_offline_for_10_seconds(program: &str, page: &Session) -> Outcome {
    for options in BOTH {
        let mut scene = Scene::begin(program, &[], page).await?;
        scene.open(options).await?;
        scene.gateway.refuse().await?;
        sleep(Duration::from_secs(10)).await;
        scene.gateway.accept()?;
        hears_more(page, 10).await?;
        scene.end(&[], "offline for 10 s").await?;
    }
    Ok(())
}

/// A page that keeps its cursor in a storage continues after a reload.
pub(crate) async fn survives_a_reload(program: &str, page: &Session) -> Outcome {
    let options = "{ storage: sessionStorage }";
    let mut scene = Scene::begin(program, &[], page).await?;
    scene.open(options).await?;
    // What is published while the page is away must come as well.
    let before = page.run("read.source.close(); return read.numbers", json!([])).await?;
    scene.counter.more(10).await?;
    page.go(&scene.gateway.url("/stats?again")).await?;
    open(page, "/events?topic=a", options, "").await?;
    hears_more(page, 10).await?;
    let joined = "read.numbers.unshift(...arguments[0])";
    page.run(joined, json!([before])).await?;
    scene.end(&[], "a reload").await
}

/// A user opens another page and goes back: a kept page misses nothing. Firefox keeps no page with a connection.
pub(crate) async fn goes_back(program: &str, page: &Session) -> Outcome {
    for options in [BOTH[0], BOTH[1], SHARED] {
        let mut scene = Scene::begin(program, &[], page).await?;
        scene.open(options).await?;
        page.go(&scene.gateway.url("/stats?elsewhere")).await?;
        scene.counter.more(10).await?;
        page.back().await?;
        page.until("!location.search.includes('elsewhere')").await?;
        if page.value("typeof window.read").await? == json!("undefined") {
            assert_eq!(page.engine(), Engine::Firefox);
            continue;
        }
        assert_eq!(page.value("read.isRestored").await?, json!(true));
        hears_more(page, 10).await?;
        assert_eq!(scene.gateway.streams().0, 1);
        scene.end(&[], "back from the page cache").await?;
    }
    Ok(())
}

/// Something on the way holds the stream back: the source polls, a few times a second, and returns to the stream when it
/// passes.
pub(crate) async fn polls_behind_a_buffer(program: &str, page: &Session) -> Outcome {
    for options in [
        "{ fallback: { after: 3000, again: 4000 } }",
        "{ fallback: { after: 3000, again: 4000 }, headers: { 'x-any': '1' } }",
    ] {
        let mut scene = Scene::begin(program, &[], page).await?;
        scene.gateway.hold_back(true);
        page.go(&scene.gateway.url("/stats")).await?;
        open(page, "/events?topic=a", options, "").await?;
        page.until("read.source.state === 'polling'").await?;
        let polls = scene.gateway.requests(PAGE).len();
        page.until("read.numbers.length >= 60").await?;
        let polls = scene.gateway.requests(PAGE).len() - polls;
        assert!(polls <= 20, "{polls} polls for 60 events");
        scene.gateway.hold_back(false);
        page.until("read.source.state === 'live'").await?;
        scene.counter.more(5).await?;
        scene.end(&[], "behind a buffer").await?;
    }
    Ok(())
}

/// Streams break at once: the source polls.
pub(crate) async fn polls_where_streams_break(program: &str, page: &Session) -> Outcome {
    let mut scene = Scene::begin(program, &[], page).await?;
    scene.open("{ headers: { 'x-any': '1' }, fallback: { again: 3000 } }").await?;
    while page.value("read.source.state").await? != json!("polling") {
        if scene.gateway.streams().0 > 0 && page.value("read.source.state").await? == json!("live") {
            scene.gateway.cut().await?;
        }
        sleep(Duration::from_millis(100)).await;
        assert!(scene.gateway.requests(STREAM).len() < 20, "{}", page.value("read.states").await?);
    }
    page.until("read.source.state === 'live'").await?;
    scene.counter.more(5).await?;
    scene.end(&[], "streams that break at once").await
}

/// A page of another origin reads with its user's cookie, resumes with it, and loads the module from there.
pub(crate) async fn reads_across_origins(program: &str, page: &Session) -> Outcome {
    let other = App::start(program, &[]).await?;
    let origin = format!("http://{}", other.address());
    for more in ["", ", headers: { 'cache-control': 'no-cache' }"] {
        let mut scene = Scene::begin(program, &["--origin", &origin], page).await?;
        page.go(&format!("{origin}/stats")).await?;
        page.run("document.cookie = 'reader=anna'", json!([])).await?;
        let options = format!("{{ credentials: 'include'{more} }}");
        open(page, &scene.gateway.url("/events?topic=a"), &options, &scene.gateway.url("")).await?;
        page.until("read.numbers.length >= 3").await?;
        scene.gateway.refuse().await?;
        scene.counter.more(10).await?;
        scene.gateway.accept()?;
        hears_more(page, 15).await?;
        let requests = scene.gateway.requests(STREAM);
        let with_cookie = |head: &String| head.to_ascii_lowercase().contains("\r\ncookie: reader=anna\r\n");
        assert!(requests.len() > 1 && requests.iter().all(with_cookie), "{requests:?}");
        scene.end(&[], "another origin").await?;
    }
    Ok(())
}

/// Twelve tabs have one connection, and each has every event, also when the reading tabs leave.
pub(crate) async fn has_one_connection_for_12_tabs(program: &str, page: &Session) -> Outcome {
    let mut scene = Scene::begin(program, &[], page).await?;
    let mut tabs = vec![page.tab().await?];
    scene.open(SHARED).await?;
    for _ in 1..12 {
        tabs.push(page.open_tab().await?);
        scene.open(SHARED).await?;
    }
    scene.counter.more(10).await?;
    // Each new tab begins with a short stream of its own.
    let (now, most) = scene.gateway.streams();
    assert!(now == 1 && most <= 2, "{now} streams now, {most} at most");
    // All return to one connection after a cut.
    scene.gateway.cut().await?;
    hears_more(page, 10).await?;
    assert_eq!(scene.gateway.streams().0, 1);
    scene.end(&tabs, "twelve tabs").await?;
    close_others(page, &tabs).await
}

/// The tab that reads is closed, navigates or crashes in the middle of the stream: another goes on.
pub(crate) async fn outlives_the_reading_tab(program: &str, page: &Session) -> Outcome {
    let mut scene = Scene::begin(program, &[], page).await?;
    let first = page.tab().await?;
    let mut tabs = Vec::new();
    for _ in 0..4 {
        tabs.push(page.open_tab().await?);
        scene.open(SHARED).await?;
    }
    // They lead in the order in which they were opened.
    page.switch_to(&tabs[0]).await?;
    page.close_tab().await?;
    page.switch_to(&tabs[1]).await?;
    hears_more(page, 10).await?;
    page.go("about:blank").await?;
    page.switch_to(&tabs[2]).await?;
    hears_more(page, 10).await?;
    let mut left = &tabs[2..];
    if page.engine() == Engine::Chromium {
        // The command is not answered, because the tab has crashed.
        let _ = tokio::time::timeout(Duration::from_secs(2), page.go("chrome://crash")).await;
        left = &tabs[3..];
    }
    page.switch_to(&tabs[3]).await?;
    hears_more(page, 10).await?;
    assert_eq!(scene.gateway.streams().0, 1);
    scene.counter.more(1).await?;
    scene.end(left, "the reading tab left three times").await?;
    for tab in &tabs[1..] {
        page.switch_to(tab).await?;
        page.close_tab().await?;
    }
    page.switch_to(&first).await
}

/// The script of the tab that reads runs for 25 s: another takes over meanwhile, and then there is one connection again.
pub(crate) async fn outlives_a_tab_that_hangs(program: &str, page: &Session) -> Outcome {
    let scene = Scene::begin(program, &[], page).await?;
    let options = "{ share: 'anna', silence: 2000 }";
    let mut tabs = vec![page.tab().await?];
    scene.open(options).await?;
    for _ in 1..3 {
        tabs.push(page.open_tab().await?);
        scene.open(options).await?;
    }
    page.switch_to(&tabs[0]).await?;
    let hang = "setTimeout(() => { for (const end = Date.now() + 25_000; Date.now() < end;); }, 100)";
    page.run(hang, json!([])).await?;
    page.switch_to(&tabs[1]).await?;
    sleep(Duration::from_secs(1)).await;
    hears_more(page, 10).await?;
    scene.end(&tabs, "the reading tab hangs").await?;
    close_others(page, &tabs).await
}

/// Closes all tabs but the first, which stays for the next test.
async fn close_others(page: &Session, tabs: &[Tab]) -> Outcome {
    for tab in tabs.iter().skip(1) {
        page.switch_to(tab).await?;
        page.close_tab().await?;
    }
    match tabs.first() {
        Some(first) => page.switch_to(first).await,
        None => Ok(()),
    }
}
