//! Compressed responses.

use std::io::Write as _;

use sse_core::Event;

use crate::{
    App, Exchange, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// The whole head of a compressed response, except the date.
const HEAD: &str = "http/1.1 200 ok
cache-control: no-cache, no-transform
content-encoding: gzip
content-type: text/event-stream
transfer-encoding: chunked
vary: accept, accept-encoding
x-accel-buffering: no";

const EVENTS: usize = 100;

/// Readers with gzip receive the same as a reader without, each event at once, and their streams end as gzip ends.
pub async fn compressed_readers_are_told_the_same_at_once(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mut plain = server.stream(Request::get("/compressed?topic=a")).await?;
    let mut readers = vec![compressed(&server).await?, compressed(&server).await?];
    let mut missed = String::new();
    for n in 0..EVENTS {
        let data = format!("{{\"symbol\":\"EURUSD\",\"bid\":1.08{n:03},\"volume\":{}}}", n * 7);
        server.publish("a", &data).await?;
        plain.until_text(&data).await?;
        for reader in &mut readers {
            let told = |reader: &Exchange| unzipped(reader.body()).text.contains(&data);
            reader.until(&format!("event {n}, decompressed"), told).await?;
        }
        if n == EVENTS / 3 {
            readers.push(compressed(&server).await?);
            missed = after_first_block(&plain.text()).to_owned();
        }
    }
    server.send(Request::post("/finish?topic=a", "")).await?;
    plain.to_end().await?;
    let said = plain.text();
    let said = after_first_block(&said);
    for (missed, mut reader) in ["", "", &missed].into_iter().zip(readers) {
        reader.to_end().await?;
        let Unzipped { text, is_whole } = unzipped(reader.body());
        ensure!(is_whole, "the gzip stream is cut off");
        ensure_eq!(Some(after_first_block(&text)), said.strip_prefix(missed));
        ensure!(reader.body().len() < text.len(), "{} of {} bytes", reader.body().len(), text.len());
    }
    Ok(())
}

/// A client gets only an accepted encoding, and the response announces to caches that it varies.
pub async fn accept_encoding_decides_about_compression(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::scripted([Event::message("once")])).await?;
    for codings in [None, Some("br"), Some("gzip;q=0, *"), Some("identity")] {
        let mut request = Request::get("/compressed?topic=a");
        if let Some(codings) = codings {
            request = request.header("Accept-Encoding", codings);
        }
        let answer = server.stream(request).await?;
        ensure_eq!(answer.header("content-encoding"), None);
        ensure_eq!(answer.header("vary"), Some("accept, accept-encoding"));
        ensure!(answer.text().starts_with("retry: "), "{codings:?}: {}", answer.text());
    }
    ensure_eq!(server.get("/script").await?.header("vary"), None);
    Ok(())
}

/// A subscribed reader that accepts gzip.
async fn compressed(server: &Server) -> Outcome<Exchange> {
    let request = Request::get("/compressed?topic=a").header("Accept-Encoding", "br, gzip;q=0.5");
    let mut reader = server.send(request).await?;
    ensure_eq!(reader.head(), HEAD);
    reader.until("the first block", |reader| unzipped(reader.body()).text.ends_with("\n\n")).await?;
    Ok(reader)
}

pub(super) struct Unzipped {
    pub(super) text: String,
    /// Whether the trailer is present and correct.
    is_whole: bool,
}

/// The bytes that a client has decompressed so far.
pub(super) fn unzipped(bytes: &[u8]) -> Unzipped {
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    let is_valid = decoder.write_all(bytes).and_then(|()| decoder.flush()).is_ok();
    let text = String::from_utf8_lossy(decoder.get_ref()).into_owned();
    Unzipped { text, is_whole: is_valid && decoder.try_finish().is_ok() }
}

/// The text after the `retry` line and the first checkpoint, which differ for each reader.
fn after_first_block(text: &str) -> &str {
    text.split_once("\n\n").map_or("", |(_, rest)| rest)
}
