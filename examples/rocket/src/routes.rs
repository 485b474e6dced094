use example_common::{App, PAGE, SECOND, THINKING, event, patterns, permit, published, start, tokens};
use rocket::{
    Either, Request, Responder, Route, State, get,
    http::Header,
    post,
    response::content::RawHtml,
    routes,
    serde::json::{Value, json},
    tokio::{spawn, time::sleep},
};
use sse_rocket::{
    Event, EventStream, Result, Sse, SseRequest, channel,
    mount::{AccessDenied, AccessRequest, Permit},
};

use crate::extract::Text;

pub(crate) fn routes() -> Vec<Route> {
    routes![page, events, publish, signal, finish, disconnect, ticks, complete, stats, metrics]
}

/// The page, with `Vary`, at an address that can also return a stream.
#[derive(Responder)]
struct PageOrStream {
    page: RawHtml<&'static str>,
    vary: Header<'static>,
}

#[get("/")]
async fn page() -> RawHtml<&'static str> {
    RawHtml(PAGE)
}

/// Subscribes; a reader that reconnects resumes where it stopped. A browser that follows a link here gets the page.
#[get("/events?<topic>&<start>")]
async fn events(
    app: &State<App>,
    topic: Vec<String>,
    start: Option<&str>,
    request: SseRequest,
) -> Result<Either<PageOrStream, Sse>> {
    if request.prefers_html() {
        return Ok(Either::Left(PageOrStream { page: RawHtml(PAGE), vary: Header::new("vary", "accept") }));
    }
    let subscribe = app.hub.subscribe(patterns(&topic)?).start(self::start(start));
    let subscription = subscribe.request(request).fallbacks().origins(&app.options.origins).await?;
    let stream = Sse::new(subscription).keep_alive(app.keep_alive()).max_age(app.options.max_age);
    Ok(Either::Right(if app.options.compress { stream.compress() } else { stream }))
}

/// Refuses pages of other sites, which could publish in the user's name; non-browser clients pass.
#[post("/publish?<topic>&<event>&<key>", data = "<text>")]
async fn publish(
    app: &State<App>,
    request: SseRequest,
    topic: Vec<String>,
    event: Option<&str>,
    key: Option<&str>,
    text: Text,
) -> Result<Value> {
    app.options.origins.check(&request)?;
    let publishing = app.hub.publish(topic, self::event(&text.0, event));
    let receipt = match key {
        Some(key) => publishing.key(key).await?,
        None => publishing.await?,
    };
    Ok(published(&receipt))
}

/// Sends an event to the readers connected now; the event is not stored.
#[post("/signal?<topic>&<event>", data = "<text>")]
async fn signal(
    app: &State<App>,
    request: SseRequest,
    topic: Vec<String>,
    event: Option<&str>,
    text: Text,
) -> Result<Value> {
    app.options.origins.check(&request)?;
    let receivers = app.hub.signal(topic, self::event(&text.0, event))?;
    Ok(json!({ "receivers": receivers }))
}

/// Finishes a topic: readers get the rest and `sse.end`; one that reconnects after that gets 204 and stops.
#[post("/finish?<topic>")]
async fn finish(app: &State<App>, request: SseRequest, topic: Vec<String>) -> Result<Value> {
    app.options.origins.check(&request)?;
    let receipt = app.hub.finish(topic).await?;
    Ok(published(&receipt))
}

/// Ends the streams of a topic's readers; they reconnect and resume.
#[post("/disconnect?<topic>")]
async fn disconnect(app: &State<App>, request: SseRequest, topic: Vec<String>) -> Result<Value> {
    app.options.origins.check(&request)?;
    let ended = app.hub.disconnect(topic)?;
    Ok(json!({ "ended": ended }))
}

/// A plain stream without a hub: the responder ends it at Rocket's own shutdown.
#[get("/ticks")]
async fn ticks(app: &State<App>) -> EventStream![] {
    let numbers = EventStream! {
        for n in 0u64.. {
            yield Event::message(n.to_string()).id(n);
            sleep(SECOND).await;
        }
    };
    numbers.keep_alive(app.keep_alive())
}

/// Tokens, as a language model produces them. They cannot be resumed, so they get the whole drain time of a shutdown.
#[post("/complete", data = "<prompt>")]
async fn complete(app: &State<App>, request: SseRequest, prompt: Text) -> Result {
    app.options.origins.check(&request)?;
    let (tx, answer) = channel(32);
    spawn(async move {
        for token in tokens(&prompt.0) {
            if tx.send(Event::message(token)).await.is_err() {
                return tracing::info!("the reader has left: no more tokens are paid for");
            }
            sleep(THINKING).await;
        }
        let _ = tx.send(Event::message("[DONE]")).await;
    });
    Ok(Sse::new(answer).keep_alive(app.keep_alive()).until(app.shutdown.deadline()))
}

#[get("/stats")]
async fn stats(app: &State<App>) -> Value {
    app.stats()
}

#[get("/metrics")]
async fn metrics(app: &State<App>) -> String {
    app.metrics()
}

/// The access hook of the adapter's own routes: decides who may do what.
pub(crate) fn access(request: &Request<'_>, _: &AccessRequest) -> std::result::Result<Permit, AccessDenied> {
    permit(request.headers().get_one("x-tenant"))
}
