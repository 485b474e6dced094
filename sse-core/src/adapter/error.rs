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
