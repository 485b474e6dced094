//! The code that the four example applications share, because it does not depend on a framework: the command line,
//! the hub, the metrics, and small pieces of text and JSON.
//!
//! The applications themselves are in `examples/axum`, `examples/rocket`, `examples/warp` and `examples/poem`.

mod access;
mod app;
mod metrics;
mod options;
mod postgres;
mod prometheus;
mod query;
mod reply;
mod start;
mod tokens;

pub use access::permit;
pub use app::App;
pub use options::{History, Options};
pub use postgres::Postgres;
pub use query::{Query, event, patterns, start};
pub use reply::{published, refusal};
pub use start::{command_line, log_to_stderr, main, refused};
pub use tokens::tokens;

use std::time::Duration;

/// One second.
pub const SECOND: Duration = Duration::from_secs(1);

/// Maximum length of a body: 16 MiB.
pub const MAX_BODY: usize = 16 << 20;

/// How long the simulated model takes for each token.
pub const THINKING: Duration = Duration::from_millis(50);

/// The page: one file without dependencies.
pub const PAGE: &str = include_str!("../../page/index.html");

#[cfg(test)]
mod tests {
    /// The page inserts user text as text, never as markup.
    #[test]
    fn the_page_makes_no_markup_of_text() {
        let sinks = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "createContextualFragment",
            "document.write",
            "eval(",
        ];
        for sink in sinks {
            assert!(!super::PAGE.contains(sink), "{sink}");
        }
        assert!(super::PAGE.contains("textContent"));
    }
}

/// The root README, whose code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
