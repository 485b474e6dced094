//! Each route does what its documentation states.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use serde_json::{Value, json};
use sse_axum::{
    Hub,
    test::{TestStream, get_stream},
};
use tower_service::Service;

fn app() -> Router {
    example_live_state::routes(Hub::memory())
}

async fn send(app: &Router, method: &str, uri: &str, body: Value) -> (StatusCode, String) {
    let text = if let Value::String(text) = &body { text.clone() } else { body.to_string() };
    let request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
    let request = request.body(Body::from(text)).expect("a request");
    let response = app.clone().call(request).await.expect("answered");
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

fn json_of(stream: &TestStream<'_>) -> Value {
    stream.message().expect("a message").json().expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn a_reader_has_the_board_from_its_state_and_patches() {
    let app = app();
    send(&app, "PUT", "/board", json!({ "todo": ["a"], "done": [] })).await;

    let mut stream = get_stream(&app, "/board").await;
    stream.next_event().await.assert_type_eq("board");
    let mut board = json_of(&stream);
    for change in [json!({ "todo": ["a", "b"], "done": [] }), json!({ "todo": ["b"], "done": ["a"] })] {
        send(&app, "PUT", "/board", change.clone()).await;
        stream.next_event().await.assert_type_eq("patch");
        json_patch::patch(
            &mut board,
            &serde_json::from_value::<json_patch::Patch>(json_of(&stream)).expect("a patch"),
        )
        .expect("it applies");
        assert_eq!(board, change);
    }

    // Cut, and changed in the meantime: the reader gets the missed patch, not the whole.
    stream.disconnect();
    send(&app, "PUT", "/board", json!({ "todo": [], "done": ["a", "b"] })).await;
    let mut stream = get_stream(&app, &format!("/board?last_event_id={}", stream.last_event_id())).await;
    stream.next_event().await.assert_type_eq("patch");

    // A reader with an invalid cursor gets a gap and the whole.
    let mut stream = get_stream(&app, "/board?last_event_id=nonsense").await;
    stream.next_event().await.assert_type_eq("sse.gap");
    stream
        .next_event()
        .await
        .assert_type_eq("board")
        .assert_json_eq(json!({ "todo": [], "done": ["a", "b"] }));
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_prices_gets_the_latest_alone() {
    let app = app();
    for price in ["1.07", "1.08", "1.09"] {
        send(&app, "POST", "/prices/eur", json!(price)).await;
    }
    send(&app, "POST", "/prices/usd", json!("0.93")).await;
    let mut stream = get_stream(&app, "/prices").await;
    stream.next_event().await.assert_type_eq("eur").assert_data_eq("1.09");
    stream.next_event().await.assert_type_eq("usd").assert_data_eq("0.93");
}

#[tokio::test(start_paused = true)]
async fn a_late_reader_gets_the_build_and_can_stop_it() {
    let app = app();
    assert_eq!(send(&app, "POST", "/builds/1", json!("")).await.0, StatusCode::ACCEPTED);
    let mut early = get_stream(&app, "/builds/1").await;
    early.next_event().await.assert_data_eq("step 1 of 10");
    early.next_event().await.assert_data_eq("step 2 of 10");
    let mut late = get_stream(&app, "/builds/1").await;
    late.next_event().await.assert_data_eq("step 1 of 10");

    assert_eq!(send(&app, "DELETE", "/builds/1", json!("")).await.0, StatusCode::NO_CONTENT);
    late.next_event().await.assert_data_eq("step 2 of 10");
    late.next_event().await.assert_data_eq("stopped");
    late.next_event().await.assert_type_eq("sse.end");
    let last = late.last_event_id().to_owned();
    late.expect_end().await;
    let (status, _) = send(&app, "GET", &format!("/builds/1?last_event_id={last}"), json!("")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(send(&app, "DELETE", "/builds/2", json!("")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn the_control_endpoint_lists_moves_and_closes_readers() {
    let app = app();
    let mut stream = get_stream(&app, "/prices").await;
    let (_, readers) = send(&app, "GET", "/topics/prices.eur/readers", json!("")).await;
    let readers: Value = serde_json::from_str(&readers).expect("JSON");
    assert_eq!(readers[0]["topics"], json!(["prices.*"]), "{readers}");
    let reader = format!("/readers/{}", readers[0]["id"].as_str().expect("an id"));

    assert_eq!(
        send(&app, "PUT", &format!("{reader}/topics"), json!(["board"])).await.0,
        StatusCode::NO_CONTENT
    );
    send(&app, "PUT", "/board", json!({ "todo": [] })).await;
    stream.next_event().await.assert_type_eq("patch");
    assert_eq!(
        send(&app, "PUT", &format!("{reader}/topics"), json!(["a..b"])).await.0,
        StatusCode::BAD_REQUEST
    );

    assert_eq!(send(&app, "DELETE", &reader, json!("")).await.0, StatusCode::NO_CONTENT);
    stream.expect_end().await;
    drop(stream);
    assert_eq!(send(&app, "DELETE", &reader, json!("")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_build_is_read_by_its_own_name_alone() {
    let app = app();
    send(&app, "POST", "/builds/secret", json!("")).await;
    for name in ["%3E", "*", "*.%3E", "secret.%3E", "a%2Fb", "%00", "%0A", "nobody-began-it", "$sse.stop"] {
        let (status, body) = send(&app, "GET", &format!("/builds/{name}"), json!("")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{name}: {body}");
        assert_eq!(
            send(&app, "DELETE", &format!("/builds/{name}"), json!("")).await.0,
            StatusCode::NOT_FOUND
        );
        // Any text is one name: such a build can be started, and is a separate build.
        assert_eq!(send(&app, "POST", &format!("/builds/{name}"), json!("")).await.0, StatusCode::ACCEPTED);
        let mut reader = get_stream(&app, &format!("/builds/{name}")).await;
        reader.next_event().await.assert_data_eq("step 1 of 10");
        assert_eq!(
            send(&app, "DELETE", &format!("/builds/{name}"), json!("")).await.0,
            StatusCode::NO_CONTENT
        );
        reader.next_event().await.assert_data_eq("stopped");
        reader.next_event().await.assert_type_eq("sse.end");
        reader.expect_end().await;
    }
    let long = "x".repeat(300);
    let (status, body) = send(&app, "GET", &format!("/builds/{long}"), json!("")).await;
    assert!(status == StatusCode::BAD_REQUEST && body.contains("a hash"), "{body}");
    // The control endpoint takes topics literally too.
    let mut reader = get_stream(&app, "/prices").await;
    let (_, readers) = send(&app, "GET", "/topics/prices.eur/readers", json!("")).await;
    let readers: Value = serde_json::from_str(&readers).expect("JSON");
    let topics = format!("/readers/{}/topics", readers[0]["id"].as_str().expect("an id"));
    let (status, body) = send(&app, "PUT", &topics, json!([">"])).await;
    assert!(status == StatusCode::BAD_REQUEST && body.contains("Pattern"), "{body}");
    send(&app, "POST", "/prices/eur", json!("1.08")).await;
    reader.next_event().await.assert_data_eq("1.08");
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let app = app();
    for (method, uri) in
        [("POST", "/prices/eur"), ("POST", "/builds/1"), ("PUT", "/board"), ("DELETE", "/builds/1")]
    {
        for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
            let request = Request::builder().method(method).uri(uri).header("host", "board.example");
            let request = request.header(name, value).header("content-type", "application/json");
            let response = app.clone().call(request.body(Body::from("{}")).expect("a request")).await;
            assert_eq!(response.expect("answered").status(), StatusCode::FORBIDDEN, "{method} {uri}");
        }
    }
}
