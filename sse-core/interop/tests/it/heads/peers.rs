//! The clients, each of which reads every head once.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use futures_util::StreamExt;
use serde_json::{Value, json};
use sse_core::{
    EventSource,
    client::{Backoff, ClientEvent},
};
use sse_interop::{Engine, PATIENCE, Session};
use sse_testkit::{Failed, Outcome};
use tokio::{process::Command, time::timeout};

/// The behaviour of a page's `EventSource` with each head: it reports the first thing that happens.
const PAGE: &str = r"
window.seen = [];
const one = (at) => new Promise((done) => {
    const source = new EventSource(`/${at}`);
    const end = (what) => { source.close(); window.seen[at] ??= what; done(); };
    source.onmessage = (event) => end(event.data === 'hello' ? 'reads' : 'garbles');
    source.onerror = () => end(source.readyState === EventSource.CLOSED ? 'refuses' : 'retries');
    setTimeout(() => end('waits'), 20000);
});
(async () => {
    for (let at = 0; at < arguments[0]; at++) await one(at);
    window.hasSeenAll = true;
})();
";

/// The behaviour of Chromium.
pub async fn chromium(server: SocketAddr, count: usize) -> Outcome<Vec<String>> {
    let page = Session::open(Engine::Chromium).await?;
    page.go(&format!("http://{server}/")).await?;
    page.run(PAGE, json!([count])).await?;
    page.until("window.hasSeenAll === true").await?;
    texts(&page.value("window.seen").await?)
}

/// The behaviour of Node's `fetch` and of the `EventSource` of npm.
pub async fn node(server: SocketAddr, count: usize, tools: &Path) -> Outcome<(Vec<String>, Vec<String>)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/heads.mjs");
    let mut command = Command::new(tools.join("node/bin/node"));
    command.arg(script).args([format!("http://{server}"), count.to_string()]).env("SSE_TOOLS", tools);
    let output = timeout(PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output()).await??;
    let seen: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| Failed::new(format!("{error}: {}", String::from_utf8_lossy(&output.stderr))))?;
    Ok((texts(&seen["fetch"])?, texts(&seen["eventsource"])?))
}

/// The behaviour of curl: it can read a head if it prints the event.
pub async fn curl(server: SocketAddr, count: usize) -> Outcome<Vec<String>> {
    let mut seen = Vec::new();
    for at in 0..count {
        let mut command = Command::new("curl");
        command.args(["-sN", "--noproxy", "*", &format!("http://{server}/{at}")]);
        let output = timeout(PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output()).await??;
        let is_read = output.stdout == b"data: hello\n\n";
        seen.push(
            if is_read {
                "reads"
            } else if output.status.success() {
                "garbles"
            } else {
                "refuses"
            }
            .to_owned(),
        );
    }
    Ok(seen)
}

/// The behaviour of our client.
pub async fn ours(server: SocketAddr, count: usize) -> Outcome<Vec<String>> {
    let mut seen = Vec::new();
    for at in 0..count {
        seen.push(timeout(PATIENCE, one(format!("http://{server}/{at}"))).await??);
    }
    Ok(seen)
}

async fn one(url: String) -> Outcome<String> {
    /// More attempts in a row than the client makes for a response that it can never read.
    const ENDLESS: usize = 5;

    let backoff = Backoff::default().min(Duration::from_millis(1)).max(Duration::from_millis(1));
    let mut events = EventSource::get(url).backoff(backoff).events()?;
    let mut tries = 0;
    while let Some(event) = events.next().await {
        match event {
            Ok(ClientEvent::Message(message)) => {
                return Ok(if message.data() == "hello" { "reads" } else { "garbles" }.to_owned());
            }
            Ok(ClientEvent::Disconnected { retry_in: Some(_), .. }) => tries += 1,
            Ok(_) => {}
            Err(_) => break,
        }
        if tries == ENDLESS {
            return Ok("retries".to_owned());
        }
    }
    Ok("refuses".to_owned())
}

fn texts(values: &Value) -> Outcome<Vec<String>> {
    let values = values.as_array().ok_or_else(|| Failed::new(format!("not a list: {values}")))?;
    Ok(values.iter().map(|value| value.as_str().unwrap_or("nothing").to_owned()).collect())
}
