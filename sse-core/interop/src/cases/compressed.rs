use std::time::Duration;

use sse_testkit::{Failed, Outcome, Request};
use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};

use crate::{App, PATIENCE, app::spawn};

/// curl decompresses each event as it comes, and finds the end of the stream correct.
///
/// # Errors
/// If a check fails, or if curl is not installed.
pub async fn curl_reads_compressed(program: &str) -> Outcome {
    let app = App::start(program, &["--compress", "--keep-alive", "1"]).await?;
    let url = format!("http://{}/events?topic=prices", app.address());
    let mut curls = Vec::new();
    for _ in 0..2 {
        let curl = spawn(Command::new("curl").args([
            "--silent",
            "--show-error",
            "--no-buffer",
            "--compressed",
            &url,
        ]));
        let mut curl = curl.map_err(|error| Failed::new(format!("{error:?}: apt-get install curl")))?;
        let stdout = curl.stdout.take().ok_or_else(|| Failed::new("no stdout"))?;
        curls.push((curl, stdout, String::new()));
    }
    // Both are connected; a keep-alive soon separates one of them.
    for (_, stdout, text) in &mut curls {
        until(stdout, text, "retry: ").await?;
    }
    let mut expected = String::new();
    for n in 0..150 {
        let data = format!("{{\"symbol\":\"EURUSD\",\"bid\":1.08{n:03}}}");
        let id = app.publish("prices", &data).await?;
        expected.push_str(&format!("data: {data}\nid: {id}\n\n"));
        for (_, stdout, text) in &mut curls {
            until(stdout, text, &data).await?;
        }
        if n == 75 {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
        }
    }
    app.json(200, Request::post("/finish?topic=prices", "")).await?;
    for (mut curl, mut stdout, mut text) in curls {
        timeout(PATIENCE, stdout.read_to_string(&mut text)).await??;
        let status = timeout(PATIENCE, curl.wait()).await??;
        assert!(status.success(), "curl: {status}");
        assert!(text.ends_with("\n\n") && text.contains("event: sse.end\n"), "{text}");
        let told: String = text.split_inclusive('\n').filter(|line| !line.starts_with("retry: ")).collect();
        // The application's metrics advance the hub's head, so there are checkpoints.
        let told: String =
            told.split_inclusive("\n\n").filter(|block| !block.starts_with("event: sse.")).collect();
        assert_eq!(told, expected);
    }
    let plain = app.send(Request::get("/events?topic=other")).await?;
    assert_eq!(
        (plain.header("content-encoding"), plain.header("vary")),
        (None, Some("accept, accept-encoding"))
    );
    Ok(())
}

/// Reads until the text contains `what`.
async fn until(from: &mut tokio::process::ChildStdout, text: &mut String, what: &str) -> Outcome {
    let searched = text.len();
    while !text.get(searched..).is_some_and(|new| new.contains(what)) {
        let mut bytes = [0; 4096];
        let read = timeout(PATIENCE, from.read(&mut bytes)).await;
        let read = read.map_err(|_| Failed::new(format!("waited in vain for {what}:\n{text}")))??;
        if read == 0 {
            return Err(Failed::new(format!("ended before {what}:\n{text}")));
        }
        text.push_str(&String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()));
    }
    Ok(())
}
