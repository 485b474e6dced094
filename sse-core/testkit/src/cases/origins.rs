//! Origins of requests, as browsers and proxies send them.

use sse_core::origin::OriginPolicy;

use super::errors::refused;
use crate::{
    App, Exchange, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

const MOUNTED: &str = "/mounted?topic=tenant.acme.orders";
const HANDLER: &str = "/events?topic=a&on=origins";
const PAGE: &str = "https://web.example";

fn of_acme(request: Request) -> Request {
    request.header("X-Tenant", "acme")
}

fn cross_site(request: Request) -> Request {
    of_acme(request.header("Origin", PAGE).header("Sec-Fetch-Site", "cross-site"))
}

fn preflight(target: &str, method: &str, headers: &str) -> Request {
    let request = Request::options(target).header("Access-Control-Request-Method", method);
    request.header("Access-Control-Request-Headers", headers).header("Sec-Fetch-Mode", "cors")
}

fn names<'a>(answer: &'a Exchange, header: &str) -> Vec<&'a str> {
    answer.header(header).unwrap_or_default().split(',').map(str::trim).collect()
}

/// The proxy sends the name of its upstream as `Host`; only the browser knows that the origin is the same.
pub async fn the_same_origin_publishes_behind_a_proxy(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let behind = |request: Request, site: Option<&'static str>| {
        let request = of_acme(request.header("Host", "app").header("Origin", "https://app.example"));
        match site {
            Some(site) => request.header("Sec-Fetch-Site", site),
            None => request,
        }
    };
    let mut reader = server.stream(behind(Request::get(MOUNTED), Some("same-origin"))).await?;
    ensure_eq!(server.send(behind(Request::post(MOUNTED, "x"), Some("same-origin"))).await?.status(), 200);
    reader.until_text("data: x\n").await?;
    server.stream(behind(Request::get(HANDLER), Some("same-origin"))).await?;
    for site in [Some("same-site"), Some("cross-site"), Some("none"), Some("same-origin, same-origin"), None]
    {
        for forwarded in ["app.example", "app"] {
            let request = behind(Request::post(MOUNTED, "x"), site);
            let request = request.header("X-Forwarded-Host", forwarded).header("X-Original-Host", forwarded);
            let request = request.header("Forwarded", format!("host={forwarded};proto=https"));
            refused(&mut server.send(request).await?, 403, "origin").await?;
        }
    }
    Ok(())
}

/// Preflights pass on the adapter's routes and on those of handlers; the request itself gets a readable answer.
pub async fn preflights_pass_what_clients_of_streams_send(app: &dyn App) -> Outcome {
    let any = OriginPolicy::builder().any_origin().build()?;
    let named = OriginPolicy::builder().origin(PAGE).credentials(true).build()?;
    for (origins, allowed, credentials) in [(any, "*", None), (named, PAGE, Some("true"))] {
        let server = Server::start(app, Settings { origins, ..Settings::quiet() }).await?;
        for target in [MOUNTED, HANDLER] {
            let asked = "accept,authorization,cache-control,content-type,last-event-id";
            let answer = server.send(cross_site(preflight(target, "GET", asked))).await?;
            ensure!(answer.status() == 204, "{target}: {}", answer.head());
            ensure_eq!(answer.header("access-control-allow-origin"), Some(allowed));
            ensure_eq!(answer.header("access-control-allow-credentials"), credentials);
            ensure!(names(&answer, "access-control-allow-methods").contains(&"GET"), "{}", answer.head());
            let headers = names(&answer, "access-control-allow-headers");
            ensure!(asked.split(',').all(|name| headers.contains(&name)), "{}", answer.head());
            ensure!(!headers.contains(&"*"), "{}", answer.head());
            let second = Request::get(target).header("Cache-Control", "no-cache").after("elsewhere");
            let stream = server.stream(cross_site(second)).await?;
            ensure_eq!(stream.header("access-control-allow-origin"), Some(allowed));
            ensure!(
                names(&stream, "access-control-expose-headers").contains(&"sse-gap"),
                "{}",
                stream.head()
            );
            ensure!(stream.header("sse-gap").is_some(), "{}", stream.head());
        }
        if allowed == PAGE {
            for target in [MOUNTED, HANDLER] {
                let request =
                    preflight(target, "GET", "last-event-id").header("Origin", "https://evil.example");
                let mut answer = server.send(request.header("Sec-Fetch-Site", "cross-site")).await?;
                refused(&mut answer, 403, "origin").await?;
                ensure_eq!(answer.header("access-control-allow-origin"), None);
            }
        }
    }
    Ok(())
}

/// Publishing needs its own setting: a browser sends the user's cookies with a simple POST of any page.
pub async fn any_origin_reads_and_does_not_publish(app: &dyn App) -> Outcome {
    let origins = OriginPolicy::builder().any_origin().build()?;
    let server = Server::start(app, Settings { origins, ..Settings::quiet() }).await?;
    let mut reader = server.stream(cross_site(Request::get(MOUNTED))).await?;
    ensure_eq!(reader.header("access-control-allow-origin"), Some("*"));
    for refuses in [
        cross_site(Request::post(MOUNTED, "forged")),
        of_acme(
            Request::post(MOUNTED, "forged").header("Origin", "null").header("Sec-Fetch-Site", "cross-site"),
        ),
        of_acme(Request::post(MOUNTED, "forged").header("Origin", PAGE)),
        of_acme(Request::post(MOUNTED, "forged").header("Sec-Fetch-Site", "same-site")),
        cross_site(preflight(MOUNTED, "POST", "content-type")),
    ] {
        let mut answer = server.send(refuses).await?;
        refused(&mut answer, 403, "any_origin_may_post").await?;
        ensure_eq!(answer.header("access-control-allow-origin"), None);
    }
    let own = of_acme(Request::post(MOUNTED, "own").header("Sec-Fetch-Site", "same-origin"));
    ensure_eq!(server.send(own).await?.status(), 200);
    // A non-browser client.
    ensure_eq!(server.send(of_acme(Request::post(MOUNTED, "script"))).await?.status(), 200);
    reader.until_told(2).await?;
    ensure!(!reader.text().contains("forged"), "{}", reader.text());

    let origins = OriginPolicy::builder().any_origin_may_post().build()?;
    let server = Server::start(app, Settings { origins, ..Settings::quiet() }).await?;
    ensure_eq!(server.send(cross_site(Request::post(MOUNTED, "x"))).await?.status(), 200);
    ensure_eq!(server.send(cross_site(preflight(MOUNTED, "POST", "content-type"))).await?.status(), 204);
    Ok(())
}
