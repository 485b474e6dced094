//! The assertions of the feature `test`, and their failure messages.
#![cfg(feature = "test")]

use std::{convert::Infallible, future::Future, panic, time::Duration};

use futures_util::{FutureExt, StreamExt, stream};
use http::Response;
use sse_core::{Event, EventStream, Hub, KeepAlive, Lease, test::TestStream};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn of_chunks(chunks: &'static [&'static str]) -> TestStream<'static> {
    let body = stream::iter(chunks.iter().map(|chunk| Ok::<_, Infallible>(*chunk)));
    TestStream::new(Response::new(body))
}

fn endless(chunks: &'static [&'static str]) -> TestStream<'static> {
    let body = stream::iter(chunks.iter().map(|chunk| Ok::<_, Infallible>(*chunk)));
    TestStream::new(Response::new(body.chain(stream::pending())))
}

/// The message of a failed assertion.
async fn failure(what: impl Future) -> String {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let failed = panic::AssertUnwindSafe(what).catch_unwind().await;
    panic::set_hook(hook);
    let panic = failed.err().expect("it should have failed");
    *panic.downcast::<String>().expect("a formatted message")
}

#[tokio::test(start_paused = true)]
async fn every_assertion_passes_and_fails() {
    let mut stream =
        of_chunks(&["retry: 3000\ndata: 10\nevent: pri", "ce\nid: 7\n\n: hi\n", "data: {\"b\": 1}\n\n"]);
    stream
        .assert_status(200)
        .next_event()
        .await
        .assert_data_eq("10")
        .assert_data_ne("11")
        .assert_data_contains("1");
    stream
        .assert_data_lacks("x")
        .assert_type_eq("price")
        .assert_type_ne("message")
        .assert_id_eq(7)
        .assert_id_ne(8);
    assert_eq!((stream.retry(), stream.last_event_id()), (Some(3 * SECOND), "7"));

    for (assertion, text) in [
        (failure(async { stream.assert_data_eq("11") }).await, r#"assert_data_eq: it is "10", not "11""#),
        (failure(async { stream.assert_data_ne("10") }).await, r#"assert_data_ne: it is "10""#),
        (
            failure(async { stream.assert_data_contains("x") }).await,
            r#"assert_data_contains: "10" does not contain "x""#,
        ),
        (failure(async { stream.assert_data_lacks("1") }).await, r#"assert_data_lacks: "10" contains "1""#),
        (failure(async { stream.assert_type_eq("x") }).await, r#"assert_type_eq: it is "price", not "x""#),
        (failure(async { stream.assert_type_ne("price") }).await, r#"assert_type_ne: it is "price""#),
        (failure(async { stream.assert_id_eq(8) }).await, r#"assert_id_eq: it is "7", not "8""#),
        (failure(async { stream.assert_id_ne(7) }).await, r#"assert_id_ne: it is "7""#),
        (failure(async { stream.assert_status(204) }).await, "assert_status: it is 200, not 204"),
        (failure(async { stream.assert_header("x", "y") }).await, r#"assert_header x: it is None, not "y""#),
    ] {
        assert!(assertion.starts_with(text), "{assertion}");
        assert!(
            assertion.contains(r#"so far: 1 event; the last has type "price", text "10", id "7""#),
            "{assertion}"
        );
    }
    // `next_event` skips the comment.
    stream.next_event().await.assert_id_eq(7);
    stream.expect_end().await;
    assert!(failure(async { stream.disconnect() }).await.starts_with("disconnect: there is nothing left"));
}

#[cfg(feature = "json")]
#[derive(serde::Serialize)]
struct Own {
    a: Vec<u8>,
    b: u8,
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json_is_compared_as_json() {
    let mut stream = of_chunks(&["data: {\"b\": 1, \"a\": [2]}\n\n", "data: [DONE]\n\n"]);
    // A value, a reference, and a type of the application's own.
    let expected = serde_json::json!({ "a": [2], "b": 1 });
    stream.next_event().await.assert_json_eq(&expected).assert_json_eq(expected);
    stream.assert_json_eq(Own { a: vec![2], b: 1 });
    let other = failure(async { stream.assert_json_eq(serde_json::json!({ "a": [2] })) }).await;
    assert!(other.starts_with("assert_json_eq: it is Object"), "{other}");
    stream.next_event().await.assert_data_eq("[DONE]");
    let none = failure(async { stream.assert_json_eq(1) }).await;
    assert!(none.starts_with("assert_json_eq: message: the data is not the JSON"), "{none}");
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json_of_a_short_float_is_equal() {
    let mut stream = of_chunks(&["data: 1.1\n\n"]);
    stream.next_event().await.assert_json_eq(1.1_f32);
}

#[tokio::test(start_paused = true)]
async fn compressed_body_is_refused_at_once() {
    let began_at = Instant::now();
    for coding in ["gzip", "identity, BR", "zstd"] {
        let body = stream::pending::<Result<&str, Infallible>>();
        let response = Response::builder()
            .header("content-type", "text/event-stream")
            .header("content-encoding", coding)
            .body(body)
            .unwrap();
        let mut stream = TestStream::new(response).expect_event_stream().await;
        stream.assert_header("content-encoding", coding);
        let name = coding.rsplit(' ').next().unwrap();
        for said in [
            failure(stream.next_event()).await,
            failure(stream.expect_keep_alive()).await,
            failure(stream.expect_no_event_for(SECOND)).await,
            failure(stream.expect_end()).await,
        ] {
            assert!(said.contains(&format!("the body is compressed ({name})")), "{said}");
            assert!(said.contains("send the request without `accept-encoding`"), "{said}");
            assert!(said.contains("tests/it/testing/stream.rs:"), "{said}");
        }
    }
    assert_eq!(began_at.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn bytes_of_other_codings_are_read_as_they_are() {
    for coding in ["identity", "none", "utf-8", ""] {
        let body = stream::iter([Ok::<_, Infallible>("data: 1\n\n")]);
        let response = Response::builder().header("content-encoding", coding).body(body).unwrap();
        TestStream::new(response).next_event().await.assert_data_eq("1");
    }
}

#[tokio::test(start_paused = true)]
async fn within_may_be_set_again() {
    let mut stream = endless(&["data: 1\n\n"]);
    stream.within(SECOND).next_event().await.within(2 * SECOND).assert_data_eq("1");
    assert!(failure(stream.next_event()).await.contains("no event came within 2s"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_where_it_was_and_what_came_instead() {
    let began_at = Instant::now();
    let mut stream = endless(&["retry: 3000\n", "data: 1\n\ndata: hal"]);
    stream.within(3 * SECOND);
    assert!(
        failure(async { stream.assert_data_eq("1") })
            .await
            .starts_with("assert_data_eq: there is no event yet")
    );
    let first = failure(stream.expect_end()).await;
    assert!(first.contains("another event came"), "{first}");
    let second = failure(stream.next_event()).await;
    assert!(second.starts_with("next_event at sse-core/tests/it/testing/stream.rs:"), "{second}");
    assert!(second.contains("no event came within 3s"), "{second}");
    assert!(second.contains("the response: 200 OK without a content type"), "{second}");
    assert!(second.contains("an event has begun and not ended"), "{second}");
    assert_eq!(began_at.elapsed().as_secs(), 3);

    let goes_on = failure(stream.expect_end()).await;
    assert!(goes_on.contains("the stream goes on after 3s"), "{goes_on}");
    assert!(failure(stream.expect_keep_alive()).await.contains("it was silent for 3s"));
    stream.disconnect();
    let closed = failure(stream.next_event()).await;
    assert!(closed.contains("the stream has ended") && closed.contains("the test has closed it"), "{closed}");
}

#[tokio::test]
async fn a_stream_that_ends_badly_is_not_finished() {
    let mut cut = of_chunks(&["data: 1\n\n", "data: 2\n"]);
    let said = failure(async { cut.next_event().await.expect_end().await }).await;
    assert!(said.contains("within an event, which is lost"), "{said}");

    let chunks = [Ok("data: 1\n\n"), Err(std::io::Error::other("reset by the moon"))];
    let mut failed = TestStream::new(Response::new(stream::iter(chunks)));
    let said = failure(async { failed.next_event().await.expect_end().await }).await;
    assert!(said.contains("the body failed: reset by the moon"), "{said}");
}

#[tokio::test]
async fn what_is_no_event_stream_is_not_established() {
    let body = || stream::iter([Ok::<_, Infallible>("{\"error\":\"no\"}")]);
    let refused =
        Response::builder().status(400).header("content-type", "application/json").body(body()).unwrap();
    let said = failure(TestStream::new(refused).expect_event_stream()).await;
    assert!(said.contains("the response: 400 Bad Request application/json"), "{said}");
    assert!(said.contains(r#"its body: "{\"error\":\"no\"}""#), "{said}");
    let page = Response::builder().header("content-type", "text/html").body(body()).unwrap();
    failure(TestStream::new(page).expect_event_stream()).await;
    let stream =
        Response::builder().header("content-type", "Text/Event-Stream; charset=utf-8").body(body()).unwrap();
    let _ = TestStream::new(stream).expect_event_stream().await;
}

#[tokio::test(start_paused = true)]
async fn paused_time_makes_keep_alives_and_leases_pass() {
    let hub = Hub::memory();
    let began_at = Instant::now();
    let reader = hub.subscribe("a").lease(Lease::within(60 * SECOND)).await.unwrap();
    let response = EventStream::new(reader).keep_alive(KeepAlive::every(15 * SECOND)).into_response();
    let mut stream = TestStream::new(response).expect_event_stream().await;
    stream.within(60 * SECOND);
    stream.expect_no_event_for(10 * SECOND).await.expect_keep_alive().await;
    assert!((13..=15).contains(&began_at.elapsed().as_secs()), "{:?}", began_at.elapsed());

    // Other topics' events advance its cursor by a checkpoint, which is a keep-alive and not an event.
    hub.publish("b", Event::message("x")).await.unwrap();
    stream.expect_keep_alive().await;
    assert_eq!(stream.last_event_id(), hub.stats().head.to_string());

    hub.publish("a", Event::message("y")).await.unwrap();
    let early = failure(stream.expect_keep_alive()).await;
    assert!(early.contains("an event came first"), "{early}");
    stream.assert_data_eq("y").expect_no_event_for(10 * SECOND).await.expect_end().await;
    assert_eq!(began_at.elapsed().as_secs(), 60);
    assert!(failure(stream.expect_no_event_for(SECOND)).await.contains("the stream has ended"));
}

#[tokio::test]
async fn closing_it_is_seen_by_the_hub() {
    let hub = Hub::memory();
    let mut stream = TestStream::new(EventStream::new(hub.subscribe("a").await.unwrap()).into_response());
    hub.publish("a", Event::message("x")).await.unwrap();
    stream.next_event().await.disconnect();
    assert!(hub.stats().readers.is_empty());
    let mut again = hub.subscribe("a").after(stream.last_event_id()).await.unwrap();
    hub.publish("a", Event::message("y")).await.unwrap();
    assert!(again.next().await.unwrap().as_ref().starts_with(b"data: y\n"));
}
