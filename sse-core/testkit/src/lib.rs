//! Code shared by the tests of several packages: one suite for the four adapters, over real sockets, and one for
//! every history engine.
//!
//! An adapter's tests implement [`App`] with the framework's own routing, and [`conformance!`] makes one test of each
//! promise in [`cases`]. The suite is itself tested against an application that breaks one promise at a time.

// A test's helper fails the test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod app;
mod asked;
mod assertions;
pub mod cases;
pub mod checker;
mod chunks;
mod context;
pub mod engines;
mod exchange;
mod golden;
pub mod history_cases;
mod hostile;
pub mod load;
mod outcome;
mod ports;
mod reader;
mod server;
mod sum;
mod work;

pub use app::{App, Serving, Settings};
pub use asked::{Asked, Code, Term, is_of};
pub use chunks::Chunks;
pub use context::{Context, Failure, MOST_BODY, PAGE};
pub use exchange::{Ending, Exchange, Request};
pub use golden::{Scripted, scripted};
pub use hostile::{HOSTILE, Hostile, every_builder};
pub use outcome::{Failed, Outcome, within_limits};
pub use ports::free_port;
pub use reader::{Told, read};
pub use server::Server;

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
