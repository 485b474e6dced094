use async_stream::stream;
use example_common::{
    App, MAX_BODY, PAGE, Query, SECOND, THINKING, event, patterns, permit, published, tokens,
};
use serde_json::json;
use sse_warp::{
    Event, Result, Sse, SseRequest,
    browser::resumable_js,
    channel, get, mount,
    mount::{AccessDenied, AccessRequest, Permit},
    origin::preflight,
    sse_request,
};
use tokio::{spawn, time::sleep};
use warp::{
    Filter, Rejection, any,
    http::Request,
    path, post,
    reply::{self, Html, Json, Reply, Response},
};

use crate::extract::{query, refused, text};

pub(crate) fn routes(app: App) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    let tenant = mount(app.hub.clone(), access).origins(app.options.origins.clone()).publish(MAX_BODY);
    let preflight = preflight(app.options.origins.clone());
    let app = any().map(move || app.clone());
    let route = |name: &'static str| path(name).and(path::end()).and(app.clone());
    path::end()
        .and(get())
        .then(page)
        .or(path("resumable.js").and(path::end()).and(resumable_js()))
        .or(route("events").and(get()).and(query()).and(sse_request()).then(events))
        .or(route("publish").and(post()).and(sse_request()).and(query()).and(text()).then(publish))
        .or(route("signal").and(post()).and(sse_request()).and(query()).and(text()).then(signal))
        .or(route("finish").and(post()).and(sse_request()).and(query()).then(finish))
        .or(route("disconnect").and(post()).and(sse_request()).and(query()).then(disconnect))
        .or(route("ticks").and(get()).then(ticks))
        .or(route("complete").and(post()).and(sse_request()).and(text()).then(complete))
        .or(route("stats").and(get()).then(stats))
        .or(route("metrics").and(get()).then(metrics))
        .or(path("tenant").and(path::end()).and(tenant.into_filter()))
        .or(path("events").and(path::end()).and(preflight.into_filter()))
        .recover(refused)
}

async fn page() -> Html<&'static str> {
    reply::html(PAGE)
}

/// Subscribes; a reader that reconnects resumes where it stopped. A browser that follows a link here gets the page.
async fn events(app: App, query: Query, request: SseRequest) -> Result<Response> {
    if request.prefers_html() {
        return Ok(reply::with_header(reply::html(PAGE), "vary", "accept").into_response());
    }
    let subscribe = app.hub.subscribe(patterns(&query.topics)?).start(query.start);
    let subscription = subscribe.request(request).fallbacks().origins(&app.options.origins).await?;
    let stream = sse_warp::reply(subscription).keep_alive(app.keep_alive()).max_age(app.options.max_age);
    let stream = if app.options.compress { stream.compress() } else { stream };
    Ok(stream.into_response())
}

/// Refuses pages of other sites, which could publish in the user's name; non-browser clients pass.
async fn publish(app: App, request: SseRequest, query: Query, text: String) -> Result<Json> {
    app.options.origins.check(&request)?;
    let publishing = app.hub.publish(query.topics, event(&text, query.event.as_deref()));
    let receipt = match query.key {
        Some(key) => publishing.key(key).await?,
        None => publishing.await?,
    };
    Ok(reply::json(&published(&receipt)))
}

/// Sends an event to the readers connected now; the event is not stored.
async fn signal(app: App, request: SseRequest, query: Query, text: String) -> Result<Json> {
    app.options.origins.check(&request)?;
    let receivers = app.hub.signal(query.topics, event(&text, query.event.as_deref()))?;
    Ok(reply::json(&json!({ "receivers": receivers })))
}

/// Finishes a topic: readers get the rest and `sse.end`; one that reconnects after that gets 204 and stops.
async fn finish(app: App, request: SseRequest, query: Query) -> Result<Json> {
    app.options.origins.check(&request)?;
    let receipt = app.hub.finish(query.topics).await?;
    Ok(reply::json(&published(&receipt)))
}

/// Ends the streams of a topic's readers; they reconnect and resume.
async fn disconnect(app: App, request: SseRequest, query: Query) -> Result<Json> {
    app.options.origins.check(&request)?;
    let ended = app.hub.disconnect(query.topics)?;
    Ok(reply::json(&json!({ "ended": ended })))
}

/// A plain stream without a hub: `until` ends it at the shutdown.
async fn ticks(app: App) -> Sse {
    let numbers = stream! {
        for n in 0u64.. {
            yield Event::message(n.to_string()).id(n);
            sleep(SECOND).await;
        }
    };
    sse_warp::reply(numbers).keep_alive(app.keep_alive()).until(app.shutdown.clone())
}

/// Tokens, as a language model produces them. They cannot be resumed, so they get the whole drain time of a shutdown.
async fn complete(app: App, request: SseRequest, prompt: String) -> Result {
    app.options.origins.check(&request)?;
    let (tx, answer) = channel(32);
    spawn(async move {
        for token in tokens(&prompt) {
            if tx.send(Event::message(token)).await.is_err() {
                return tracing::info!("the reader has left: no more tokens are paid for");
            }
            sleep(THINKING).await;
        }
        let _ = tx.send(Event::message("[DONE]")).await;
    });
    Ok(sse_warp::reply(answer).keep_alive(app.keep_alive()).until(app.shutdown.deadline()))
}

async fn stats(app: App) -> Json {
    reply::json(&app.stats())
}

async fn metrics(app: App) -> String {
    app.metrics()
}

/// The access hook of the adapter's own routes: decides who may do what.
fn access(request: &Request<()>, _: &AccessRequest) -> std::result::Result<Permit, AccessDenied> {
    permit(request.headers().get("x-tenant").and_then(|name| name.to_str().ok()))
}
