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
