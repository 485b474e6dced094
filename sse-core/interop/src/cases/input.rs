use sse_testkit::{Outcome, Request};

use crate::App;

/// An invalid request gets 400, and the message states what to do.
///
/// # Errors
/// If a check fails.
pub async fn refuses_bad_input_with_json(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let post = |target: &str| Request::post(target, "x");
    let refused = [
        (Request::get("/events"), "topic: none is named"),
        (Request::get("/events?topic="), "topic: an empty part"),
        (Request::get("/events?topic=a..b"), "topic: an empty part"),
        (Request::get("/events?topic=a%20b"), "is not visible ASCII"),
        (post("/publish"), "topic: none is named"),
        (post("/publish?topic=a.*"), "topic: a wildcard"),
        (post("/publish?topic=a&event=a%0Ab"), "type"),
        (post("/publish?topic=a&event=sse.gap"), "sse."),
        (post("/publish?topic=a&key="), "key"),
        (Request::post("/publish?topic=a", b"\xff\xfe"), "UTF-8"),
        (post("/signal"), "topic: none is named"),
        (post("/signal?topic=a&event=sse.gap"), "sse."),
        (Request::post("/signal?topic=a", b"a\xf0\x28"), "UTF-8"),
        (post("/finish"), "topic: none is named"),
        (post("/finish?topic=a&topic=b"), "topic: more than 1"),
        (post("/disconnect"), "topic: none is named"),
        (post("/disconnect?topic=a.*"), "topic: a wildcard"),
        (Request::post("/complete", b"\x80"), "UTF-8"),
    ];
    for (request, message) in refused {
        let target = request.target().to_owned();
        let answer = app.json(400, request).await?;
        let error = answer.get("error").and_then(|error| error.as_str()).unwrap_or_default();
        assert!(error.contains(message), "{target}: {answer}");
    }
    Ok(())
}

/// A body may have 16 MiB, and is refused above that.
///
/// # Errors
/// If a check fails.
pub async fn takes_16_mib_and_no_more(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut body = vec![b'x'; example_common::MAX_BODY];
    app.json(200, Request::post("/publish?topic=a", body.clone())).await?;
    body.push(b'x');
    let answer = app.json(413, Request::post("/publish?topic=a", body)).await?;
    assert!(answer.to_string().contains("16 MiB"), "{answer}");
    Ok(())
}
