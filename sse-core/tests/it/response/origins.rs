//! Origins that may request a stream.

use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use sse_core::{
    Error, EventStream, Hub, SseRequest,
    error::SubscribeError,
    origin::{ForbiddenOrigin, InvalidOrigin, OriginPolicy, OriginPolicyBuilder},
};

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    headers
}

fn request(pairs: &[(&str, &str)]) -> SseRequest {
    SseRequest::new(&Method::GET, &Uri::from_static("/"), &headers(pairs))
}

fn judged(policy: &OriginPolicy, pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>, ForbiddenOrigin> {
    let cors = policy.check(&request(pairs))?;
    Ok(cors
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect())
}

fn granted(origin: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let first =
        [("access-control-allow-origin", origin), ("access-control-expose-headers", "retry-after, sse-gap")];
    first.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const HERE: (&str, &str) = ("host", "app.example.com");

#[test]
fn the_same_origin_and_clients_that_are_no_browsers_pass() {
    let policy = OriginPolicy::default();
    for passes in [
        &[HERE][..],
        &[],
        &[HERE, ("sec-fetch-site", "same-origin")],
        &[HERE, ("sec-fetch-site", "none")],
        &[HERE, ("origin", "https://app.example.com")],
        &[HERE, ("origin", "http://app.example.com")],
        &[("host", "app.example.com:80"), ("origin", "http://app.example.com")],
        &[("host", "APP.example.com:443"), ("origin", "https://app.example.com")],
        &[("host", "app.example.com:8443"), ("origin", "https://app.example.com:8443")],
        &[("host", "[::1]:3000"), ("origin", "http://[::1]:3000")],
        &[HERE, ("origin", "https://app.example.com"), ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(judged(&policy, passes), Ok(Vec::new()), "{passes:?}");
    }
    for (refused, why) in [
        (&[HERE, ("origin", "https://evil.example")][..], ForbiddenOrigin::Origin),
        (&[HERE, ("origin", "null")], ForbiddenOrigin::Origin),
        (&[HERE, ("origin", "https://app.example.com:8443")], ForbiddenOrigin::Origin),
        (
            &[HERE, ("origin", "https://app.example.com"), ("sec-fetch-site", "cross-site")],
            ForbiddenOrigin::Origin,
        ),
        (
            &[HERE, ("origin", "https://app.example.com"), ("origin", "https://app.example.com")],
            ForbiddenOrigin::Origin,
        ),
        (&[("origin", "https://app.example.com")], ForbiddenOrigin::Origin),
        (&[("host", "*.example.com"), ("origin", "https://app.example.com")], ForbiddenOrigin::Origin),
        // An image or a link of another site: no `Origin`, and the response could not be read, but it would have a
        // cost.
        (&[HERE, ("sec-fetch-site", "cross-site")], ForbiddenOrigin::Site),
        (&[HERE, ("sec-fetch-site", "same-site")], ForbiddenOrigin::Site),
    ] {
        assert_eq!(judged(&policy, refused), Err(why), "{refused:?}");
    }
}

/// An allowed origin is sent back, so its length is limited although a pattern would allow any.
#[test]
fn e9_an_origin_of_any_length_is_not_sent_back() {
    let policy = OriginPolicy::builder().origin("https://*.example.com").build().unwrap();
    let of_length = |length: usize| format!("https://{}.example.com", "a".repeat(length));
    assert!(judged(&policy, &[HERE, ("origin", &of_length(253))]).is_ok());
    for long in [
        of_length(60_000),
        format!("https://app.example.com:{:0>60000}", 443),
        format!("https://{}.example.com.evil.example", "a".repeat(500)),
    ] {
        assert_eq!(judged(&policy, &[HERE, ("origin", &long)]), Err(ForbiddenOrigin::Origin));
    }
    let by_host = OriginPolicy::builder().host("*.example.com").build().unwrap();
    let host = format!("{}.example.com", "a".repeat(60_000));
    assert_eq!(judged(&by_host, &[("host", &host)]), Err(ForbiddenOrigin::Host));
}

#[test]
fn listed_origins_pass_and_are_told_so() {
    let policy = OriginPolicy::builder()
        .origin("https://web.example.com")
        .origin("HTTP://LocalHost:3000")
        .origin("https://*.tenants.example")
        .origin("capacitor://localhost")
        .build()
        .unwrap();
    let varies = [("vary", "origin")];
    for origin in [
        "https://web.example.com",
        "http://localhost:3000",
        "https://a.tenants.example",
        "https://a.b.tenants.example",
        "capacitor://localhost",
    ] {
        let request = [HERE, ("origin", origin), ("sec-fetch-site", "cross-site")];
        assert_eq!(judged(&policy, &request), Ok(granted(origin, &varies)), "{origin}");
    }
    for origin in [
        "http://web.example.com",
        "https://web.example.com:444",
        "https://web.example.com.evil.example",
        "https://evilweb.example.com",
        "https://tenants.example",
        "https://eviltenants.example",
        "https://*.tenants.example",
        "https://*.a.tenants.example",
        "https://.tenants.example",
        "http://localhost",
        "null",
        "https://web.example.com/",
        "https://user@web.example.com",
        "",
    ] {
        assert_eq!(judged(&policy, &[HERE, ("origin", origin)]), Err(ForbiddenOrigin::Origin), "{origin}");
    }
    // The answer to the same origin differs from that to others, and caches must be informed.
    assert_eq!(judged(&policy, &[HERE]), Ok(vec![("vary".to_owned(), "origin".to_owned())]));
    assert_eq!(judged(&policy, &[HERE, ("sec-fetch-site", "cross-site")]), Err(ForbiddenOrigin::Site));
}

#[test]
fn credentials_are_for_origins_that_are_named() {
    let named = OriginPolicy::builder().origin("https://web.example.com").credentials(true).build().unwrap();
    let told = granted(
        "https://web.example.com",
        &[("access-control-allow-credentials", "true"), ("vary", "origin")],
    );
    assert_eq!(judged(&named, &[HERE, ("origin", "https://web.example.com")]), Ok(told));
    let any = OriginPolicy::builder().any_origin().build().unwrap();
    assert_eq!(judged(&any, &[HERE, ("origin", "https://evil.example")]), Ok(granted("*", &[])));
    assert_eq!(judged(&any, &[HERE, ("sec-fetch-site", "cross-site")]), Ok(granted("*", &[])));
}

#[test]
fn hosts_keep_names_out_that_others_let_point_here() {
    let local = OriginPolicy::builder().loopback().build().unwrap();
    for host in ["localhost", "LOCALHOST:3000", "127.0.0.1:80", "[::1]:3000"] {
        assert_eq!(judged(&local, &[("host", host)]), Ok(Vec::new()), "{host}");
    }
    for host in
        ["evil.example", "localhost.evil.example", "0.0.0.0:3000", "127.0.0.1.evil.example", "", "local host"]
    {
        let rebound = format!("http://{host}");
        let request = [("host", host), ("origin", &*rebound), ("sec-fetch-site", "same-origin")];
        assert_eq!(judged(&local, &request), Err(ForbiddenOrigin::Host), "{host}");
    }
    assert_eq!(judged(&local, &[]), Err(ForbiddenOrigin::Host));
    assert_eq!(
        judged(&local, &[("host", "localhost"), ("host", "evil.example")]),
        Err(ForbiddenOrigin::Host)
    );
    let exact =
        OriginPolicy::builder().host("events.example.com:8443").host("*.example.org").build().unwrap();
    assert!(judged(&exact, &[("host", "events.example.com:8443")]).is_ok());
    assert!(judged(&exact, &[("host", "a.example.org:1")]).is_ok());
    assert!(judged(&exact, &[("host", "events.example.com")]).is_err());
    // An HTTP/2 request has no `Host` header.
    let uri = Uri::from_static("https://localhost:3000/events");
    assert!(local.check(&SseRequest::new(&Method::GET, &uri, &HeaderMap::new())).is_ok());
    let uri = Uri::from_static("https://evil.example/events");
    assert!(local.check(&SseRequest::new(&Method::GET, &uri, &HeaderMap::new())).is_err());
}

#[test]
fn what_cannot_be_is_said_when_the_policy_is_made() {
    let refused = |builder: OriginPolicyBuilder| builder.build().unwrap_err();
    let builder = OriginPolicy::builder;
    assert_eq!(refused(builder().any_origin().credentials(true)), InvalidOrigin::AnyWithCredentials);
    assert_eq!(refused(builder().origin("null")), InvalidOrigin::Null);
    for text in ["*", "app.example.com", "localhost:3000", "", "://x", "1http://x"] {
        assert_eq!(refused(builder().origin(text)), InvalidOrigin::Scheme(text.to_owned()));
    }
    for text in [
        "https://",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://app.*.com",
        "https://*",
        "https://*app.example.com",
        "https://app.example.com:99999",
        "https://app.example.com:",
        "https://bücher.example",
        "https://a..b",
        "https://[::1",
        "https://[x]",
        "https://a b",
    ] {
        assert_eq!(refused(builder().origin(text)), InvalidOrigin::Host(text.to_owned()));
    }
    for text in ["https://app.example.com", "*", "", "a/b", "[::1", "a:b"] {
        assert_eq!(refused(builder().host(text)), InvalidOrigin::Host(text.to_owned()));
    }
    for text in ["", "x y", "x:y"] {
        assert_eq!(refused(builder().request_header(text)), InvalidOrigin::Header(text.to_owned()));
    }
    assert!(refused(builder().any_origin().credentials(true)).to_string().contains("name the origins"));
}

#[tokio::test]
async fn a_subscription_is_judged_before_it_is_one() {
    let hub = Hub::memory();
    let policy = OriginPolicy::builder().origin("https://web.example.com").build().unwrap();
    let refused = request(&[HERE, ("origin", "https://evil.example")]);
    let error = hub.subscribe("a").origins(&policy).request(refused).await.unwrap_err();
    assert_eq!(error, SubscribeError::Origin(ForbiddenOrigin::Origin));
    assert!(error.to_string().contains("pages of this origin are not allowed"), "{error}");
    assert_eq!(Error::from(error).status(), 403);
    assert!(hub.stats().readers.is_empty());
    // A handler that does not pass the request on does not bypass the policy.
    for unknown in
        [hub.subscribe("a"), hub.subscribe("a").after("7"), hub.subscribe("a").request(SseRequest::default())]
    {
        let error = unknown.origins(&policy).await.unwrap_err();
        assert_eq!(error, SubscribeError::Origin(ForbiddenOrigin::Unknown));
    }
    let allowed = request(&[HERE, ("origin", "https://web.example.com")]);
    let stream = EventStream::new(hub.subscribe("a").request(allowed).origins(&policy).await.unwrap());
    let response = stream.into_response();
    assert_eq!(response.headers()["access-control-allow-origin"], "https://web.example.com");
    assert_eq!(response.headers()["vary"], "accept, origin");
    assert!(response.into_body().next().await.is_some());
}

#[cfg(feature = "compress")]
#[tokio::test]
async fn a_compressed_stream_varies_by_both() {
    let policy = OriginPolicy::builder().origin("https://web.example.com").build().unwrap();
    let allowed = request(&[HERE, ("origin", "https://web.example.com"), ("accept-encoding", "gzip")]);
    let subscription = Hub::memory().subscribe("a").request(allowed).origins(&policy).await.unwrap();
    let response = EventStream::new(subscription).compress().into_response();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let varies: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert_eq!(varies, ["accept, origin, accept-encoding"]);
}

/// The decisions for each request.
mod decisions {
    use super::*;

    /// The answer of a policy.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Decision {
        /// Allowed, as pages of the same origin and non-browser clients are.
        Yes,
        /// Allowed, and the page may read the answer.
        Cors,
        No(ForbiddenOrigin),
    }

    use Decision::{Cors, No, Yes};

    const HOST: Decision = No(ForbiddenOrigin::Host);
    const METHOD: Decision = No(ForbiddenOrigin::Method);
    const ORIGIN: Decision = No(ForbiddenOrigin::Origin);
    const SITE: Decision = No(ForbiddenOrigin::Site);

    type Row = (&'static str, &'static [(&'static str, &'static str)], [Decision; 4]);

    const APP: (&str, &str) = ("host", "app.example");
    /// As nginx sends it, unless `Host` is set in its configuration.
    const UPSTREAM: (&str, &str) = ("host", "app");
    const OWN: (&str, &str) = ("origin", "https://app.example");
    const NAMED: (&str, &str) = ("origin", "https://web.example");
    const EVIL: (&str, &str) = ("origin", "https://evil.example");
    const NULL: (&str, &str) = ("origin", "null");
    const SAME_ORIGIN: (&str, &str) = ("sec-fetch-site", "same-origin");
    const SAME_SITE: (&str, &str) = ("sec-fetch-site", "same-site");
    const CROSS_SITE: (&str, &str) = ("sec-fetch-site", "cross-site");
    const BY_USER: (&str, &str) = ("sec-fetch-site", "none");
    const TO_POST: (&str, &str) = ("access-control-request-method", "POST");
    const TO_GET: (&str, &str) = ("access-control-request-method", "GET");

    /// Method and headers, then the decisions of four policies: only the same origin; `https://web.example` named;
    /// any origin; and only the same origin under the host `app.example`.
    const ROWS: &[Row] = &[
        // Non-browser clients.
        ("GET", &[APP], [Yes, Yes, Cors, Yes]),
        ("POST", &[APP], [Yes, Yes, Yes, Yes]),
        ("POST", &[UPSTREAM], [Yes, Yes, Yes, HOST]),
        ("DELETE", &[], [Yes, Yes, Yes, HOST]),
        // A page of ours, with and without `Sec-Fetch-Site`.
        ("GET", &[APP, SAME_ORIGIN], [Yes, Yes, Cors, Yes]),
        ("POST", &[APP, OWN, SAME_ORIGIN], [Yes, Yes, Yes, Yes]),
        ("POST", &[APP, OWN], [Yes, Yes, Yes, Yes]),
        ("PUT", &[APP, OWN, SAME_ORIGIN], [Yes, Yes, Yes, Yes]),
        ("HEAD", &[APP, SAME_ORIGIN], [Yes, Yes, Cors, Yes]),
        // The same behind a proxy that rewrites `Host`.
        ("GET", &[UPSTREAM, SAME_ORIGIN], [Yes, Yes, Cors, HOST]),
        ("POST", &[UPSTREAM, OWN, SAME_ORIGIN], [Yes, Yes, Yes, HOST]),
        ("POST", &[UPSTREAM, OWN], [ORIGIN, ORIGIN, METHOD, HOST]),
        ("GET", &[UPSTREAM, OWN], [ORIGIN, ORIGIN, Cors, HOST]),
        ("POST", &[UPSTREAM, OWN, BY_USER], [ORIGIN, ORIGIN, METHOD, HOST]),
        ("DELETE", &[("host", "10.0.0.7:3000"), OWN, SAME_ORIGIN], [Yes, Yes, Yes, HOST]),
        // A policy that hides the referrer makes the own origin `null` in simple requests.
        ("POST", &[APP, NULL, SAME_ORIGIN], [Yes, Yes, Yes, Yes]),
        // The user typed the address, or opened a bookmark.
        ("GET", &[APP, BY_USER], [Yes, Yes, Cors, Yes]),
        ("POST", &[APP, EVIL, BY_USER], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, OWN, BY_USER], [Yes, Yes, Yes, Yes]),
        // Another host of the same site is not the same origin.
        ("GET", &[APP, SAME_SITE], [SITE, SITE, Cors, SITE]),
        ("POST", &[APP, ("origin", "https://blog.app.example"), SAME_SITE], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, SAME_SITE], [SITE, SITE, METHOD, SITE]),
        // Other sites: images, links, forms, `fetch`.
        ("GET", &[APP, CROSS_SITE], [SITE, SITE, Cors, SITE]),
        ("GET", &[APP, EVIL, CROSS_SITE], [ORIGIN, ORIGIN, Cors, ORIGIN]),
        ("POST", &[APP, EVIL, CROSS_SITE], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, EVIL], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, NULL, CROSS_SITE], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, NULL], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("GET", &[APP, NULL], [ORIGIN, ORIGIN, Cors, ORIGIN]),
        ("POST", &[APP, OWN, CROSS_SITE], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, CROSS_SITE], [SITE, SITE, METHOD, SITE]),
        ("HEAD", &[APP, CROSS_SITE], [SITE, SITE, Cors, SITE]),
        ("QUERY", &[APP, EVIL, CROSS_SITE], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        // A named origin.
        ("GET", &[APP, NAMED, CROSS_SITE], [ORIGIN, Cors, Cors, ORIGIN]),
        ("POST", &[APP, NAMED, CROSS_SITE], [ORIGIN, Cors, METHOD, ORIGIN]),
        ("POST", &[UPSTREAM, NAMED], [ORIGIN, Cors, METHOD, HOST]),
        ("POST", &[APP, NAMED, SAME_SITE], [ORIGIN, Cors, METHOD, ORIGIN]),
        // Preflights count as the method that they ask about.
        ("OPTIONS", &[APP, EVIL, CROSS_SITE, TO_GET], [ORIGIN, ORIGIN, Cors, ORIGIN]),
        ("OPTIONS", &[APP, EVIL, CROSS_SITE, TO_POST], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("OPTIONS", &[APP, NAMED, CROSS_SITE, TO_POST], [ORIGIN, Cors, METHOD, ORIGIN]),
        ("OPTIONS", &[APP, EVIL, ("access-control-request-method", "(?)")], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("OPTIONS", &[APP], [Yes, Yes, Cors, Yes]),
        // Only a page of another origin sends a preflight, so this header does not make a POST a lesser request.
        ("POST", &[APP, EVIL, TO_GET], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        // Headers that any client can send decide nothing.
        ("POST", &[UPSTREAM, OWN, ("x-forwarded-host", "app.example")], [ORIGIN, ORIGIN, METHOD, HOST]),
        (
            "POST",
            &[UPSTREAM, OWN, ("forwarded", "host=app.example;proto=https")],
            [ORIGIN, ORIGIN, METHOD, HOST],
        ),
        ("POST", &[APP, EVIL, ("x-forwarded-host", "evil.example")], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, EVIL, ("x-original-host", "evil.example")], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, EVIL, ("referer", "https://app.example/")], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[("host", "evil.example"), EVIL, SAME_ORIGIN], [Yes, Yes, Yes, HOST]),
        // A value that no browser sends is not the same origin.
        ("POST", &[APP, OWN, ("sec-fetch-site", "Same-Origin")], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, ("sec-fetch-site", "")], [SITE, SITE, METHOD, SITE]),
        ("POST", &[APP, OWN, CROSS_SITE, SAME_ORIGIN], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, OWN, EVIL], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
        ("POST", &[APP, ("host", "evil.example"), EVIL], [ORIGIN, ORIGIN, METHOD, HOST]),
        ("POST", &[APP, ("origin", "")], [ORIGIN, ORIGIN, METHOD, ORIGIN]),
    ];

    fn policies() -> [OriginPolicy; 4] {
        [
            OriginPolicy::same_origin(),
            OriginPolicy::builder().origin("https://web.example").build().unwrap(),
            OriginPolicy::builder().any_origin().build().unwrap(),
            OriginPolicy::builder().host("app.example").build().unwrap(),
        ]
    }

    fn decision(policy: &OriginPolicy, request: &SseRequest) -> Decision {
        match policy.check(request) {
            Ok(cors) if cors.headers().contains_key("access-control-allow-origin") => Cors,
            Ok(_) => Yes,
            Err(error) => No(error),
        }
    }

    #[test]
    fn vectors() {
        assert!(ROWS.len() >= 50, "{} rows", ROWS.len());
        for (method, pairs, expected) in ROWS {
            let method = method.parse().unwrap();
            let request = SseRequest::new(&method, &Uri::from_static("/events"), &headers(pairs));
            let decided = policies().map(|policy| decision(&policy, &request));
            assert_eq!(&decided, expected, "{method} {pairs:?}");
        }
    }

    #[test]
    fn any_origin_posts_only_if_that_is_asked_for() {
        let policy = OriginPolicy::builder().any_origin_may_post().build().unwrap();
        for (method, pairs, _) in ROWS {
            let method = method.parse().unwrap();
            let request = SseRequest::new(&method, &Uri::from_static("/events"), &headers(pairs));
            assert_eq!(decision(&policy, &request), Cors, "{method} {pairs:?}");
        }
        let refused = OriginPolicy::builder().any_origin_may_post().credentials(true).build().unwrap_err();
        assert_eq!(refused, InvalidOrigin::AnyWithCredentials);
    }

    #[test]
    fn a_named_origin_posts_beside_any() {
        let policy = OriginPolicy::builder().any_origin().origin("https://web.example").build().unwrap();
        let post = |pairs: &[(&str, &str)]| {
            SseRequest::new(&Method::POST, &Uri::from_static("/events"), &headers(pairs))
        };
        assert_eq!(decision(&policy, &post(&[APP, NAMED, CROSS_SITE])), Cors);
        assert_eq!(decision(&policy, &post(&[APP, EVIL, CROSS_SITE])), METHOD);
    }
}
