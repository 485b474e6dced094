/// Defines an adapter's `SseRequest` and `LastEventId`; the adapter implements its framework's extractor for them.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_request {
    ($adapter:literal) => {
        /// A request for events: where it resumes, what its client accepts, and where it comes from.
        ///
        /// Extracting it never fails, whatever the bytes are; pass it to `hub.subscribe(..).request(request)`. It has the
        /// methods of the core's [`SseRequest`](sse_core::SseRequest), which it dereferences to.
        ///
        /// ```
        #[doc = concat!("use ", $adapter, "::{Hub, Result, Sse, SseRequest};")]
        ///
        /// async fn prices(hub: Hub, request: SseRequest) -> Result {
        ///     Ok(Sse::new(hub.subscribe("prices").request(request).await?))
        /// }
        /// ```
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct SseRequest($crate::SseRequest);

        /// The id of the last event that the client received, if it sent one: for a plain stream whose events have ids
        /// of your own.
        ///
        /// Extracting it never fails. It has the methods of the core's [`LastEventId`](sse_core::LastEventId), which it
        /// dereferences to. A subscription of a hub takes an [`SseRequest`] instead.
        ///
        /// ```
        #[doc = concat!("use ", $adapter, "::{Event, LastEventId, Sse};")]
        ///
        /// async fn numbers(last: LastEventId) -> Sse {
        ///     let next = last.as_str().and_then(|id| id.parse::<u64>().ok()).map_or(0, |last| last + 1);
        ///     Sse::new(futures_util::stream::iter((next..next + 10).map(|n| Event::json(n).id(n))))
        /// }
        /// ```
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct LastEventId($crate::LastEventId);

        $crate::__define_request!(@wrap SseRequest, LastEventId);
    };
    (@wrap $($name:ident),*) => {$(
        /// Makes functions that take the core's type accept this one.
        impl ::std::ops::Deref for $name {
            type Target = $crate::$name;

            fn deref(&self) -> &$crate::$name {
                &self.0
            }
        }

        impl From<$name> for $crate::$name {
            fn from(wrapper: $name) -> Self {
                wrapper.0
            }
        }

        impl From<&$name> for $crate::$name {
            fn from(wrapper: &$name) -> Self {
                wrapper.0.clone()
            }
        }

        impl From<$crate::$name> for $name {
            fn from(inner: $crate::$name) -> Self {
                Self(inner)
            }
        }
    )*};
}
