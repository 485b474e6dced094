//! Code shared by the tests of several packages: one suite for the four adapters, over real sockets, and one for
//! every history engine.
//!
//! An adapter's tests implement [`App`] with the framework's own routing, and [`conformance!`] makes one test of each
//! promise in [`cases`]. The suite is itself tested against an application that breaks one promise at a time.

// A test's helper fails the test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod app;
mod assertions;
pub mod cases;
mod chunks;
mod context;
mod counter_state;
mod exchange;
pub mod history_cases;
mod injection_texts;
mod injection_vectors;
mod outcome;
mod ports;
mod producer;
mod query;
mod reader;
mod server;
mod wire_vectors;

pub use app::{App, Serving, Settings};
pub use chunks::Chunks;
pub use context::{Context, Failure, MAX_BODY, PAGE};
pub use exchange::{Ending, Exchange, Request};
pub use injection_texts::HOSTILE;
pub use injection_vectors::{InjectionVector, injection_vectors};
pub use outcome::{Failed, Outcome, within_limits};
pub use ports::free_port;
pub use query::{Code, Query, Term, is_of};
pub use reader::{DispatchedEvent, read};
pub use server::Server;
pub use wire_vectors::{WireVector, wire_vectors};

/// Makes one test for each promise: `conformance!(app::Axum);`.
#[macro_export]
macro_rules! conformance {
    ($app:expr) => {
        $crate::for_each_case!([$crate::__conformance_tests] $app);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($app:expr; $($module:ident { $($case:ident)* })*) => {$(
        mod $module {
            #[allow(unused_imports, reason = "an application may be a path or a value")]
            use super::*;
            $(
                #[tokio::test]
                async fn $case() -> $crate::Outcome {
                    $crate::within_limits($crate::cases::$module::$case(&$app)).await
                }
            )*
        }
    )*};
}
