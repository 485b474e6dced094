use std::{
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;

#[cfg(feature = "fallbacks")]
use super::fallback::PageBody;
use super::{
    NoError,
    stream::{Meter, StreamBody},
};
use crate::hub::EndReason;

/// The body of an event stream: a `Stream` of bytes that never fails.
///
/// Implements `Send` and `Sync`. Each item consists of whole lines; an event is never split.
pub struct Body(Mutex<Kind>);

enum Kind {
    /// A stream of events, in any encoding.
    Stream(StreamBody),
    /// A page of events, sent in one piece.
    #[cfg(feature = "fallbacks")]
    Page(Box<PageBody>),
    /// A text that is already known; empty once it was sent.
    Text(Bytes),
}

impl Body {
    pub(super) fn stream(body: StreamBody) -> Self {
        Self(Mutex::new(Kind::Stream(body)))
    }

    #[cfg(feature = "fallbacks")]
    pub(super) fn page(body: PageBody) -> Self {
        Self(Mutex::new(Kind::Page(Box::new(body))))
    }

    /// Makes the body of a stream that has already ended, for this reason; the text is sent all the same.
    pub(super) fn text(mut meter: Meter, end: EndReason, text: impl Into<Bytes>) -> Self {
        meter.begin();
        meter.end(end);
        Self(Mutex::new(Kind::Text(text.into())))
    }

    /// Makes an empty body, for a probe. It is not counted; the application's hook runs as for every response.
    pub(super) fn none(mut meter: Meter) -> Self {
        meter.end(EndReason::Left);
        Self(Mutex::new(Kind::Text(Bytes::new())))
    }
}

impl Stream for Body {
    type Item = Result<Bytes, NoError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The lock only makes the body `Sync`; with `&mut` it is never contended.
        let bytes = match self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            Kind::Stream(body) => body.poll(cx),
            #[cfg(feature = "fallbacks")]
            Kind::Page(body) => body.poll(cx),
            Kind::Text(text) => Poll::Ready(Some(std::mem::take(text)).filter(|text| !text.is_empty())),
        };
        bytes.map(|bytes| bytes.map(Ok))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}
