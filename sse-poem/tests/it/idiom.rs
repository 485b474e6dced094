//! Features of Poem alone: one error type for all handlers, and a middleware that compresses.

use std::{io::Write as _, time::Duration};

use flate2::write::GzDecoder;
use futures_util::StreamExt as _;
use poem::{Endpoint, EndpointExt, IntoResponse, Request, handler, middleware::Compression, web::Data};
use sse_poem::{Event, Hub, Sse};

#[tokio::test]
async fn an_error_becomes_poems_own_with_the_same_answer() {
    let hub = Hub::memory();
    let handler = async || -> poem::Result<Sse> {
        hub.publish("a.*", Event::message("x")).await.map_err(sse_poem::Error::from)?;
        Ok(Sse::new(hub.subscribe("a").await.map_err(sse_poem::Error::from)?))
    };
    let error = handler().await.unwrap_err();
    assert_eq!(error.status(), 400);
    let own = sse_poem::Error::from(hub.publish("a.*", Event::message("x")).await.unwrap_err());
    let expected = own.into_response().into_body().into_string().await.unwrap();
    assert!(expected.starts_with(r#"{"error":"topic: a wildcard"#), "{expected}");
    assert_eq!(error.into_response().into_body().into_string().await.unwrap(), expected);
}

/// Without a keep-alive, so that nothing but an event makes a compressor send anything.
#[handler]
async fn prices(hub: Data<&Hub>) -> sse_poem::Result {
    Ok(Sse::new(hub.subscribe("prices").await?).keep_alive(None))
}

#[tokio::test]
async fn poems_compression_sends_each_event_at_once() {
    let hub = Hub::memory();
    let app = prices.data(hub.clone()).with(Compression::new());
    let request = Request::builder().header("accept-encoding", "gzip").finish();
    let response = app.call(request).await.unwrap();
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    let mut body = response.into_body().into_bytes_stream();
    let mut received = GzDecoder::new(Vec::new());
    for n in 0..10 {
        let line = format!("data: event {n}\n");
        hub.publish("prices", Event::message(format!("event {n}"))).await.unwrap();
        let arrives = async {
            while !String::from_utf8_lossy(received.get_ref()).contains(&line) {
                received.write_all(&body.next().await.expect("an open stream").unwrap()).unwrap();
                received.flush().unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), arrives).await.expect("the event, before the next one");
    }
}
