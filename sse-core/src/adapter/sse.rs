/// Defines an adapter's `Sse`; the adapter implements its framework's responder for it.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_sse {
    ($adapter:literal) => {
        /// A response of server-sent events: return it from a handler.
        ///
        /// Accepts a stream of [`Event`](crate::Event)s, a [`Subscription`](crate::Subscription) of a hub, or
        /// the receiver of a [`channel`](crate::channel()). The response sends its first bytes at once, keeps
        /// the connection alive, and never fails half-way: an error of the application is logged and ends it
        /// after the events before it.
        ///
        /// ```
        #[doc = concat!("use ", $adapter, "::{Event, KeepAlive, Sse};")]
        /// use std::time::Duration;
        ///
        /// fn countdown() -> Sse {
        ///     let events = (0..10).rev().map(|n| Event::json(n).id(n));
        ///     Sse::new(futures_util::stream::iter(events)).keep_alive(KeepAlive::every(Duration::from_secs(5)))
        /// }
        /// ```
        #[derive(Debug)]
        #[must_use = "it is a response: return it from the handler"]
        pub struct Sse($crate::EventStream);

        impl Sse {
            /// Creates a response from a stream of events or frames, a subscription, or a channel's receiver.
            pub fn new(events: impl $crate::IntoEventStream) -> Self {
                Self($crate::EventStream::new(events))
            }

            /// Creates a response from a stream that may fail: the first error is logged and ends it, after a
            /// `retry` of 30 s.
            ///
            /// ```
            #[doc = concat!("use ", $adapter, "::{Event, Sse};")]
            /// use futures_util::{Stream, StreamExt};
            ///
            /// fn lines(text: impl Stream<Item = std::io::Result<String>> + Send + 'static) -> Sse {
            ///     Sse::try_new(text.map(|line| line.map(Event::message)))
            /// }
            /// ```
            pub fn try_new<S, E, X>(events: S) -> Self
            where
                S: $crate::__private::Stream<Item = ::std::result::Result<E, X>> + Send + 'static,
                E: $crate::IntoFrame + 'static,
                X: Into<Box<dyn ::std::error::Error + Send + Sync>> + 'static,
            {
                Self($crate::EventStream::try_new(events))
            }

            /// Sets the keep-alive: every 15 s by default, and never with `None`.
            pub fn keep_alive(self, keep_alive: impl Into<Option<$crate::KeepAlive>>) -> Self {
                Self(self.0.keep_alive(keep_alive))
            }

            /// Ends the stream when `future` completes, before another byte is written. Can be called more than
            /// once; the first future to complete wins.
            pub fn until(self, future: impl ::std::future::Future<Output = ()> + Send + 'static) -> Self {
                Self(self.0.until(future))
            }

            /// Ends the stream at this age, or up to a fifth earlier so that many do not end together; the
            /// reader reconnects.
            pub fn max_age(self, max_age: ::std::time::Duration) -> Self {
                Self(self.0.max_age(max_age))
            }

            /// Sets the minimum time that a reader waits before it reconnects: 500 ms to 1 h, 2 s by default;
            /// see [`EventStream::retry`](crate::EventStream::retry).
            #[track_caller]
            pub fn retry(self, retry: ::std::time::Duration) -> Self {
                Self(self.0.retry(retry))
            }

            /// Sends gzip, flushed with every chunk, to the reader of a subscription whose
            /// [request](crate::Subscribe::request) allows it.
            ///
            /// Readers of the same topics of a hub share one compressor. For its costs, and when it leaks, see
            /// [`EventStream::compress`](crate::EventStream::compress).
            ///
            /// ```
            #[doc = concat!("use ", $adapter, "::{Hub, Result, Sse, SseRequest};")]
            ///
            /// async fn prices(hub: Hub, request: SseRequest) -> Result {
            ///     Ok(Sse::new(hub.subscribe("prices").request(request).await?).compress())
            /// }
            /// ```
            #[cfg(feature = "compress")]
            pub fn compress(self) -> Self {
                Self(self.0.compress())
            }

            /// Sends gzip if this request allows it: for a stream that is not a subscription.
            ///
            /// ```
            #[doc = concat!("use ", $adapter, "::{Event, Sse, SseRequest};")]
            ///
            /// async fn hello(request: SseRequest) -> Sse {
            ///     Sse::new(futures_util::stream::iter([Event::message("hello")])).compress_for(&request)
            /// }
            /// ```
            #[cfg(feature = "compress")]
            pub fn compress_for(self, request: &$crate::SseRequest) -> Self {
                Self(self.0.compress_for(request))
            }

            /// Calls `hook` once when the stream has ended, with the reason and what was sent.
            pub fn on_end(self, hook: impl FnOnce($crate::StreamSummary) + Send + 'static) -> Self {
                Self(self.0.on_end(hook))
            }
        }

        impl From<$crate::EventStream> for Sse {
            fn from(stream: $crate::EventStream) -> Self {
                Self(stream)
            }
        }

        impl $crate::IntoEventStream for Sse {
            fn into_event_stream(self) -> $crate::EventStream {
                self.0
            }
        }
    };
}
