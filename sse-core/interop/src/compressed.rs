//! The compressed stream, in a browser.

use sse_testkit::Outcome;

use crate::{App, Session};

/// Number of events: enough to join the others' compressor, to be separated from it, and to join again.
const EVENTS: usize = 200;

/// An `EventSource` gets every event of a compressed stream at once, over a cut as well, and a clean end.
///
/// # Errors
/// If a check fails.
pub async fn reads_compressed(program: &str, page: &Session) -> Outcome {
    let app = App::start(program, &["--compress", "--keep-alive", "1"]).await?;
    page.go(&format!("http://{}/stats", app.address())).await?;
    page.value(
        "(() => {
            window.told = [];
            window.opened = 0;
            window.source = new EventSource('/events?topic=prices');
            window.source.onopen = () => window.opened += 1;
            window.source.onmessage = (event) => window.told.push(event.data);
            fetch('/events?topic=prices').then((response) => {
                window.coding = response.headers.get('content-encoding') + ' ' + response.headers.get('vary');
                window.reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
                return window.reader.read();
            }).then(({ value }) => window.first = value);
            return true;
        })()",
    )
    .await?;
    page.until("window.opened === 1 && window.coding === 'gzip accept, accept-encoding'").await?;
    page.until("/^retry: [0-9]+\\n/.test(window.first)").await?;
    for n in 0..EVENTS {
        app.publish("prices", &format!("{{\"symbol\":\"EURUSD\",\"bid\":1.08{n:03}}}")).await?;
        // Each arrives before the next is published.
        if n % 20 == 0 {
            page.until(&format!("window.told.length === {}", n + 1)).await?;
        }
        if n == EVENTS / 2 {
            // Longer than a keep-alive, which each reader gets for itself.
            tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
            app.json(200, sse_testkit::Request::post("/disconnect?topic=prices", "")).await?;
            page.until("window.opened === 2").await?;
        }
    }
    page.until(&format!("window.told.length === {EVENTS}")).await?;
    let in_order = "window.told.every((data, n) => data.endsWith('1.08' + String(n).padStart(3, '0') + '}'))";
    assert_eq!(page.value(in_order).await?.as_bool(), Some(true), "{}", page.value("window.told").await?);
    app.json(200, sse_testkit::Request::post("/finish?topic=prices", "")).await?;
    // The reconnect gets 204, which ends it for good.
    page.until("window.source.readyState === EventSource.CLOSED").await
}
