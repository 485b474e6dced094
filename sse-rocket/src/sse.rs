use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use rocket::{
    Request,
    http::Status,
    response::{self, Responder, Response},
    tokio::io::{AsyncRead, ReadBuf},
};
use sse_core::{Body, EventStream, IntoEventStream};

sse_core::__define_sse!();

/// How much Rocket reads at once: it copies into a buffer of this size for each chunk that it sends.
const CHUNK: usize = 16 << 10;

impl<'r> Responder<'r, 'static> for Sse {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let stream = ending_with(self.into_event_stream(), request.rocket().shutdown());
        let (head, body) = stream.into_response().into_parts();
        let mut response = Response::build();
        response.status(Status::new(head.status.as_u16()));
        for (name, value) in &head.headers {
            response
                .raw_header_adjoin(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
        // In this order: setting a body sets the chunk size back to its default.
        response.streamed_body(Reader { body, rest: Bytes::new() }).max_chunk_size(CHUNK).ok()
    }
}

/// Ends the stream when Rocket shuts down, although nobody named a handle: by its hub's handle, which spreads the ends
/// over the window, or else at once.
fn ending_with(stream: EventStream, rocket: rocket::Shutdown) -> EventStream {
    match stream.shutdown().cloned() {
        None => stream.until(rocket),
        Some(handle) => stream.until(async move {
            rocket.await;
            handle.notify();
            std::future::pending().await
        }),
    }
}

/// The body as Rocket wants it: whatever is ready goes into one buffer, and so into one chunk on the wire.
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
