//! Hidden macros that define each adapter's local types in the same way.
//!
//! The orphan rule requires `Sse`, `LastEventId`, `Error` and `Mount` to be local to each adapter; the macros
//! keep their names, methods and documentation equal.

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

            /// Sends gzip, flushed with every chunk, to a reader whose request allows it. Pass what the
            /// request's [`LastEventId`] holds, or the text of its `Accept-Encoding` header.
            ///
            /// Readers of the same topics of a hub share one compressor. For its costs, and when it leaks, see
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

/// Defines an adapter's `LastEventId`; the adapter implements its framework's extractor for it.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_last_event_id {
    ($adapter:literal) => {
        /// The position at which the request resumes, from its `Last-Event-ID` header or else the query's
        /// `last_event_id`, and how it wants to be answered: see the core's
        /// [`LastEventId`](sse_core::LastEventId).
        ///
        /// Extracting it never fails, whatever the bytes are; pass it to `hub.subscribe(..).after(last)`.
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
            /// Returns the text, if there is one and it is UTF-8.
            #[must_use]
            pub fn as_str(&self) -> Option<&str> {
                self.0.as_str()
            }

            /// Returns `true` if the request states neither where it resumes nor that it refuses a stream.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// Returns `true` if the client prefers an HTML page to an event stream, as a browser that follows
            /// a link does, so one route can serve both.
            #[must_use]
            pub fn prefers_html(&self) -> bool {
                self.0.prefers_html()
            }

            /// Returns `true` if the request may come from an `EventSource`, which any status but 200 stops for
            /// good.
            #[must_use]
            pub fn is_event_source(&self) -> bool {
                self.0.is_event_source()
            }

            /// Returns `true` for HEAD, OPTIONS or TRACE, which must not have effects; a subscription after
            /// such a request has none.
            #[must_use]
            pub fn is_probe(&self) -> bool {
                self.0.is_probe()
            }
        }

        /// Makes functions that take the core's type, such as
        /// [`OriginPolicy::check`](crate::origin::OriginPolicy::check), accept this one.
        impl ::std::ops::Deref for LastEventId {
            type Target = $crate::LastEventId;

            fn deref(&self) -> &$crate::LastEventId {
                &self.0
            }
        }

        #[cfg(feature = "compress")]
        impl LastEventId {
            /// Returns the content of the request's `Accept-Encoding` header, for
            /// [`Sse::compress`](crate::Sse::compress).
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
/// Takes the adapter's `Sse`, and the framework's type of a status with a function that makes one from a `StatusCode`.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_error {
    ($adapter:literal, $sse:ty, $status:ty, $to_status:expr) => {
        /// Anything that can go wrong in a handler. `?` converts every error of the hub, a run, a topic, a policy or a
        /// channel to it; as a response it is the right status with `{"error":"…"}`.
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

        /// The variants of an [`Error`].
        pub use $crate::Error as ErrorKind;

        /// The result of a handler: an `Sse` or an [`Error`].
        pub type Result<T = $sse, E = Error> = ::std::result::Result<T, E>;

        impl Error {
            /// Returns the status of the response, as the framework's type.
            #[must_use]
            pub fn status(&self) -> $status {
                $to_status(self.0.status())
            }

            /// Returns the variant, to match.
            #[must_use]
            pub fn kind(&self) -> &ErrorKind {
                &self.0
            }

            /// Returns the variant by value.
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
/// The argument is the example in its documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_preflight {
    ($example:literal) => {
        /// Answers requests with other methods than the handler's: OPTIONS by this policy, and 405 with
        /// `Allow`.
        ///
        /// A handler that subscribes with [`origins`](crate::Subscribe::origins) decides about a request when
        /// it arrives. But before a page's `fetch` sends one with a header such as `Last-Event-ID`, the browser
        /// asks for permission by OPTIONS: that is called a preflight, and without an answer the request is not
        /// sent. Give the same policy to both. [Mounted routes](crate::mount()) answer preflights themselves.
        ///
        /// ```
        #[doc = $example]
        /// ```
        pub fn preflight(policy: $crate::origin::OriginPolicy) -> Preflight {
            Preflight($crate::__private::Preflight::new(policy))
        }

        /// The answers that [`preflight()`] returns.
        #[derive(Debug, Clone)]
        #[must_use = "nothing is answered until a router takes it"]
        pub struct Preflight($crate::__private::Preflight);

        impl Preflight {
            /// Adds POST: for a route whose handlers take POST as well as GET and HEAD.
            pub fn post(self) -> Self {
                Self(self.0.post())
            }
        }
    };
}

/// Defines an adapter's `mount` and `Mount`; the adapter lets its framework's router take them.
///
/// The arguments are the example in its documentation and the bound of the access hook.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_mount {
    ($example:literal, $($bound:tt)+) => {
        /// Creates ready-made routes over a hub: GET subscribes, and POST publishes if
        /// [`publish`](Mount::publish) enables it.
        ///
        /// `access` decides about each request, which it gets in the framework's own type: a function, a type
        /// that implements [`Access`](crate::mount::Access) if it must wait, or [`PublicRead`](crate::mount::PublicRead).
        /// Requests for anything that its [`Permit`](crate::mount::Permit) does not cover get 403.
        ///
        /// | Query | |
        /// |---|---|
        /// | `topic=` | repeatable; for a GET with wildcards, which the permit must cover entirely |
        /// | `start=` | `live`, `earliest` or a number of latest events |
        /// | `last_event_id=` | resumes after this id, unless there is a `Last-Event-ID` header |
        /// | `event=`, `key=` | for a POST: the event's type, and a key under which it is published only once |
        ///
        /// The body of a POST is the data; the response is `{"id":"…","receivers":N}`. Pages of other origins
        /// are refused unless a [policy](Mount::origins) allows them.
        ///
        /// ```
        #[doc = $example]
        /// ```
        pub fn mount<A: $($bound)+>(hub: $crate::Hub, access: A) -> Mount<A> {
            Mount { routes: $crate::__private::Routes::new(hub), access: ::std::sync::Arc::new(access) }
        }

        /// The routes that [`mount()`] returns.
        #[derive(Debug)]
        #[must_use = "nothing is served until a router takes it"]
        pub struct Mount<A> {
            routes: $crate::__private::Routes,
            access: ::std::sync::Arc<A>,
        }

        impl<A> Mount<A> {
            /// Sets the origins from which the routes may be used. The default is pages of the same origin, and
            /// non-browser clients.
            pub fn origins(self, policy: $crate::origin::OriginPolicy) -> Self {
                Self { routes: self.routes.origins(policy), ..self }
            }

            /// Sets the topics, in place of those in the query.
            ///
            /// # Errors
            /// [`InvalidTopic`](crate::error::InvalidTopic) if one is not valid, or there is none.
            pub fn topics(
                self,
                topics: impl $crate::IntoPatterns,
            ) -> ::std::result::Result<Self, $crate::error::InvalidTopic> {
                Ok(Self { routes: self.routes.topics(topics)?, ..self })
            }

            /// Enables POST for principals whose permit allows publishing, with a body of at most `max_bytes`
            /// bytes.
            pub fn publish(self, max_bytes: usize) -> Self {
                Self { routes: self.routes.publish(max_bytes), ..self }
            }

            /// Sets options of all streams: keep-alive, age, a hook for their end.
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
