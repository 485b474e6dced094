//! What every adapter spells the same way: hidden macros that define its local types.
//!
//! The orphan rule wants `Sse`, `LastEventId`, `Error` and `Mount` to be local to each adapter; the macros keep their names,
//! their methods and their documentation equal.

/// Defines an adapter's `Sse`; the adapter implements its framework's responder for it.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_sse {
    ($adapter:literal) => {
        /// A response of server-sent events: return it from a handler.
        ///
        /// Made of a stream of [`Event`](crate::Event)s, a [`Subscription`](crate::Subscription) of a hub, or the
        /// receiver of a [`channel`](crate::channel()). It sends its first bytes at once, keeps the connection alive,
        /// and never fails half-way: an error of the application is logged and ends it after what came before.
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
            /// A response of a stream of events or frames, a subscription, or a channel's receiver.
            pub fn new(events: impl $crate::IntoEventStream) -> Self {
                Self($crate::EventStream::new(events))
            }

            /// A response of a stream that may fail: the first error is logged and ends it, after a `retry` of 30 s.
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

            /// When it says that it is alive: every 15 s unless told otherwise, and never with `None`.
            pub fn keep_alive(self, keep_alive: impl Into<Option<$crate::KeepAlive>>) -> Self {
                Self(self.0.keep_alive(keep_alive))
            }

            /// Ends when `future` completes, before another byte is written; of several, when the first does.
            pub fn until(self, future: impl ::std::future::Future<Output = ()> + Send + 'static) -> Self {
                Self(self.0.until(future))
            }

            /// Ends at this age, or up to a fifth earlier so that many do not end together; the reader reconnects.
            pub fn max_age(self, max_age: ::std::time::Duration) -> Self {
                Self(self.0.max_age(max_age))
            }

            /// Sets the least time that a reader waits before it reconnects: 500 ms to 1 h, 2 s by default; see
            /// [`EventStream::retry`](crate::EventStream::retry).
            #[track_caller]
            pub fn retry(self, retry: ::std::time::Duration) -> Self {
                Self(self.0.retry(retry))
            }

            /// Sends gzip, flushed with every chunk, to a reader whose request allows it: give it what the request's
            /// [`LastEventId`] remembers, or the text of its `Accept-Encoding` header.
            ///
            /// Readers of the same topics of a hub share one compressor. What it costs, and when it leaks, stands at
            /// [`EventStream::compress`](crate::EventStream::compress).
            ///
            /// ```
            #[doc = concat!("use ", $adapter, "::{Hub, LastEventId, Result, Sse};")]
            ///
            /// async fn prices(hub: Hub, last: LastEventId) -> Result {
            ///     let accepts = last.accept_encoding();
            ///     Ok(Sse::new(hub.subscribe("prices").after(last).await?).compress(accepts))
            /// }
            /// ```
            #[cfg(feature = "compress")]
            pub fn compress(self, accepts: impl Into<$crate::AcceptEncoding>) -> Self {
                Self(self.0.compress(accepts))
            }

            /// Calls `hook` once when it has ended, with the reason and what was sent.
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

/// Defines an adapter's `LastEventId`; the adapter implements its framework's extractor for it.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_last_event_id {
    ($adapter:literal) => {
        /// Where the request left off: its `Last-Event-ID` header, or the query's `last_event_id` in its place; and how
        /// it wants to be answered: see the core's [`LastEventId`](sse_core::LastEventId).
        ///
        /// Extracting it never fails, whatever the bytes are; give it to `hub.subscribe(..).after(last)`.
        ///
        /// ```
        #[doc = concat!("use ", $adapter, "::{Hub, LastEventId, Result, Sse};")]
        ///
        /// async fn prices(hub: Hub, last: LastEventId) -> Result {
        ///     Ok(Sse::new(hub.subscribe("prices").after(last).await?))
        /// }
        /// ```
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct LastEventId($crate::LastEventId);

        impl LastEventId {
            /// The text, if there is one and it is UTF-8.
            #[must_use]
            pub fn as_str(&self) -> Option<&str> {
                self.0.as_str()
            }

            /// Whether the request said nothing: neither where it left off nor that it refuses a stream.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// Whether the request would rather have an HTML page than an event stream, as a browser that follows a
            /// link: lets one route answer both.
            #[must_use]
            pub fn prefers_html(&self) -> bool {
                self.0.prefers_html()
            }

            /// Whether the request may come from an `EventSource`, which any status but 200 stops for good.
            #[must_use]
            pub fn is_event_source(&self) -> bool {
                self.0.is_event_source()
            }

            /// Whether the request is a HEAD, OPTIONS or TRACE, which must not have effects; a subscription after it
            /// has none.
            #[must_use]
            pub fn is_probe(&self) -> bool {
                self.0.is_probe()
            }
        }

        /// So that what takes the core's type, such as [`OriginPolicy::check`](crate::OriginPolicy::check), takes this.
        impl ::std::ops::Deref for LastEventId {
            type Target = $crate::LastEventId;

            fn deref(&self) -> &$crate::LastEventId {
                &self.0
            }
        }

        #[cfg(feature = "compress")]
        impl LastEventId {
            /// What the request's `Accept-Encoding` header says, for [`Sse::compress`](crate::Sse::compress).
            #[must_use]
            pub fn accept_encoding(&self) -> $crate::AcceptEncoding {
                self.0.accept_encoding()
            }
        }

        impl From<LastEventId> for $crate::LastEventId {
            fn from(last: LastEventId) -> Self {
                last.0
            }
        }
    };
}

/// Defines an adapter's `Error`, `ErrorKind` and `Result`; the adapter implements its framework's error response for it.
///
/// It is given the adapter's `Sse`, and the framework's type of a status with what makes one of a `StatusCode`.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_error {
    ($adapter:literal, $sse:ty, $status:ty, $to_status:expr) => {
        /// Anything that can go wrong in a handler: `?` makes one of every error that the hub, a run, a topic, a policy or
        /// a channel returns, and as a response it is the right status with `{"error":"…"}`.
        ///
        /// ```
        #[doc = concat!("use ", $adapter, "::{Error, ErrorKind, Topic};")]
        ///
        /// fn topic(name: &str) -> Result<Topic, Error> {
        ///     Ok(Topic::new(name)?)
        /// }
        /// let error = topic("a..b").expect_err("it has an empty part");
        /// assert!(matches!(error.kind(), ErrorKind::Topic(_)));
        /// assert!(error.to_string().starts_with("topic: "));
        /// ```
        ///
        /// An error type of your own needs `From<Error>`, and [`convert_errors`](crate::convert_errors) for `?` on the rest;
        /// see [`docs::errors`](crate::docs::errors).
        #[derive(Debug, Clone)]
        pub struct Error($crate::Error);

        /// What went wrong: the variants of an [`Error`].
        pub use $crate::Error as ErrorKind;

        /// What a handler returns: an `Sse` or an [`Error`].
        pub type Result<T = $sse, E = Error> = ::std::result::Result<T, E>;

        impl Error {
            /// The status to answer, as the framework's type.
            #[must_use]
            pub fn status(&self) -> $status {
                $to_status(self.0.status())
            }

            /// What went wrong, to match.
            #[must_use]
            pub fn kind(&self) -> &ErrorKind {
                &self.0
            }

            /// What went wrong, by value.
            #[must_use]
            pub fn into_kind(self) -> ErrorKind {
                self.0
            }
        }

        impl ::std::fmt::Display for Error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::std::error::Error for Error {
            fn source(&self) -> Option<&(dyn ::std::error::Error + 'static)> {
                ::std::error::Error::source(&self.0)
            }
        }

        /// Converts an [`ErrorKind`] and every error that converts to one.
        impl<E> From<E> for Error
        where
            $crate::Error: From<E>,
        {
            fn from(error: E) -> Self {
                Self(error.into())
            }
        }
    };
}

/// Defines an adapter's `preflight` and `Preflight`; the adapter lets its framework's router take them.
///
/// It is given the example of its documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_preflight {
    ($example:literal) => {
        /// What a handler's route answers to other methods: OPTIONS by this policy, and 405 with `Allow`.
        ///
        /// A handler that subscribes with [`origins`](crate::Subscribe::origins) decides about a request once it is
        /// there. But before a page's `fetch` sends one with a header such as `Last-Event-ID`, the browser asks by OPTIONS
        /// whether it may: that is called a preflight, and without an answer the request is not sent. Give the same
        /// policy to both. [Mounted routes](crate::mount()) answer it themselves.
        ///
        /// ```
        #[doc = $example]
        /// ```
        pub fn preflight(policy: $crate::OriginPolicy) -> Preflight {
            Preflight($crate::__private::Preflight::new(policy))
        }

        /// The answers that [`preflight()`] makes.
        #[derive(Debug, Clone)]
        #[must_use = "nothing is answered until a router takes it"]
        pub struct Preflight($crate::__private::Preflight);

        impl Preflight {
            /// Of a route whose handlers take POST as well as GET and HEAD.
            pub fn post(self) -> Self {
                Self(self.0.post())
            }
        }
    };
}

/// Defines an adapter's `mount` and `Mount`; the adapter lets its framework's router take them.
///
/// It is given the example of its documentation and the bound of the access hook.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_mount {
    ($example:literal, $($bound:tt)+) => {
        /// Ready-made routes over a hub: a GET subscribes, and a POST publishes where that is [allowed](Mount::publish).
        ///
        /// `access` decides about each request, which it sees in the framework's own type: a function, a type that
        /// implements [`Access`](crate::Access) where it must wait, or [`PublicRead`](crate::PublicRead). What is asked for
        /// and not covered by its [`Permit`](crate::Permit) is answered 403.
        ///
        /// | Query | |
        /// |---|---|
        /// | `topic=` | as often as wanted; for a GET with wildcards, which the permit must cover whole |
        /// | `start=` | `live`, `earliest` or a number of latest events |
        /// | `last_event_id=` | goes on after it, if there is no `Last-Event-ID` header |
        /// | `event=`, `key=` | of a POST: the event's type, and a key under which it is published only once |
        ///
        /// The body of a POST is the data; the answer is `{"id":"…","receivers":N}`. Pages of other origins are refused
        /// unless a [policy](Mount::origins) allows them.
        ///
        /// ```
        #[doc = $example]
        /// ```
        pub fn mount<A: $($bound)+>(hub: $crate::Hub, access: A) -> Mount<A> {
            Mount { routes: $crate::__private::Routes::new(hub), access: ::std::sync::Arc::new(access) }
        }

        /// The routes that [`mount()`] makes.
        #[derive(Debug)]
        #[must_use = "nothing is served until a router takes it"]
        pub struct Mount<A> {
            routes: $crate::__private::Routes,
            access: ::std::sync::Arc<A>,
        }

        impl<A> Mount<A> {
            /// From where the routes may be used; by default from pages of the same origin, and by what is no browser.
            pub fn origins(self, policy: $crate::OriginPolicy) -> Self {
                Self { routes: self.routes.origins(policy), ..self }
            }

            /// Which topics they are about, in place of those in the query.
            ///
            /// # Errors
            /// [`InvalidTopic`](crate::InvalidTopic) if one is not valid, or there is none.
            pub fn topics(
                self,
                topics: impl $crate::IntoPatterns,
            ) -> ::std::result::Result<Self, $crate::InvalidTopic> {
                Ok(Self { routes: self.routes.topics(topics)?, ..self })
            }

            /// Lets those publish whose permit says so, with a body of at most so many bytes.
            pub fn publish(self, max_bytes: usize) -> Self {
                Self { routes: self.routes.publish(max_bytes), ..self }
            }

            /// Options of all streams: keep-alive, age, a hook for their end.
            pub fn stream(
                self,
                options: impl Fn($crate::EventStream) -> $crate::EventStream + Send + Sync + 'static,
            ) -> Self {
                Self { routes: self.routes.stream(options), ..self }
            }
        }

        impl<A> Clone for Mount<A> {
            fn clone(&self) -> Self {
                Self { routes: self.routes.clone(), access: ::std::sync::Arc::clone(&self.access) }
            }
        }
    };
}
