use std::{convert::Infallible, sync::atomic::Ordering, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response, Sse, sse},
    routing::get,
};
use futures_util::{Stream, StreamExt as _, stream};
use sse_axum::SseRequest;
use tokio::{
    net::TcpListener,
    sync::{broadcast, oneshot},
};
use tokio_stream::wrappers::BroadcastStream;

use super::{
    Source, Tick,
    source::{TOPIC, nothing, start, text},
};
use crate::{Failure, corpus::EVENT_TYPE};

/// Serves; on a plain listener of Tokio's if asked to.
pub(super) async fn run(source: Source, plain: bool, port: oneshot::Sender<u16>) -> Result<(), Failure> {
    let listener = if plain {
        TcpListener::bind(("127.0.0.1", 0)).await?
    } else {
        sse_axum::listen(([127, 0, 0, 1], 0), Duration::from_secs(15))?
    };
    // Without a measuring process the server ends by itself.
    let _ = port.send(listener.local_addr()?.port());
    let app = Router::new().route("/events", get(events)).with_state(source);
    Ok(axum::serve(listener, app).await?)
}

async fn events(State(source): State<Source>, request: SseRequest) -> Response {
    match source {
        Source::Broadcast { sender, .. } => {
            Sse::new(ticks(&sender)).keep_alive(sse::KeepAlive::default()).into_response()
        }
        Source::HandWritten(log) => {
            let body = Body::from_stream(log.chunks().map(Ok::<_, Infallible>));
            ([("content-type", "text/event-stream")], body).into_response()
        }
        Source::Ready(ready) => {
            let data = text();
            let ready = ready.load(Ordering::Relaxed);
            let events = (0..ready).map(move |id| {
                Ok::<_, Infallible>(sse::Event::default().id(id.to_string()).event(EVENT_TYPE).data(&data))
            });
            Sse::new(stream::iter(events).chain(stream::pending())).into_response()
        }
        Source::Bare => {
            ([("content-type", "text/event-stream")], Body::from_stream(nothing())).into_response()
        }
        Source::Hub(hub) => match hub.subscribe(TOPIC).start(start(&request)).request(request).await {
            Ok(subscription) => sse_axum::Sse::new(subscription).into_response(),
            Err(error) => sse_axum::Error::from(error).into_response(),
        },
    }
}

/// What axum's own type is given; also without a server, in memory.
pub(crate) fn ticks(
    sender: &broadcast::Sender<Tick>,
) -> impl Stream<Item = Result<sse::Event, Infallible>> + Send + 'static {
    BroadcastStream::new(sender.subscribe()).filter_map(async |tick| {
        let Tick { id, data } = tick.ok()?;
        Some(Ok(sse::Event::default().id(id.to_string()).event(EVENT_TYPE).data(data)))
    })
}
