use std::{convert::Infallible, time::Duration};

use futures_util::StreamExt as _;
use sse_warp::SseRequest;
use tokio::sync::oneshot;
use tokio_stream::wrappers::BroadcastStream;
use warp::{
    Filter as _,
    reply::{Reply, Response},
    sse,
};

use super::{
    Source, Tick,
    source::{TOPIC, nothing, start},
};
use crate::{Failure, corpus::EVENT_TYPE};

pub(super) async fn run(source: Source, port: oneshot::Sender<u16>) -> Result<(), Failure> {
    let listener = sse_warp::listen(([127, 0, 0, 1], 0), Duration::from_secs(15))?;
    // Without a measuring process the server ends by itself.
    let _ = port.send(listener.local_addr()?.port());
    let routes = warp::path!("events")
        .and(sse_warp::sse_request())
        .then(move |request| events(source.clone(), request));
    warp::serve(routes).incoming(listener).run().await;
    Ok(())
}

async fn events(source: Source, request: SseRequest) -> Response {
    match source {
        Source::Hub(hub) => match hub.subscribe(TOPIC).start(start(&request)).request(request).await {
            Ok(subscription) => sse_warp::Sse::new(subscription).into_response(),
            Err(error) => sse_warp::Error::from(error).into_response(),
        },
        Source::Broadcast { sender, .. } => {
            let ticks = BroadcastStream::new(sender.subscribe()).filter_map(async |tick| {
                let Tick { id, data } = tick.ok()?;
                Some(Ok::<_, Infallible>(
                    sse::Event::default().id(id.to_string()).event(EVENT_TYPE).data(data),
                ))
            });
            sse::reply(sse::keep_alive().stream(Box::pin(ticks))).into_response()
        }
        _ => warp::reply::stream(nothing()).into_response(),
    }
}
