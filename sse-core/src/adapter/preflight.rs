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
