//! The suite's application in Axum's idiom.

use std::net::Ipv4Addr;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header::VARY, request::Parts},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use sse_axum::{
    LastEventId, Receipt, Result, Sse, SseRequest, channel, mount,
    mount::{Access, AccessDenied, AccessRequest, Permit},
    origin::preflight,
};
use sse_testkit::{App, Context, MAX_BODY, PAGE, Query, Serving};
use tokio::net::TcpListener;

pub(crate) struct Axum;

impl App for Axum {
    fn serve(&self, context: Context) -> Serving {
        Box::pin(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            context.listens_at(listener.local_addr().unwrap());
            let shutdown = context.shutdown.clone();
            let server = axum::serve(listener, routes(context)).with_graceful_shutdown(shutdown.clone());
            shutdown.serve(server).await;
        })
    }
}

fn routes(context: Context) -> Router {
    let dress = context.clone();
    let mounted = mount(context.hub.clone(), Tenants(context.clone()))
        .origins(context.origins())
        .publish(MAX_BODY)
        .stream(move |stream| dress.configure(stream));
    Router::new()
        .route_service("/mounted", mounted)
        .route("/page", get(page))
        .route("/events", get(events).options_service(preflight(context.origins())))
        .route("/compressed", get(compressed))
        .route("/late", get(late))
        .route("/script", get(script))
        .route("/failing", get(failing))
        .route("/numbers", get(numbers))
        .route("/ticks", get(ticks))
        .route("/tokens", get(tokens))
        .route("/complete", post(complete))
        .route("/talk", get(talk))
        .route("/publish", post(publish))
        .route("/finish", post(finish))
        .route("/runs", post(run).delete(stop))
        .with_state(context)
}

async fn events(State(app): State<Context>, RawQuery(query): RawQuery, request: SseRequest) -> Result {
    let subscription = app.subscribe(Query::from_query(query.as_deref())).request(request).await?;
    Ok(Sse::new(app.configure(subscription)))
}

async fn page(State(app): State<Context>, query: RawQuery, request: SseRequest) -> Response {
    if request.prefers_html() {
        return ([(VARY, "accept")], Html(PAGE)).into_response();
    }
    events(State(app), query, request).await.into_response()
}

async fn compressed(State(app): State<Context>, query: RawQuery, request: SseRequest) -> Result {
    Ok(events(State(app), query, request).await?.compress())
}

async fn late(State(app): State<Context>, query: RawQuery, request: SseRequest) -> Result {
    app.shutdown.clone().await;
    events(State(app), query, request).await
}

async fn script(State(app): State<Context>) -> Sse {
    Sse::new(app.configure(app.script()))
}

async fn failing(State(app): State<Context>) -> Sse {
    Sse::new(app.configure(Sse::try_new(app.failing())))
}

async fn numbers(State(app): State<Context>, last: LastEventId) -> Sse {
    Sse::new(app.configure(app.numbers(&last)))
}

async fn ticks(State(app): State<Context>) -> Sse {
    Sse::new(app.configure(app.ticks())).until(app.shutdown)
}

async fn tokens(State(app): State<Context>) -> Sse {
    Sse::new(app.configure(app.ticks())).until(app.shutdown.deadline())
}

async fn complete(State(app): State<Context>, text: String) -> Sse {
    let (tx, words) = channel(4);
    app.words(tx, text);
    Sse::new(app.configure(words))
}

async fn talk(State(app): State<Context>) -> Sse {
    let (tx, events) = channel(4);
    app.talk(tx);
    Sse::new(app.configure(events))
}

async fn publish(State(app): State<Context>, RawQuery(query): RawQuery, text: String) -> Result<String> {
    let query = Query::from_query(query.as_deref());
    let receipt = app.hub.publish(&query.topics, query.event_of(&text)).await?;
    Ok(answer(receipt))
}

async fn finish(State(app): State<Context>, RawQuery(query): RawQuery) -> Result<String> {
    let query = Query::from_query(query.as_deref());
    Ok(answer(app.hub.finish(query.topics).await?))
}

async fn run(State(app): State<Context>, RawQuery(query): RawQuery, text: String) -> Result<StatusCode> {
    let query = Query::from_query(query.as_deref());
    app.produce(app.hub.start_run(query.topics)?, text);
    Ok(StatusCode::ACCEPTED)
}

async fn stop(State(app): State<Context>, RawQuery(query): RawQuery) -> Result<StatusCode> {
    let query = Query::from_query(query.as_deref());
    let is_known = app.hub.stop_run(query.topics).await?;
    Ok(if is_known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

fn answer(receipt: Receipt) -> String {
    format!(r#"{{"id":"{}","receivers":{}}}"#, receipt.cursor, receipt.receivers.unwrap_or(0))
}

struct Tenants(Context);

impl Access<Parts> for Tenants {
    async fn permit(
        &self,
        request: &Parts,
        ask: &AccessRequest,
    ) -> std::result::Result<Permit, AccessDenied> {
        let tenant = request.headers.get("x-tenant").and_then(|name| name.to_str().ok());
        self.0.permit(tenant, ask)
    }
}
