//! The suite's application in Rocket's idiom.

use std::net::{Ipv4Addr, SocketAddr};

use rocket::{
    Config, Either, Request, Responder, State, catchers,
    config::{Ident, LogLevel},
    delete,
    fairing::AdHoc,
    futures::FutureExt,
    get,
    http::{Header, Status, uri::Origin},
    post,
    response::content::RawHtml,
    routes,
    shield::Shield,
};
use sse_rocket::{
    EventStream, LastEventId, Receipt, Result, Sse, SseRequest, channel, fairing, mount,
    mount::{Access, AccessDenied, AccessRequest, Permit},
    origin::preflight,
};
use sse_testkit::{App, Context, MAX_BODY, PAGE, Query, Serving};

pub(crate) struct Rocket;

impl App for Rocket {
    fn serve(&self, context: Context) -> Serving {
        Box::pin(async move {
            let shutdown = context.shutdown.clone();
            let hub = context.hub.clone();
            let reporting = context.clone();
            let report = AdHoc::on_liftoff("address", move |rocket| {
                let config = rocket.config();
                reporting.listens_at(SocketAddr::new(config.address, config.port));
                async {}.boxed()
            });
            let routes = routes![
                events, page, compressed, late, script, failing, numbers, ticks, tokens, complete, talk,
                publish, finish, run, stop
            ];
            let (dress, origins) = (context.clone(), context.origins());
            let mounted = mount(context.hub.clone(), Tenants(context.clone()))
                .origins(context.origins())
                .publish(MAX_BODY)
                .stream(move |stream| dress.configure(stream));
            let rocket = rocket::custom(config())
                .attach(fairing(hub))
                .attach(report)
                // The suite does not cover the headers of the shield.
                .attach(Shield::new())
                .manage(context)
                .mount("/", routes)
                .mount("/mounted", mounted)
                .mount("/events", preflight(origins))
                .register("/", catchers![]);
            shutdown.serve(rocket.launch()).await;
        })
    }

    fn drops_headers_that_are_not_utf8(&self) -> bool {
        true
    }
}

fn config() -> Config {
    let address = Ipv4Addr::LOCALHOST.into();
    let mut config = Config {
        port: 0,
        address,
        log_level: LogLevel::Off,
        ident: Ident::none(),
        ..Config::debug_default()
    };
    // The tests' process handles signals itself.
    config.shutdown.ctrlc = false;
    #[cfg(unix)]
    config.shutdown.signals.clear();
    config
}

#[get("/events")]
async fn events(app: &State<Context>, uri: &Origin<'_>, request: SseRequest) -> Result {
    let subscription = app.subscribe(query(uri)).request(request).await?;
    Ok(Sse::new(app.configure(subscription)))
}

/// The page, with `Vary`, at an address that can also return a stream.
#[derive(Responder)]
struct Page {
    page: RawHtml<&'static str>,
    vary: Header<'static>,
}

#[get("/page")]
async fn page(app: &State<Context>, uri: &Origin<'_>, request: SseRequest) -> Result<Either<Page, Sse>> {
    if request.prefers_html() {
        return Ok(Either::Left(Page { page: RawHtml(PAGE), vary: Header::new("vary", "accept") }));
    }
    events(app, uri, request).await.map(Either::Right)
}

#[get("/compressed")]
async fn compressed(app: &State<Context>, uri: &Origin<'_>, request: SseRequest) -> Result {
    Ok(events(app, uri, request).await?.compress())
}

#[get("/late")]
async fn late(app: &State<Context>, uri: &Origin<'_>, request: SseRequest) -> Result {
    app.shutdown.clone().await;
    events(app, uri, request).await
}

#[get("/script")]
fn script(app: &State<Context>) -> Sse {
    Sse::new(app.configure(app.script()))
}

#[get("/failing")]
fn failing(app: &State<Context>) -> Sse {
    Sse::new(app.configure(Sse::try_new(app.failing())))
}

#[get("/numbers")]
fn numbers(app: &State<Context>, last: LastEventId) -> Sse {
    Sse::new(app.configure(app.numbers(&last)))
}

// No `until` for the shutdown here: on Rocket the responder ends the stream.
#[get("/ticks")]
fn ticks(app: &State<Context>) -> EventStream![] {
    Sse::new(app.configure(app.ticks()))
}

#[get("/tokens")]
fn tokens(app: &State<Context>) -> Sse {
    Sse::new(app.configure(app.ticks())).until(app.shutdown.deadline())
}

#[post("/complete", data = "<text>")]
fn complete(app: &State<Context>, text: String) -> Sse {
    let (tx, words) = channel(4);
    app.words(tx, text);
    Sse::new(app.configure(words))
}

#[get("/talk")]
fn talk(app: &State<Context>) -> Sse {
    let (tx, events) = channel(4);
    app.talk(tx);
    Sse::new(app.configure(events))
}

#[post("/publish", data = "<text>")]
async fn publish(app: &State<Context>, uri: &Origin<'_>, text: String) -> Result<String> {
    let query = query(uri);
    let receipt = app.hub.publish(&query.topics, query.event_of(&text)).await?;
    Ok(answer(receipt))
}

#[post("/finish")]
async fn finish(app: &State<Context>, uri: &Origin<'_>) -> Result<String> {
    Ok(answer(app.hub.finish(query(uri).topics).await?))
}

#[post("/runs", data = "<text>")]
async fn run(app: &State<Context>, uri: &Origin<'_>, text: String) -> Result<Status> {
    app.produce(app.hub.start_run(query(uri).topics)?, text);
    Ok(Status::Accepted)
}

#[delete("/runs")]
async fn stop(app: &State<Context>, uri: &Origin<'_>) -> Result<Status> {
    let is_known = app.hub.stop_run(query(uri).topics).await?;
    Ok(if is_known { Status::NoContent } else { Status::NotFound })
}

fn query(uri: &Origin<'_>) -> Query {
    Query::from_query(uri.query().map(|query| query.as_str()))
}

fn answer(receipt: Receipt) -> String {
    format!(r#"{{"id":"{}","receivers":{}}}"#, receipt.cursor, receipt.receivers.unwrap_or(0))
}

struct Tenants(Context);

impl<'r> Access<Request<'r>> for Tenants {
    async fn permit(
        &self,
        request: &Request<'r>,
        ask: &AccessRequest,
    ) -> std::result::Result<Permit, AccessDenied> {
        self.0.permit(request.headers().get_one("x-tenant"), ask)
    }
}
