use async_stream::stream;
use example_common::{App, MAX_BODY, PAGE, SECOND, THINKING, event, patterns, permit, published, tokens};
use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response, Route, handler, post,
    web::{Data, Html, Json},
};
use serde_json::{Value, json};
use sse_poem::{
    Event, Result, Sse, SseRequest,
    browser::resumable_js,
    channel, get, mount,
    mount::{AccessDenied, AccessRequest, Permit},
    origin::preflight,
};
use tokio::{spawn, time::sleep};

use crate::extract::{Query, Text};

pub(crate) fn routes(app: App) -> impl Endpoint + 'static {
    let tenant = mount(app.hub.clone(), access).origins(app.options.origins.clone()).publish(MAX_BODY);
    Route::new()
        .at("/", get(page))
        .at("/resumable.js", get(resumable_js()))
        .at("/events", get(events).with(preflight(app.options.origins.clone())))
        .at("/publish", post(publish))
        .at("/signal", post(signal))
        .at("/finish", post(finish))
        .at("/disconnect", post(disconnect))
        .at("/ticks", get(ticks))
        .at("/complete", post(complete))
        .at("/stats", get(stats))
        .at("/metrics", get(metrics))
        .at("/tenant", tenant)
        .data(app)
}

#[handler]
async fn page() -> Html<&'static str> {
    Html(PAGE)
}

/// Subscribes; a reader that reconnects resumes where it stopped. A browser that follows a link here gets the page.
#[handler]
async fn events(Data(app): Data<&App>, Query(query): Query, request: SseRequest) -> Result<Response> {
    if request.prefers_html() {
        return Ok(Html(PAGE).with_header("vary", "accept").into_response());
    }
    let subscribe = app.hub.subscribe(patterns(&query.topics)?).start(query.start);
    let subscription = subscribe.request(request).fallbacks().origins(&app.options.origins).await?;
    let stream = Sse::new(subscription).keep_alive(app.keep_alive()).max_age(app.options.max_age);
    let stream = if app.options.compress { stream.compress() } else { stream };
    Ok(stream.into_response())
}

/// Refuses pages of other sites, which could publish in the user's name; non-browser clients pass.
#[handler]
async fn publish(
    Data(app): Data<&App>,
    request: SseRequest,
    Query(query): Query,
    Text(text): Text,
) -> Result<Json<Value>> {
    app.options.origins.check(&request)?;
    let publishing = app.hub.publish(query.topics, event(&text, query.event.as_deref()));
    let receipt = match query.key {
        Some(key) => publishing.key(key).await?,
        None => publishing.await?,
    };
    Ok(Json(published(&receipt)))
}

/// Sends an event to the readers connected now; the event is not stored.
#[handler]
async fn signal(
    Data(app): Data<&App>,
    request: SseRequest,
    Query(query): Query,
    Text(text): Text,
) -> Result<Json<Value>> {
    app.options.origins.check(&request)?;
    let receivers = app.hub.signal(query.topics, event(&text, query.event.as_deref()))?;
    Ok(Json(json!({ "receivers": receivers })))
}

/// Finishes a topic: readers get the rest and `sse.end`; one that reconnects after that gets 204 and stops.
#[handler]
async fn finish(Data(app): Data<&App>, request: SseRequest, Query(query): Query) -> Result<Json<Value>> {
    app.options.origins.check(&request)?;
    let receipt = app.hub.finish(query.topics).await?;
    Ok(Json(published(&receipt)))
}

/// Ends the streams of a topic's readers; they reconnect and resume.
#[handler]
async fn disconnect(Data(app): Data<&App>, request: SseRequest, Query(query): Query) -> Result<Json<Value>> {
    app.options.origins.check(&request)?;
    let ended = app.hub.disconnect(query.topics)?;
    Ok(Json(json!({ "ended": ended })))
}

/// A plain stream without a hub: `until` ends it at the shutdown.
#[handler]
async fn ticks(Data(app): Data<&App>) -> Sse {
    let numbers = stream! {
        for n in 0u64.. {
            yield Event::message(n.to_string()).id(n);
            sleep(SECOND).await;
        }
    };
    Sse::new(numbers).keep_alive(app.keep_alive()).until(app.shutdown.clone())
}

/// Tokens, as a language model produces them. They cannot be resumed, so they get the whole drain time of a shutdown.
#[handler]
async fn complete(Data(app): Data<&App>, request: SseRequest, Text(prompt): Text) -> Result {
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
    Ok(Sse::new(answer).keep_alive(app.keep_alive()).until(app.shutdown.deadline()))
}

#[handler]
async fn stats(Data(app): Data<&App>) -> Json<Value> {
    Json(app.stats())
}

#[handler]
async fn metrics(Data(app): Data<&App>) -> String {
    app.metrics()
}

/// The access hook of the adapter's own routes: decides who may do what.
fn access(request: &Request, _: &AccessRequest) -> std::result::Result<Permit, AccessDenied> {
    permit(request.header("x-tenant"))
}
