//! The suite's application in Warp's idiom.

use std::{convert::Infallible, net::Ipv4Addr};

use sse_testkit::{App, Context, MAX_BODY, PAGE, Query, Serving};
use sse_warp::{
    LastEventId, Receipt, Result, Sse, SseRequest, channel, last_event_id, mount,
    mount::{Access, AccessDenied, AccessRequest, Permit},
    origin::preflight,
    reply, sse_request,
};
use tokio::net::TcpListener;
use warp::{
    Filter,
    filters::BoxedFilter,
    http::{Request, StatusCode},
    reply::{Reply, Response, html, with_header},
};

pub(crate) struct Warp;

impl App for Warp {
    fn serve(&self, context: Context) -> Serving {
        Box::pin(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            context.listens_at(listener.local_addr().unwrap());
            let shutdown = context.shutdown.clone();
            let server = warp::serve(routes(context)).incoming(listener).graceful(shutdown.clone()).run();
            shutdown.serve(server).await;
        })
    }
}

fn routes(context: Context) -> BoxedFilter<(impl Reply,)> {
    let dress = context.clone();
    let mounted = mount(context.hub.clone(), Tenants(context.clone()))
        .origins(context.origins())
        .publish(MAX_BODY)
        .stream(move |stream| dress.configure(stream));
    let mounted = warp::path!("mounted").and(mounted.into_filter());
    let others = warp::path!("events").and(preflight(context.origins()).into_filter());
    let app = warp::any().map(move || context.clone());
    let get = || sse_warp::get().and(app.clone());
    let post = || warp::post().and(app.clone());

    let events = warp::path!("events").and(get()).and(query()).and(sse_request()).then(events);
    let page = warp::path!("page").and(get()).and(query()).and(sse_request()).then(page);
    let compressed = warp::path!("compressed").and(get()).and(query()).and(sse_request()).then(compressed);
    let late = warp::path!("late").and(get()).and(query()).and(sse_request()).then(late);
    let script = warp::path!("script").and(get()).map(script);
    let failing = warp::path!("failing").and(get()).map(failing);
    let numbers = warp::path!("numbers").and(get()).and(last_event_id()).map(numbers);
    let ticks = warp::path!("ticks").and(get()).map(ticks);
    let tokens = warp::path!("tokens").and(get()).map(tokens);
    let complete = warp::path!("complete").and(post()).and(text()).map(complete);
    let talk = warp::path!("talk").and(get()).map(talk);
    let publish = warp::path!("publish").and(post()).and(query()).and(text()).then(publish);
    let finish = warp::path!("finish").and(post()).and(query()).then(finish);
    let run = warp::path!("runs").and(post()).and(query()).and(text()).then(run);
    let stop = warp::path!("runs").and(warp::delete()).and(app.clone()).and(query()).then(stop);

    let streams = events
        .or(page)
        .or(compressed)
        .or(mounted)
        .or(late)
        .or(script)
        .or(failing)
        .or(numbers)
        .or(ticks)
        .or(tokens);
    streams.or(complete).or(talk).or(publish).or(finish).or(run).or(stop).or(others).boxed()
}

async fn events(app: Context, query: Query, request: SseRequest) -> Result {
    let subscription = app.subscribe(query).request(request).await?;
    Ok(reply(app.configure(subscription)))
}

async fn page(app: Context, query: Query, request: SseRequest) -> Response {
    if request.prefers_html() {
        return with_header(html(PAGE), "vary", "accept").into_response();
    }
    events(app, query, request).await.into_response()
}

async fn compressed(app: Context, query: Query, request: SseRequest) -> Result {
    Ok(events(app, query, request).await?.compress())
}

async fn late(app: Context, query: Query, request: SseRequest) -> Result {
    app.shutdown.clone().await;
    events(app, query, request).await
}

fn script(app: Context) -> Sse {
    reply(app.configure(app.script()))
}

fn failing(app: Context) -> Sse {
    reply(app.configure(Sse::try_new(app.failing())))
}

fn numbers(app: Context, last: LastEventId) -> Sse {
    reply(app.configure(app.numbers(&last)))
}

fn ticks(app: Context) -> Sse {
    reply(app.configure(app.ticks())).until(app.shutdown)
}

fn tokens(app: Context) -> Sse {
    reply(app.configure(app.ticks())).until(app.shutdown.deadline())
}

fn complete(app: Context, text: String) -> Sse {
    let (tx, words) = channel(4);
    app.words(tx, text);
    reply(app.configure(words))
}

fn talk(app: Context) -> Sse {
    let (tx, events) = channel(4);
    app.talk(tx);
    reply(app.configure(events))
}

async fn publish(app: Context, query: Query, text: String) -> Result<String> {
    let receipt = app.hub.publish(&query.topics, query.event_of(&text)).await?;
    Ok(answer(receipt))
}

async fn finish(app: Context, query: Query) -> Result<String> {
    Ok(answer(app.hub.finish(query.topics).await?))
}

async fn run(app: Context, query: Query, text: String) -> Result<StatusCode> {
    app.produce(app.hub.start_run(query.topics)?, text);
    Ok(StatusCode::ACCEPTED)
}

async fn stop(app: Context, query: Query) -> Result<StatusCode> {
    let is_known = app.hub.stop_run(query.topics).await?;
    Ok(if is_known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

fn query() -> impl Filter<Extract = (Query,), Error = Infallible> + Clone {
    let query = warp::query::raw().map(Some).or(warp::any().map(|| None)).unify();
    query.map(|query: Option<String>| Query::from_query(query.as_deref()))
}

fn text() -> impl Filter<Extract = (String,), Error = warp::Rejection> + Clone {
    warp::body::bytes().map(|body: warp::hyper::body::Bytes| String::from_utf8_lossy(&body).into_owned())
}

fn answer(receipt: Receipt) -> String {
    format!(r#"{{"id":"{}","receivers":{}}}"#, receipt.cursor, receipt.receivers.unwrap_or(0))
}

struct Tenants(Context);

impl Access<Request<()>> for Tenants {
    async fn permit(
        &self,
        request: &Request<()>,
        ask: &AccessRequest,
    ) -> std::result::Result<Permit, AccessDenied> {
        let tenant = request.headers().get("x-tenant").and_then(|name| name.to_str().ok());
        self.0.permit(tenant, ask)
    }
}
