use serde_json::json;
use sse_testkit::{Outcome, Request};

use crate::App;

/// The stream's address answers a poll, lines of JSON and a browser that follows a link.
///
/// # Errors
/// If not.
pub async fn answers_by_accept(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let id = app.publish("chat", "hello").await?;
    let event = json!({ "type": "message", "data": "hello", "lastEventId": id });
    let target = "/events?topic=chat&start=earliest";
    let page = app.json(200, Request::get(target).header("Accept", "application/json")).await?;
    assert_eq!(page, json!({ "events": [event], "cursor": id }));
    let mut lines = app.send(Request::get(target).header("Accept", "application/x-ndjson")).await?;
    lines.until_text("hello").await?;
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let mut link = app.send(Request::get(target).header("Accept", "text/html,*/*;q=0.8")).await?;
    link.to_end().await?;
    assert_eq!(link.text(), example_common::PAGE);
    Ok(())
}

/// Tenants have their own topics on the mounted routes.
///
/// # Errors
/// If not.
pub async fn mounts_routes_for_tenants(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let of = |tenant: &str, request: Request| request.header("X-Tenant", tenant);
    let mut reader = app.stream(of("acme", Request::get("/tenant?topic=tenant.acme.%3E"))).await?;
    let orders = "/tenant?topic=tenant.acme.orders";
    let published = app.json(200, of("acme", Request::post(orders, "ours"))).await?;
    assert_eq!(published.get("receivers"), Some(&json!(1)));
    assert_eq!(reader.until_told(1).await?[0].data, "ours");
    app.json(403, of("bolt", Request::get(orders))).await?;
    app.json(403, of("bolt", Request::post(orders, "forged"))).await?;
    app.json(401, Request::get(orders)).await?;
    Ok(())
}

/// Pages of an origin that is named may read, others not.
///
/// # Errors
/// If not.
pub async fn lets_pages_of_named_origins_read(program: &str) -> Outcome {
    let app = App::start(program, &["--origin", "https://app.example.com"]).await?;
    for target in ["/events?topic=metrics.cpu", "/tenant?topic=metrics.cpu"] {
        let page = |origin: &str| Request::get(target).header("X-Tenant", "acme").header("Origin", origin);
        let allowed = app.stream(page("https://app.example.com")).await?;
        assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example.com"));
        app.json(403, page("https://evil.example")).await?;
        app.stream(page(&format!("http://{}", app.address()))).await?;
    }
    Ok(())
}
