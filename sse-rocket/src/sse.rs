use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use rocket::{
    Orbit, Request, Rocket,
    http::Status,
    response::{self, Responder, Response},
    tokio::{
        io::{AsyncRead, ReadBuf},
        time::sleep,
    },
};
use sse_core::{Body, EventStream, Hub, IntoEventStream};

use crate::error::add_headers;

sse_core::__define_sse!("sse_rocket");

/// The share of Rocket's grace that a stream may use; after the grace, Rocket cuts the connection.
const BEFORE_GRACE_ENDS: f64 = 0.9;

/// How much Rocket reads at once: it copies each chunk that it sends into a buffer of this size.
const CHUNK: usize = 16 << 10;

impl<'r> Responder<'r, 'static> for Sse {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let stream = ending_with(self.into_event_stream(), request.rocket());
        let (head, body) = stream.into_response().into_parts();
        let mut response = Response::build();
        response.status(Status::new(head.status.as_u16()));
        add_headers(&mut response, &head.headers);
        // The order matters: setting a body resets the chunk size to its default.
        response.streamed_body(Reader { body, rest: Bytes::new() }).max_chunk_size(CHUNK).ok()
    }
}

/// Ends the stream when Rocket shuts down, even if the application named no handle.
///
/// A subscription ends by its hub's handle, which spreads the ends over the window. Any other stream ends at
/// once, unless the application has set its end: then it continues until the window ends.
fn ending_with(stream: EventStream, rocket: &Rocket<Orbit>) -> EventStream {
    let begun = rocket.shutdown();
    if let Some(handle) = stream.shutdown().cloned() {
        return stream.until(async move {
            begun.await;
            handle.notify();
            std::future::pending().await
        });
    }
    if !stream.has_until() {
        return stream.until(begun);
    }
    match rocket.state::<Hub>().and_then(Hub::shutdown).cloned() {
        Some(handle) => stream.until(async move {
            begun.await;
            handle.notify();
            handle.deadline().await;
        }),
        None => {
            let grace = Duration::from_secs(rocket.config().shutdown.grace.into());
            stream.until(async move {
                begun.await;
                sleep(grace.mul_f64(BEFORE_GRACE_ENDS)).await;
            })
        }
    }
}

/// The body in Rocket's form: everything that is ready goes into one buffer, and so into one chunk on the wire.
struct Reader {
    body: Body,
    rest: Bytes,
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        while buf.remaining() > 0 {
            if self.rest.is_empty() {
                match Pin::new(&mut self.body).poll_next(cx) {
                    Poll::Ready(Some(Ok(bytes))) => self.rest = bytes,
                    Poll::Ready(Some(Err(never))) => match never {},
                    Poll::Ready(None) => break,
                    Poll::Pending if buf.filled().len() > before => break,
                    Poll::Pending => return Poll::Pending,
                }
            }
            let len = self.rest.len().min(buf.remaining());
            buf.put_slice(&self.rest.split_to(len));
        }
        Poll::Ready(Ok(()))
    }
}
