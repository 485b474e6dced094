//! Features of Warp alone: filters, some of which compress.

use std::{future::poll_fn, io::Write as _, time::Duration};

use flate2::write::GzDecoder;
use sse_warp::{Event, Hub, LastEventId, Sse, last_event_id, reply};
use warp::{Filter, Reply, hyper::body::Body as _};

#[tokio::test]
async fn the_filter_never_rejects() {
    let read = warp::any().and(last_event_id()).map(|last: LastEventId| last.as_str().map(str::to_owned));
    let request = |path: &str| warp::test::request().path(path);
    assert_eq!(request("/").filter(&read).await.unwrap(), None);
    assert_eq!(request("/?last_event_id=q").filter(&read).await.unwrap().as_deref(), Some("q"));
    assert_eq!(
        request("/?x=1").header("last-event-id", "h").filter(&read).await.unwrap().as_deref(),
        Some("h")
    );
    assert_eq!(request("/").header("last-event-id", &b"\xff"[..]).filter(&read).await.unwrap(), None);
}

#[tokio::test]
async fn reply_makes_a_response_of_a_stream() {
    let response = reply(futures_util::stream::iter([Event::message("x")])).into_response();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
}

/// Without a keep-alive, so that nothing but an event makes a compressor send anything.
async fn prices(hub: Hub) -> sse_warp::Result {
    Ok(Sse::new(hub.subscribe("prices").await?).keep_alive(None))
}

#[tokio::test]
async fn warps_compression_sends_each_event_at_once() {
    let hub = Hub::memory();
    let with_hub = {
        let hub = hub.clone();
        warp::any().map(move || hub.clone())
    };
    let routes = with_hub.then(prices).with(warp::compression::gzip());
    // It does not ask for any coding, and gets one all the same.
    let response = warp::test::request().filter(&routes).await.unwrap().into_response();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut body = Box::pin(response.into_body());
    let mut received = GzDecoder::new(Vec::new());
    for n in 0..10 {
        let line = format!("data: event {n}\n");
        hub.publish("prices", Event::message(format!("event {n}"))).await.unwrap();
        let arrives = async {
            while !String::from_utf8_lossy(received.get_ref()).contains(&line) {
                let frame =
                    poll_fn(|cx| body.as_mut().poll_frame(cx)).await.expect("an open stream").unwrap();
                received.write_all(&frame.into_data().unwrap()).unwrap();
                received.flush().unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), arrives).await.expect("the event, before the next one");
    }
}
