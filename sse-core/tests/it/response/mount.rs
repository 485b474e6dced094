//! Mounted routes without a framework: what a permit covers, and the errors when routes are created.

use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use sse_core::{
    __private::{BodyError, MountResponse, Preflight, Routes, collect},
    Error, Hub, Pattern, Topic,
    error::InvalidTopic,
    mount::{AccessDenied, AccessKind, AccessRequest, Permit},
    origin::OriginPolicy,
};

/// All texts of up to `most` of these parts.
fn texts(parts: &[&str], most: usize) -> Vec<String> {
    let mut all: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
    let mut longest = all.clone();
    for _ in 1..most {
        longest =
            longest.iter().flat_map(|text| parts.iter().map(move |part| format!("{text}.{part}"))).collect();
        all.extend(longest.iter().cloned());
    }
    all
}

#[test]
fn a_pattern_covers_what_matches_nothing_that_it_does_not_match() {
    let patterns: Vec<_> =
        texts(&["a", "b", "*", ">"], 3).iter().filter_map(|text| Pattern::new(text).ok()).collect();
    // One part more than a pattern has, and a part that no pattern names.
    let topics: Vec<_> = texts(&["a", "b", "c"], 4).iter().map(|text| Topic::new(text).unwrap()).collect();
    let mut covered = 0;
    for one in &patterns {
        for other in &patterns {
            let expected = topics.iter().all(|topic| !other.matches(topic) || one.matches(topic));
            assert_eq!(one.covers(other), expected, "{one} and {other}");
            covered += usize::from(expected);
        }
    }
    assert!(patterns.len() > 40 && covered > patterns.len(), "{covered} of {}", patterns.len());
}

fn ask(routes: &Routes, method: &str, target: &str) -> Result<AccessRequest, (u16, String)> {
    let method = Method::try_from(method).unwrap();
    match routes.ask(&method, &HeaderMap::new(), &target.parse::<Uri>().unwrap()) {
        Ok(asked) => Ok(asked.ask),
        Err(MountResponse::Text(response)) => Err((response.status().as_u16(), response.into_body())),
        Err(MountResponse::Stream(_)) => panic!("a stream before anybody decided"),
    }
}

#[test]
fn a_request_says_what_it_asks_for() {
    let routes = Routes::new(Hub::memory());
    let reading = ask(&routes, "GET", "/x?topic=a.*&topic=b&other=1").unwrap();
    assert_eq!(reading.action(), AccessKind::Subscribe);
    assert_eq!(reading.topics().iter().map(Pattern::as_str).collect::<Vec<_>>(), ["a.*", "b"]);
    assert_eq!(ask(&routes, "GET", "/x").unwrap_err().0, 400);
    let (status, says) = ask(&routes, "POST", "/x?topic=a").unwrap_err();
    assert_eq!(status, 405, "publishing must be allowed first");
    assert!(says.contains("GET subscribes"), "{says}");
    assert_eq!(ask(&routes.publish(10), "POST", "/x?topic=a").unwrap().action(), AccessKind::Publish);
}

#[test]
fn fixed_topics_are_checked_when_routes_are_made() {
    let routes = Routes::new(Hub::memory());
    assert_eq!(routes.clone().topics(Vec::<&str>::new()).unwrap_err(), InvalidTopic::Missing);
    assert_eq!(routes.clone().topics("a..b").unwrap_err(), InvalidTopic::EmptyPart);
    let routes = routes.topics(Pattern::new("prices.*").unwrap()).unwrap();
    let asked = ask(&routes, "GET", "/x?topic=secrets").unwrap();
    assert_eq!(asked.topics().iter().map(Pattern::as_str).collect::<Vec<_>>(), ["prices.*"]);
}

#[tokio::test]
async fn a_preflight_names_headers_only_to_allowed_pages() {
    let builder = OriginPolicy::builder().origin("https://web.example.com");
    let routes = Routes::new(Hub::memory()).origins(builder.request_header("X-Tenant_1").build().unwrap());
    let target = "/x?topic=a".parse::<Uri>().unwrap();
    let told = |origin: Option<&str>| {
        let origin = origin.map(|origin| ("origin", origin));
        let pairs =
            origin.into_iter().chain([("host", "here.example"), ("access-control-request-method", "GET")]);
        let headers: HeaderMap = pairs
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::try_from(value).unwrap()))
            .collect();
        match routes.ask(&Method::OPTIONS, &headers, &target) {
            Err(MountResponse::Text(response)) => {
                response.headers().get("access-control-allow-headers").cloned()
            }
            _ => panic!("no answer to a preflight"),
        }
    };
    let names = "accept, authorization, cache-control, content-type, last-event-id, x-tenant_1";
    assert_eq!(told(Some("https://web.example.com")).unwrap().to_str().unwrap().to_ascii_lowercase(), names);
    assert_eq!(told(None), None);
}

#[tokio::test]
async fn a_permit_to_read_is_none_to_publish() {
    let hub = Hub::memory();
    let routes = Routes::new(hub.clone()).publish(10);
    let target = "/x?topic=a".parse::<Uri>().unwrap();
    for (permit, status) in [
        (Permit::read_all(), 403),
        (Permit::read("a").unwrap(), 403),
        (Permit::read("b").unwrap().publish("a").unwrap(), 200),
    ] {
        let asked = routes.ask(&Method::POST, &HeaderMap::new(), &target).unwrap();
        let answer = routes.answer(&asked, async { Ok(permit) }, async { Ok(b"text".to_vec()) }).await;
        let MountResponse::Text(response) = answer else { panic!("a stream after POST") };
        assert_eq!(response.status(), status, "{}", response.body());
    }
    assert_eq!(hub.stats().published, 1);
    for (denied, status) in [
        (AccessDenied::Unauthorized, 401),
        (AccessDenied::Forbidden, 403),
        (AccessDenied::NotFound, 404),
        (InvalidTopic::EmptyPart.into(), 400),
    ] {
        assert_eq!(Error::from(denied).status(), status);
    }
}

#[tokio::test]
async fn a_body_is_collected_up_to_its_limit() {
    let parts = |parts: [&'static str; 2]| stream::iter(parts.map(|part| Ok::<_, Error>(part.as_bytes())));
    assert_eq!(collect(parts(["12345", "67890"]), 10).await, Ok(b"1234567890".to_vec()));
    assert_eq!(collect(parts(["12345", "678901"]), 10).await, Err(BodyError::TooLong));
    let broken = stream::iter([Ok(&b"1"[..]), Err("broken")]);
    assert_eq!(collect(broken, 10).await, Err(BodyError::Broken));
}

/// Application code in a permit or in the options of a stream may panic, as the access hook may.
#[tokio::test]
async fn h7_a_panic_of_what_a_hook_returned_is_answered() {
    let target = "/x?topic=a".parse::<Uri>().unwrap();
    let ask = |accept: &'static str| {
        HeaderMap::from_iter([(http::header::ACCEPT, http::HeaderValue::from_static(accept))])
    };
    let plain = Routes::new(Hub::memory());
    let broken = plain.clone().stream(|_| panic!("out of cheese"));
    let permit = || Permit::read_all();
    let broken_permit = || Permit::read_all().with(|_| panic!("out of cheese"));
    for (routes, permit) in [(broken, permit as fn() -> Permit), (plain, broken_permit as fn() -> Permit)] {
        for (accept, status) in [("text/event-stream", 200), ("application/json", 503)] {
            let asked = routes.ask(&Method::GET, &ask(accept), &target).unwrap();
            let answer = routes.answer(&asked, async { Ok(permit()) }, async { Ok(Vec::new()) }).await;
            let MountResponse::Stream(stream) = answer else { panic!("no stream") };
            let response = stream.into_response();
            assert_eq!(response.status(), status, "{accept}");
            let body: Vec<_> = response.into_body().collect().await;
            let last = body.last().and_then(|last| last.as_ref().ok()).expect("a body");
            let says = if status == 200 { "retry: 30000" } else { "failed" };
            assert!(String::from_utf8_lossy(last).contains(says), "{last:?}");
        }
    }
}

#[test]
fn a_preflight_of_a_handler_names_the_methods_of_its_route() {
    let policy = OriginPolicy::builder().origin("https://web.example.com").build().unwrap();
    let uri = Uri::from_static("/events");
    let headers: HeaderMap = [
        ("origin", "https://web.example.com"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "last-event-id"),
    ]
    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
    .into_iter()
    .collect();
    let reads = Preflight::new(policy);
    for (preflight, methods) in
        [(reads.clone(), "GET, HEAD, OPTIONS"), (reads.post(), "GET, HEAD, OPTIONS, POST")]
    {
        assert_eq!(preflight.is_of_handler(&Method::POST), methods.ends_with("POST"));
        let allowed = preflight.answer(&Method::OPTIONS, &headers, &uri);
        assert_eq!(allowed.status(), 204);
        assert_eq!(allowed.headers()["allow"], methods);
        assert_eq!(allowed.headers()["access-control-allow-methods"], methods);
        let refused = preflight.answer(&Method::DELETE, &headers, &uri);
        assert_eq!(refused.status(), 405);
        assert_eq!(refused.headers()["allow"], methods);
    }
}
