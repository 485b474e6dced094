//! The suite's application in Poem's idiom.

use std::net::Ipv4Addr;

use poem::{
    EndpointExt, IntoResponse, Request, Response, Route, Server, handler,
    http::{StatusCode, Uri},
    listener::TcpAcceptor,
    post,
    web::{Data, Html},
};
use sse_poem::{
    LastEventId, Receipt, Result, Sse, SseRequest, channel, get, mount,
    mount::{Access, AccessDenied, AccessRequest, Permit},
    origin::preflight,
};
use sse_testkit::{App, Context, MAX_BODY, PAGE, Query, Serving};
use tokio::net::TcpListener;

pub(crate) struct Poem;

impl App for Poem {
    fn serve(&self, context: Context) -> Serving {
        Box::pin(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            context.listens_at(listener.local_addr().unwrap());
            let shutdown = context.shutdown.clone();
            let server = Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap());
            let app = routes(&context).data(context);
            shutdown.serve(server.run_with_graceful_shutdown(app, shutdown.clone(), None)).await;
        })
    }
}

fn routes(context: &Context) -> Route {
    let dress = context.clone();
    let mounted = mount(context.hub.clone(), Tenants(context.clone()))
        .origins(context.origins())
        .publish(MAX_BODY)
        .stream(move |stream| dress.configure(stream));
    Route::new()
        .at("/mounted", mounted)
        .at("/page", get(page))
        .at("/events", get(events).with(preflight(context.origins())))
        .at("/compressed", get(compressed))
        .at("/late", get(late))
        .at("/script", get(script))
        .at("/failing", get(failing))
        .at("/numbers", get(numbers))
        .at("/ticks", get(ticks))
        .at("/tokens", get(tokens))
        .at("/complete", post(complete))
        .at("/talk", get(talk))
        .at("/publish", post(publish))
        .at("/finish", post(finish))
        .at("/runs", post(run).delete(stop))
}

#[handler]
async fn events(Data(app): Data<&Context>, uri: &Uri, request: SseRequest) -> Result {
    subscribed(app, uri, request).await
}

#[handler]
async fn page(Data(app): Data<&Context>, uri: &Uri, request: SseRequest) -> Result<Response> {
    if request.prefers_html() {
        return Ok(Html(PAGE).with_header("vary", "accept").into_response());
    }
    Ok(subscribed(app, uri, request).await?.into_response())
}

#[handler]
async fn compressed(Data(app): Data<&Context>, uri: &Uri, request: SseRequest) -> Result {
    Ok(subscribed(app, uri, request).await?.compress())
}

#[handler]
async fn late(Data(app): Data<&Context>, uri: &Uri, request: SseRequest) -> Result {
    app.shutdown.clone().await;
    subscribed(app, uri, request).await
}

async fn subscribed(app: &Context, uri: &Uri, request: SseRequest) -> Result {
    let subscription = app.subscribe(Query::from_query(uri.query())).request(request).await?;
    Ok(Sse::new(app.configure(subscription)))
}

#[handler]
fn script(Data(app): Data<&Context>) -> Sse {
    Sse::new(app.configure(app.script()))
}

#[handler]
fn failing(Data(app): Data<&Context>) -> Sse {
    Sse::new(app.configure(Sse::try_new(app.failing())))
}

#[handler]
fn numbers(Data(app): Data<&Context>, last: LastEventId) -> Sse {
    Sse::new(app.configure(app.numbers(&last)))
}

#[handler]
fn ticks(Data(app): Data<&Context>) -> Sse {
    Sse::new(app.configure(app.ticks())).until(app.shutdown.clone())
}

#[handler]
fn tokens(Data(app): Data<&Context>) -> Sse {
    Sse::new(app.configure(app.ticks())).until(app.shutdown.deadline())
}

#[handler]
fn complete(Data(app): Data<&Context>, text: String) -> Sse {
    let (tx, words) = channel(4);
    app.words(tx, text);
    Sse::new(app.configure(words))
}

#[handler]
fn talk(Data(app): Data<&Context>) -> Sse {
    let (tx, stream) = channel(4);
    app.talk(tx);
    Sse::new(app.configure(stream))
}

#[handler]
async fn publish(Data(app): Data<&Context>, uri: &Uri, text: String) -> Result<String> {
    let query = Query::from_query(uri.query());
    let receipt = app.hub.publish(&query.topics, query.event_of(&text)).await?;
    Ok(answer(receipt))
}

#[handler]
async fn finish(Data(app): Data<&Context>, uri: &Uri) -> Result<String> {
    Ok(answer(app.hub.finish(Query::from_query(uri.query()).topics).await?))
}

#[handler]
async fn run(Data(app): Data<&Context>, uri: &Uri, text: String) -> Result<StatusCode> {
    app.produce(app.hub.start_run(Query::from_query(uri.query()).topics)?, text);
    Ok(StatusCode::ACCEPTED)
}

#[handler]
async fn stop(Data(app): Data<&Context>, uri: &Uri) -> Result<StatusCode> {
    let is_known = app.hub.stop_run(Query::from_query(uri.query()).topics).await?;
    Ok(if is_known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

fn answer(receipt: Receipt) -> String {
    format!(r#"{{"id":"{}","receivers":{}}}"#, receipt.cursor, receipt.receivers.unwrap_or(0))
}

struct Tenants(Context);

impl Access<Request> for Tenants {
    async fn permit(
        &self,
        request: &Request,
        ask: &AccessRequest,
    ) -> std::result::Result<Permit, AccessDenied> {
        self.0.permit(request.header("x-tenant"), ask)
    }
}
