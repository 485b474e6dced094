use std::sync::Mutex;

use bytes::Bytes;
use futures_util::{Stream, stream};
use rocket::{
    Config, State,
    config::LogLevel,
    fairing::AdHoc,
    response::stream::{ByteStream, Event, EventStream},
};
use sse_rocket::SseRequest;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    oneshot,
};

use super::{
    Source, Tick,
    source::{TOPIC, start},
};
use crate::{Failure, corpus::EVENT_TYPE};

pub(super) async fn run(source: Source, port: oneshot::Sender<u16>) -> Result<(), Failure> {
    let config = Config { port: 0, log_level: LogLevel::Off, ..Config::release_default() };
    let told = Mutex::new(Some(port));
    let rocket = rocket::custom(config).attach(AdHoc::on_liftoff("port", move |rocket| {
        let port = rocket.config().port;
        if let Some(told) = told.lock().ok().and_then(|mut told| told.take()) {
            // Without a measuring process the server ends by itself.
            let _ = told.send(port);
        }
        Box::pin(async {})
    }));
    let rocket = match source {
        Source::Hub(hub) => rocket.attach(sse_rocket::fairing(hub)).mount("/", rocket::routes![ours]),
        Source::Broadcast { sender, .. } => rocket.manage(sender).mount("/", rocket::routes![own]),
        _ => rocket.mount("/", rocket::routes![bare]),
    };
    rocket.launch().await.map(drop).map_err(|error| error.to_string().into())
}

#[rocket::get("/events")]
async fn ours(hub: &State<sse_rocket::Hub>, request: SseRequest) -> sse_rocket::Result {
    Ok(sse_rocket::Sse::new(hub.subscribe(TOPIC).start(start(&request)).request(request).await?))
}

#[rocket::get("/events")]
fn own(sender: &State<broadcast::Sender<Tick>>) -> EventStream![] {
    let mut ticks = sender.subscribe();
    EventStream! {
        loop {
            match ticks.recv().await {
                Ok(Tick { id, data }) => yield Event::data(data).id(id.to_string()).event(EVENT_TYPE),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            }
        }
    }
}

#[rocket::get("/events")]
fn bare() -> ByteStream<impl Stream<Item = Bytes>> {
    ByteStream(stream::pending())
}
