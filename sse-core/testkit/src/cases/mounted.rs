//! The adapter's own routes: who may use them, from which origins, and on which terms.

use sse_core::{EndReason, Topic, origin::OriginPolicy};

use super::errors::refused;
use crate::{
    App, MAX_BODY, Outcome, Request, Server, Settings,
    context::MAX_READERS,
    outcome::{ensure, ensure_eq},
};

fn of(tenant: &str, request: Request) -> Request {
    request.header("X-Tenant", tenant)
}

/// Mounted routes subscribe and publish as a handler would.
pub async fn mounted_routes_subscribe_and_publish(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let topic = "/mounted?topic=tenant.acme.orders";
    let mut reader = server.stream(of("acme", Request::get(format!("{topic}&topic=news")))).await?;
    let mut answer = server.send(of("acme", Request::post(format!("{topic}&event=order"), "é"))).await?;
    answer.to_end().await?;
    ensure_eq!((answer.status(), answer.header("content-type")), (200, Some("application/json")));
    let told = reader.until_told(1).await?;
    ensure!(told[0].event == "order" && told[0].data == "é", "{told:?}");
    ensure_eq!(answer.text(), format!("{{\"id\":\"{}\",\"receivers\":1}}", told[0].id));
    // From the beginning, after a cursor, and with a known key.
    let keyed = || of("acme", Request::post(format!("{topic}&key=7"), "once"));
    let first = server.send(keyed()).await?.status();
    let mut again = server.send(keyed()).await?;
    again.to_end().await?;
    ensure!(first == 200 && again.text().ends_with(",\"duplicate\":true}"), "{}", again.text());
    let poll = Request::get(format!("{topic}&start=earliest")).header("Accept", "application/json");
    let mut all = server.send(of("acme", poll)).await?;
    all.to_end().await?;
    let page: serde_json::Value = serde_json::from_slice(all.body())?;
    ensure!(page["events"][0]["data"] == "é" && page["events"][1]["data"] == "once", "{page}");
    let readers = |hub: &sse_core::Hub| hub.stats().readers.values().sum::<usize>();
    // The readers of both topics.
    server.wait_for("the poll to be over", |hub| readers(hub) == 2).await?;
    let mut resumed = server.stream(of("acme", Request::get(topic)).after(&told[0].id)).await?;
    resumed.until_text("data: once\n").await?;
    ensure_eq!(resumed.told().len(), 1);
    // The other responses.
    for (request, status, says) in [
        (Request::get(topic), 401, "who you are"),
        (Request::post(topic, "x"), 401, "who you are"),
        (of(&"x".repeat(300), Request::get(topic)), 400, "hash"),
        (of("acme", Request::get("/mounted")), 400, "at least one"),
        (of("acme", Request::get("/mounted?topic=a..b")), 400, "topic"),
        (of("acme", Request::post("/mounted?topic=news", "x")), 403, "may use"),
        (of("acme", Request::post("/mounted?topic=tenant.acme.*", "x")), 400, "wildcard"),
        (of("acme", Request::post(topic, "x".repeat(MAX_BODY + 1))), 413, "1000 bytes"),
        (of("acme", Request::post(topic, [0xff])), 400, "UTF-8"),
        (of("acme", Request::get(topic).header("Accept", "image/png")), 406, "text/event-stream"),
        (of("acme", Request::delete(topic)), 405, "GET subscribes"),
    ] {
        let what = format!("{request:?}");
        let mut answer = server.send(request).await?;
        refused(&mut answer, status, says)
            .await
            .map_err(|error| crate::Failed::new(format!("{what}: {error:?}")))?;
        let allow = (status == 405).then_some("GET, HEAD, OPTIONS, POST");
        ensure_eq!(answer.header("allow"), allow);
    }
    Ok(())
}

/// Other origins get 403 before anything is allocated for them; allowed pages get CORS headers, on errors too.
pub async fn origins_decide_before_a_reader_is_one(app: &dyn App) -> Outcome {
    let origins = OriginPolicy::builder().origin("https://app.example.com").credentials(true).build()?;
    let server = Server::start(app, Settings { origins, ..Settings::quiet() }).await?;
    let target = "/mounted?topic=tenant.acme.orders";
    let cross = |request: Request, origin: &str| {
        of("acme", request.header("Origin", origin).header("Sec-Fetch-Site", "cross-site"))
    };
    let of_others = [
        cross(Request::get(target), "https://evil.example"),
        cross(Request::get(target), "https://app.example.com.evil.example"),
        cross(Request::get(target), "null"),
        cross(Request::post(target, "x"), "https://evil.example"),
        cross(
            Request::options(target).header("Access-Control-Request-Method", "GET"),
            "https://evil.example",
        ),
        of("acme", Request::get(target).header("Sec-Fetch-Site", "cross-site")),
        // The hook is not called for them.
        Request::get(target).header("Origin", "https://evil.example"),
    ];
    for request in of_others {
        let mut answer = server.send(request).await?;
        refused(&mut answer, 403, "origin").await?;
        ensure_eq!(answer.header("access-control-allow-origin"), None);
        ensure_eq!(answer.header("vary"), Some("origin, sec-fetch-site"));
        ensure_eq!(answer.header("cache-control"), Some("no-store"));
    }
    ensure!(server.hub.stats().readers.is_empty(), "{:?}", server.hub.stats());
    let granted = |answer: &crate::Exchange| {
        let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        [
            header("access-control-allow-origin"),
            header("access-control-allow-credentials"),
            header("access-control-expose-headers"),
            header("vary"),
        ]
    };
    let expected =
        |vary| ["https://app.example.com", "true", "retry-after, sse-gap", vary].map(str::to_owned);
    let page = "https://app.example.com";
    let mut reader = server.stream(cross(Request::get(target), page)).await?;
    ensure_eq!(granted(&reader), expected("accept, origin"));
    let sent = server.send(cross(Request::post(target, "x"), page)).await?;
    ensure_eq!((sent.status(), granted(&sent)), (200, expected("origin")));
    reader.until_text("data: x\n").await?;
    let wrong = server.send(cross(Request::get("/mounted?topic=a..b"), page)).await?;
    ensure_eq!((wrong.status(), granted(&wrong)), (400, expected("origin")));
    let asked = Request::options(target).header("Access-Control-Request-Method", "GET");
    let mut preflight = server.send(cross(asked, page)).await?;
    preflight.to_end().await?;
    let asked_by = "origin, access-control-request-method, access-control-request-headers";
    ensure_eq!((preflight.status(), granted(&preflight)), (204, expected(asked_by)));
    ensure_eq!(preflight.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS, POST"));
    let headers = preflight.header("access-control-allow-headers");
    ensure_eq!(headers, Some("accept, authorization, cache-control, content-type, last-event-id"));
    // Pages of this server itself, and non-browser clients.
    let here = format!("http://{}", server.address());
    for request in [
        of("acme", Request::get(target).header("Origin", &here).header("Sec-Fetch-Site", "same-origin")),
        of("acme", Request::get(target)),
    ] {
        ensure_eq!(server.send(request).await?.header("access-control-allow-origin"), None);
    }
    Ok(())
}

/// A page may let a name of its own point here; then it is the same origin, and only the name reveals it.
pub async fn hosts_decide_before_a_reader_is_one(app: &dyn App) -> Outcome {
    let origins = OriginPolicy::builder().loopback().host("app.example.com").build()?;
    let server = Server::start(app, Settings { origins, ..Settings::quiet() }).await?;
    let sent_to = |host: &str| {
        let request = Request::get("/mounted?topic=tenant.acme.orders").header("Host", host);
        let request = request.header("Origin", format!("http://{host}"));
        of("acme", request.header("Sec-Fetch-Site", "same-origin"))
    };
    for host in ["evil.example", "localhost.evil.example:3000"] {
        let mut answer = server.send(sent_to(host)).await?;
        refused(&mut answer, 403, "host").await?;
    }
    ensure!(server.hub.stats().readers.is_empty(), "{:?}", server.hub.stats());
    for host in ["localhost:3000", "127.0.0.1", "app.example.com"] {
        server.stream(sent_to(host)).await?;
    }
    Ok(())
}

/// Neither topic, wildcard nor cursor gives access; and neither tenant ends or crowds out the other.
pub async fn g9_two_tenants_cannot_read_each_others_events(app: &dyn App) -> Outcome {
    let mut server = Server::start(app, Settings::quiet()).await?;
    let target = |topic: &str| format!("/mounted?topic={topic}");
    let mut acme = server.stream(of("acme", Request::get(target("tenant.acme.%3E")))).await?;
    let mut bolt = server.stream(of("bolt", Request::get(target("tenant.bolt.%3E")))).await?;
    let secret = server.publish("tenant.acme.orders", "secret of acme").await?.cursor.to_string();
    server.publish("tenant.bolt.orders", "secret of bolt").await?;
    acme.until_text("secret of acme").await?;
    bolt.until_text("secret of bolt").await?;
    // The other's topics, alone or hidden among the tenant's own, and all topics.
    for topic in [
        "tenant.acme.orders",
        "tenant.acme.%3E",
        "tenant.*.orders",
        "tenant.%3E",
        "%3E",
        "*.acme.orders",
        "tenant.bolt.orders&topic=tenant.acme.orders",
        "tenant.bolt",
        "tenant.boltx.orders",
    ] {
        let mut answer = server.send(of("bolt", Request::get(target(topic)))).await?;
        refused(&mut answer, 403, "may use").await?;
        let json = Request::get(target(topic)).header("Accept", "application/json");
        refused(&mut server.send(of("bolt", json)).await?, 403, "may use").await?;
    }
    // A name that has a meaning in topics has none here.
    for tenant in ["*", ">", "*.>", "acme.orders", "acme.", ".", "~", "a b", "%61cme", "$sse.stop"] {
        let mut answer = server.send(of(tenant, Request::get(target("tenant.acme.orders")))).await?;
        refused(&mut answer, 403, "may use").await?;
        let own = Topic::from_parts(["tenant", tenant, "orders"])?;
        server.stream(of(tenant, Request::get(target(own.as_str())))).await?;
    }
    refused(
        &mut server.send(of("bolt", Request::post(target("tenant.acme.orders"), "forged"))).await?,
        403,
        "may use",
    )
    .await?;
    // The other's cursor is a position in the one order, and grants no access.
    let resumed = of("bolt", Request::get(target("tenant.bolt.%3E")).after(&secret));
    let mut resumed = server.stream(resumed).await?;
    let told = resumed.until_told(1).await?;
    ensure_eq!(told[0].data, "secret of bolt");
    // Each tenant has its own limit.
    ensure_eq!(server.hub.readers("tenant.bolt.orders")?.len(), MAX_READERS);
    let over = of("bolt", Request::get(target("tenant.bolt.%3E")).header("Accept", "*/*"));
    ensure_eq!(server.send(over).await?.status(), 503);
    let mut second = server.stream(of("acme", Request::get(target("tenant.acme.orders")))).await?;
    // Each tenant has its own handles.
    let of_acme = server.hub.readers("tenant.acme.orders")?;
    ensure!(of_acme.iter().all(|reader| reader.principal() == Some("acme")), "{of_acme:?}");
    ensure_eq!(of_acme.len(), 2);
    let of_bolt = server.hub.readers("tenant.bolt.orders")?;
    ensure!(of_bolt.iter().all(|reader| reader.principal() == Some("bolt")), "{of_bolt:?}");
    // Each tenant has its own lease: the tenant with the ended lease gets nothing more, and the other continues.
    server.lease("acme").revoke();
    for reader in [&mut acme, &mut second] {
        reader.to_end().await?;
        let end = server.ended().await?.end;
        // The ends of the readers that were refused or dropped above have been reported before.
        ensure!(
            matches!(end, EndReason::Expired | EndReason::Limit | EndReason::Left),
            "the hook was told {end}"
        );
    }
    server.publish("tenant.acme.orders", "after the lease").await?;
    server.publish("tenant.bolt.orders", "goes on").await?;
    bolt.until_text("goes on").await?;
    resumed.until_text("goes on").await?;
    for (reader, foreign) in [(&acme, "bolt"), (&second, "bolt"), (&bolt, "acme"), (&resumed, "acme")] {
        ensure!(!reader.text().contains(&format!("secret of {foreign}")), "{}", reader.text());
        ensure!(!reader.text().contains("after the lease"), "{}", reader.text());
    }
    Ok(())
}
