use std::time::Duration;

use futures_util::StreamExt as _;
use poem::{
    Body, EndpointExt as _, IntoResponse, Response, Route, Server, get, handler,
    web::{Data, sse},
};
use sse_poem::SseRequest;
use tokio::sync::oneshot;
use tokio_stream::wrappers::BroadcastStream;

use super::{
    Source, Tick,
    source::{TOPIC, nothing, start},
};
use crate::{Failure, corpus::EVENT_TYPE};

pub(super) async fn run(source: Source, port: oneshot::Sender<u16>) -> Result<(), Failure> {
    let listener = sse_poem::listen(([127, 0, 0, 1], 0), Duration::from_secs(15))?;
    // Without a measuring process the server ends by itself.
    let _ = port.send(listener.local_addr()?.port());
    let app = Route::new().at("/events", get(events)).data(source);
    Ok(Server::new(listener).run(app).await?)
}

#[handler]
async fn events(Data(source): Data<&Source>, request: SseRequest) -> Response {
    match source {
        Source::Hub(hub) => match hub.subscribe(TOPIC).start(start(&request)).request(request).await {
            Ok(subscription) => sse_poem::Sse::new(subscription).into_response(),
            Err(error) => poem::Error::from(sse_poem::Error::from(error)).into_response(),
        },
        Source::Broadcast { sender, .. } => {
            let ticks = BroadcastStream::new(sender.subscribe()).filter_map(async |tick| {
                let Tick { id, data } = tick.ok()?;
                Some(sse::Event::message(data).id(id.to_string()).event_type(EVENT_TYPE))
            });
            sse::SSE::new(ticks).keep_alive(Duration::from_secs(15)).into_response()
        }
        _ => Body::from_bytes_stream(nothing().map(|never| never.map_err(std::io::Error::other)))
            .into_response(),
    }
}
