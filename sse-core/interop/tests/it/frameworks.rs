//! The client against the SSE support of the four frameworks themselves: every event of 10,000 over several
//! connections and over connections that break, and the odd ones as a browser reads them from the same bytes.

use std::{convert::Infallible, time::Duration};

use futures_util::{Stream, StreamExt, stream};
use sse_interop::servers::{NOTHING, ODD, judge, numbers};
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axums_own_events() {
    use axum::{
        Router,
        http::{HeaderMap, StatusCode},
        response::{IntoResponse, Response, Sse, sse::Event},
        routing::get,
    };

    async fn all(headers: HeaderMap) -> Response {
        let last = headers.get("last-event-id").map(|value| value.to_str().expect("ASCII"));
        let Some(numbers) = numbers(last) else { return StatusCode::NO_CONTENT.into_response() };
        let event =
            |number: u64| Event::default().event("number").id(number.to_string()).data(number.to_string());
        let retry = Event::default().retry(Duration::from_millis(1)).comment("hello");
        let events = stream::iter([retry]).chain(stream::iter(numbers.map(event)));
        Sse::new(events.map(Ok::<_, Infallible>)).into_response()
    }
    async fn odd() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
        let end = Event::default().event("end").data("");
        let end = end.data("x");
        Sse::new(stream::iter(ODD.map(|text| Event::default().data(text)).into_iter().chain([end]).map(Ok)))
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    let app = Router::new().route("/numbers", get(all)).route("/odd", get(odd));
    tokio::spawn(async { axum::serve(listener, app).await });
    // Axum writes no data line for empty data.
    judge(addr, ["plain", "two\nlines", NOTHING, " leading", "trailing\n", "\u{2026} \u{1f600}"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warps_own_events() {
    use warp::{Filter, Reply, http::StatusCode, reply::Response, sse::Event};

    let all = warp::path("numbers").and(warp::sse::last_event_id::<String>()).map(
        |last: Option<String>| -> Response {
            let Some(numbers) = numbers(last.as_deref()) else {
                return StatusCode::NO_CONTENT.into_response();
            };
            let event = |number: u64| {
                Event::default().event("number").id(number.to_string()).data(number.to_string())
            };
            let retry = Event::default().retry(Duration::from_millis(1)).comment("hello");
            let events = stream::iter([retry]).chain(stream::iter(numbers.map(event)));
            warp::sse::reply(events.map(Ok::<_, Infallible>)).into_response()
        },
    );
    let odd = warp::path("odd").map(|| {
        let end = Event::default().event("end").data("x");
        let events = ODD.map(|text| Event::default().data(text)).into_iter().chain([end]);
        warp::sse::reply(stream::iter(events.map(Ok::<_, Infallible>)))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(warp::serve(all.or(odd)).incoming(listener).run());
    // Warp writes no space after the colon, so a leading space of the data is taken for it.
    judge(addr, ["plain", "two\nlines", "", "leading", "trailing\n", "\u{2026} \u{1f600}"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poems_own_events() {
    use poem::{
        EndpointExt, IntoResponse, Response, Route, Server,
        http::{HeaderMap, StatusCode},
        listener::{Acceptor, Listener, TcpListener},
        web::sse::{Event, SSE},
    };

    #[poem::handler]
    fn all(headers: &HeaderMap) -> Response {
        let last = headers.get("last-event-id").map(|value| value.to_str().expect("ASCII"));
        let Some(numbers) = numbers(last) else { return StatusCode::NO_CONTENT.into_response() };
        let event =
            |number: u64| Event::message(number.to_string()).event_type("number").id(number.to_string());
        SSE::new(stream::iter([Event::retry(1)]).chain(stream::iter(numbers.map(event)))).into_response()
    }
    #[poem::handler]
    fn odd() -> SSE {
        let end = Event::message("x").event_type("end");
        SSE::new(stream::iter(ODD.map(Event::message).into_iter().chain([end])))
    }

    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.expect("a free port");
    let addr = *acceptor.local_addr()[0].as_socket_addr().expect("an address");
    let app = Route::new().at("/numbers", poem::get(all)).at("/odd", poem::get(odd));
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app.boxed()));
    // Poem writes no data line for empty data, and drops the last of several empty lines.
    judge(addr, ["plain", "two\nlines", NOTHING, " leading", "trailing", "\u{2026} \u{1f600}"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rockets_own_events() {
    use rocket::{
        fairing::AdHoc,
        get,
        request::{FromRequest, Outcome, Request},
        response::stream::{Event, EventStream},
        routes,
    };

    struct Last(Option<String>);

    #[rocket::async_trait]
    impl<'r> FromRequest<'r> for Last {
        type Error = Infallible;

        async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
            Outcome::Success(Self(request.headers().get_one("last-event-id").map(str::to_owned)))
        }
    }

    // `None` would be 404.
    #[get("/numbers")]
    fn all(
        last: Last,
    ) -> Result<EventStream<impl Stream<Item = Event>>, rocket::response::status::NoContent> {
        let numbers = numbers(last.0.as_deref()).ok_or(rocket::response::status::NoContent)?;
        let event = |number: u64| Event::data(number.to_string()).event("number").id(number.to_string());
        let retry = Event::retry(Duration::from_millis(1)).with_comment("hello");
        Ok(EventStream::from(stream::iter([retry]).chain(stream::iter(numbers.map(event)))))
    }
    #[get("/odd")]
    fn odd() -> EventStream<impl Stream<Item = Event>> {
        let end = Event::data("x").event("end");
        EventStream::from(stream::iter(ODD.map(Event::data).into_iter().chain([end])))
    }

    let (listening, addr) = std::sync::mpsc::channel();
    let config = rocket::Config {
        port: 0,
        log_level: rocket::config::LogLevel::Off,
        shutdown: rocket::config::Shutdown { ctrlc: false, ..Default::default() },
        ..rocket::Config::debug_default()
    };
    let liftoff = AdHoc::on_liftoff("listening", move |rocket| {
        Box::pin(async move { listening.send(rocket.config().port).expect("the test waits") })
    });
    tokio::spawn(rocket::custom(config).mount("/", routes![all, odd]).attach(liftoff).launch());
    let port = tokio::task::spawn_blocking(move || addr.recv_timeout(Duration::from_secs(30)));
    let port = port.await.expect("it waits").expect("it listens");
    // Rocket writes no space after the colon, so a leading space of the data is taken for it.
    judge(
        ([127, 0, 0, 1], port).into(),
        ["plain", "two\nlines", "", "leading", "trailing\n", "\u{2026} \u{1f600}"],
    )
    .await;
}
