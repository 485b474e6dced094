//! Requests that only probe: HEAD and OPTIONS have no effect (section 9.2.1 of RFC 9110).

use crate::{
    App, Exchange, Outcome, Request, Server, Settings,
    context::MAX_READERS,
    outcome::{ensure, ensure_eq},
};

const MOUNTED: &str = "/mounted?topic=tenant.acme.orders";

fn of_acme(request: Request) -> Request {
    request.header("X-Tenant", "acme")
}

/// An exclusive place stays with its reader, limits are not counted, and no reader is added.
pub async fn a_probe_has_no_effect(app: &dyn App) -> Outcome {
    // With keep-alives, by which Rocket and Poem notice that a reader has left.
    let server = Server::start(app, Settings::default()).await?;
    let place = "/events?topic=a&as=ann&on=replace";
    let limited = "/events?topic=a&as=bob&on=limits";
    let mut reader = server.stream(Request::get(place)).await?;
    let mut bob = server.stream(Request::get(limited)).await?;
    let mut acme = server.stream(of_acme(Request::get(MOUNTED))).await?;
    let (readers, topics) = (server.hub.stats().readers, server.hub.stats().topics);
    let paths = ["/page?topic=new", "/compressed?topic=new", "/script", "/failing", "/ticks", "/tokens"];
    for _ in 0..2 * MAX_READERS {
        for method in ["HEAD", "OPTIONS", "TRACE", "PUT"] {
            for target in [place, limited, MOUNTED].into_iter().chain(paths) {
                let request = of_acme(Request::other(method, target));
                let answer = server.send(request).await?;
                let expected: &[u16] = match method {
                    "HEAD" => &[200],
                    // The framework's own answer, where the application has none.
                    _ => &[204, 404, 405],
                };
                ensure!(expected.contains(&answer.status()), "{method} {target}: {}", answer.head());
                ensure_eq!(&server.hub.stats().readers, &readers);
            }
        }
    }
    ensure_eq!(server.hub.stats().topics, topics);
    // A monitor may also close a GET at once.
    drop(server.get("/events?topic=new").await?);
    server.wait_for("the monitor to go", |hub| hub.stats().readers == readers).await?;
    server.publish("a", "still here").await?;
    server.publish("tenant.acme.orders", "still here").await?;
    for reader in [&mut reader, &mut bob, &mut acme] {
        reader.until_text("data: still here\n").await?;
    }
    // There is room for one more under both limits.
    server.stream(Request::get(limited)).await?;
    server.stream(of_acme(Request::get(MOUNTED))).await?;
    Ok(())
}

/// A probe gets the same status and headers, except those that frame a body.
pub async fn a_probe_has_the_head_of_a_get(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let end = server.hub.finish("over").await?.cursor.to_string();
    server.publish("a", "once").await?;
    let _one = server.stream(Request::get("/events?topic=a&as=ann&on=limits")).await?;
    let _two = server.stream(Request::get("/events?topic=a&as=ann&on=limits")).await?;
    let accept = |target: &'static str, accept: &'static str| (target, vec![("Accept", accept)]);
    let fresh = |target: &'static str| (target, Vec::new());
    let end: &'static str = end.leak();
    for (target, headers) in [
        fresh("/events?topic=a"),
        fresh("/events?topic=a&start=earliest"),
        fresh(MOUNTED),
        fresh("/script"),
        fresh("/ticks"),
        fresh("/page?topic=a"),
        fresh("/events?topic=a..b"),
        accept("/page?topic=a", "text/html"),
        accept("/events?topic=a&start=earliest", "application/json"),
        accept("/events?topic=a", "application/x-ndjson"),
        accept("/events?topic=a", "image/png"),
        accept("/events?topic=a&as=ann&on=limits", "*/*"),
        ("/events?topic=a", vec![("Last-Event-ID", "elsewhere")]),
        ("/events?topic=over", vec![("Last-Event-ID", end)]),
        ("/compressed?topic=a", vec![("Accept-Encoding", "gzip")]),
    ] {
        let with_headers = |request: Request| {
            headers.iter().fold(of_acme(request), |request, (name, value)| request.header(name, value))
        };
        let head = server.send(with_headers(Request::head(target))).await?;
        let get = server.send(with_headers(Request::get(target))).await?;
        ensure!(head_of(&head) == head_of(&get), "{target}: {}\ninstead of\n{}", head.head(), get.head());
        ensure!(head.body().is_empty(), "{target}: a body after HEAD: {}", head.text());
    }
    Ok(())
}

/// The headers except those that frame a body, and those with random values.
fn head_of(answer: &Exchange) -> Vec<&str> {
    let framing = ["content-length", "transfer-encoding", "retry-after"];
    let is_framing = |line: &str| framing.iter().any(|name| line.starts_with(name));
    answer.head().lines().filter(|line| !is_framing(line)).collect()
}

/// The answer names the allowed methods, on the adapter's routes and on those of handlers with a preflight.
pub async fn other_methods_are_not_allowed(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    for (target, allowed) in
        [("/events?topic=a", &["GET", "HEAD", "OPTIONS"][..]), (MOUNTED, &["GET", "HEAD", "OPTIONS", "POST"])]
    {
        for (method, status) in
            [("OPTIONS", 204), ("DELETE", 405), ("PUT", 405), ("PATCH", 405), ("TRACE", 405)]
        {
            let answer = server.send(of_acme(Request::other(method, target))).await?;
            ensure!(answer.status() == status, "{method} {target}: {}", answer.head());
            let mut methods: Vec<_> =
                answer.header("allow").unwrap_or_default().split(',').map(str::trim).collect();
            methods.sort_unstable();
            ensure!(methods == allowed, "{method} {target}: {}", answer.head());
        }
    }
    Ok(())
}
