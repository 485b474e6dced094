use serde_json::json;
use sse_testkit::{Outcome, Request};

use crate::App;

/// The stream's address answers a poll, lines of JSON and a browser that follows a link.
///
/// # Errors
/// If a check fails.
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
/// If a check fails.
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

/// Pages of a named origin may read, others not.
///
/// # Errors
/// If a check fails.
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

/// A page of another site can send a simple POST without a preflight; it is not published.
///
/// # Errors
/// If a check fails.
pub async fn refuses_posts_of_other_sites(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut reader = app.stream(Request::get("/events?topic=a")).await?;
    for path in ["/publish?topic=a", "/signal?topic=a", "/finish?topic=a", "/disconnect?topic=a", "/complete"]
    {
        for site in ["cross-site", "same-site"] {
            let post = || Request::post(path, "forged").header("Content-Type", "text/plain");
            app.json(403, post().header("Sec-Fetch-Site", site)).await?;
            let page = post().header("Origin", "https://evil.example");
            app.json(403, page.clone()).await?;
            app.json(403, page.header("Sec-Fetch-Site", site)).await?;
        }
    }
    // Behind a proxy that rewrites `Host`, the page of the application itself.
    let own = Request::post("/publish?topic=a", "own").header("Host", "app");
    app.json(200, own.header("Origin", "https://app.example").header("Sec-Fetch-Site", "same-origin"))
        .await?;
    let told = reader.until_told(1).await?;
    assert_eq!(told[0].data, "own");
    Ok(())
}

/// A monitor may send HEAD and OPTIONS to any route, and no reader is added.
///
/// # Errors
/// If a check fails.
pub async fn answers_monitors_without_effect(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let of = |method, target| Request::other(method, target).header("X-Tenant", "acme");
    for target in ["/", "/events?topic=a", "/tenant?topic=metrics.cpu", "/ticks", "/stats", "/metrics"] {
        let answer = app.send(of("HEAD", target)).await?;
        assert_eq!(answer.status(), 200, "{target}: {}", answer.head());
        assert!(answer.body().is_empty(), "{target}: {}", answer.text());
        for method in ["OPTIONS", "TRACE", "DELETE"] {
            let status = app.send(of(method, target)).await?.status();
            assert!([204, 404, 405].contains(&status), "{method} {target}: {status}");
        }
    }
    for target in ["/events?topic=a", "/tenant?topic=metrics.cpu"] {
        let answer = app.send(of("HEAD", target)).await?;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{target}");
        for (method, status) in [("OPTIONS", 204), ("TRACE", 405), ("DELETE", 405)] {
            let answer = app.send(of(method, target)).await?;
            assert_eq!(answer.status(), status, "{method} {target}: {}", answer.head());
            assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET")), "{}", answer.head());
        }
    }
    for path in ["/publish?topic=a", "/signal?topic=a", "/finish?topic=a", "/disconnect?topic=a", "/complete"]
    {
        for method in ["HEAD", "OPTIONS"] {
            let status = app.send(of(method, path)).await?.status();
            assert!([404, 405].contains(&status), "{method} {path}: {status}");
        }
    }
    let stats = app.json(200, Request::get("/stats")).await?;
    assert_eq!(stats["readers"], serde_json::json!({}));
    Ok(())
}

/// A page's second `fetch` sends its cursor, and the browser sends a preflight first.
///
/// # Errors
/// If a check fails.
pub async fn answers_preflights(program: &str) -> Outcome {
    let app = App::start(program, &["--origin", "https://app.example.com"]).await?;
    for target in ["/events?topic=a", "/tenant?topic=metrics.cpu"] {
        let asked = |origin: &str| {
            let request =
                Request::options(target).header("Origin", origin).header("Sec-Fetch-Site", "cross-site");
            let request = request.header("Access-Control-Request-Method", "GET");
            request.header("Access-Control-Request-Headers", "cache-control,last-event-id")
        };
        let allowed = app.send(asked("https://app.example.com")).await?;
        assert_eq!(allowed.status(), 204, "{target}: {}", allowed.head());
        assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example.com"));
        let headers = allowed.header("access-control-allow-headers").unwrap_or_default();
        assert!(headers.contains("cache-control") && headers.contains("last-event-id"), "{headers}");
        app.json(403, asked("https://evil.example")).await?;
    }
    Ok(())
}
