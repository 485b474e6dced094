//! The suite that every history engine must pass.
//!
//! Add `sse-testkit` and `sse-core` to the engine's `[dev-dependencies]`, define how a test starts, kills and opens
//! the engine ([`Engine`]), and write one line. The macro makes one test of each case, in modules of the case's
//! subject; the tests need nothing else from your crate.
//!
//! ```
//! use sse_testkit::history_cases::Engine;
//! # use sse_core::{Pattern, history::{Appended, Entry, History, HistoryBounds, HistoryError, Record, SignalReceipt, TailEvent}};
//! # #[derive(Clone)]
//! # struct MyHistory;
//! # impl MyHistory { fn open(_: Option<u64>) -> Self { Self } }
//! # impl History for MyHistory {
//! #     async fn append(&self, _: Vec<Entry>) -> Result<Vec<Appended>, HistoryError> { unimplemented!() }
//! #     async fn read(&self, _: u64, _: usize, _: usize) -> Result<Vec<Record>, HistoryError> { unimplemented!() }
//! #     async fn bounds(&self, _: &[Pattern]) -> Result<HistoryBounds, HistoryError> { unimplemented!() }
//! #     async fn signal(&self, _: Entry) -> Result<SignalReceipt, HistoryError> { unimplemented!() }
//! #     fn tail(&self, _: u64) -> impl futures_util::Stream<Item = Result<TailEvent, HistoryError>> + Send + 'static {
//! #         futures_util::stream::empty()
//! #     }
//! # }
//!
//! struct MyEngine;
//!
//! impl Engine for MyEngine {
//!     type History = MyHistory;
//!
//!     // Starts a new and empty engine, for example a server on a free port with a temporary folder.
//!     async fn start() -> Self {
//!         Self
//!     }
//!
//!     async fn open(&self, keep: Option<u64>) -> MyHistory {
//!         MyHistory::open(keep)
//!     }
//!
//!     async fn kill(&mut self) {}
//!
//!     async fn revive(&mut self) {}
//! }
//!
//! // An embedded engine. For one that is a separate process: `history_conformance!(MyEngine, server);`.
//! sse_testkit::history_conformance!(MyEngine);
//! ```

pub mod hub;
pub mod records;
pub mod server;
pub mod tail;

mod steps;

pub use steps::{
    Tail, appended, data, entry, finish, first_cursor, first_record, next, pattern, patterns, settled,
    status_after, texts, topic, wait_for, with_topics,
};

use std::future::Future;

use sse_core::history::History;

/// An engine that a test starts, kills and opens: a real one, in a temporary place.
pub trait Engine: Sized + Send + Sync + 'static {
    /// What the engine opens.
    type History: History + Clone;

    /// Whether the engine knows a topic's last position after its record was trimmed; otherwise it reports a higher
    /// one.
    const KNOWS_TRIMMED_TOPICS: bool = true;

    /// Starts a new and empty one.
    fn start() -> impl Future<Output = Self> + Send;

    /// Opens it as one more process would; with `keep`, it trims to about `keep` events, in steps of at most `keep`.
    ///
    /// An engine that only one process may open returns the same one again.
    fn open(&self, keep: Option<u64>) -> impl Future<Output = Self::History> + Send;

    /// Ends the engine at once, as `kill -9` does. For an embedded one, the test has dropped every history before.
    fn kill(&mut self) -> impl Future<Output = ()> + Send;

    /// Starts the engine again with its data.
    fn revive(&mut self) -> impl Future<Output = ()> + Send;
}

/// Runs a case to its end, on two threads.
///
/// # Panics
/// If the case does.
pub fn block_on(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(case);
}

/// Makes the tests that an engine must pass: see [`history_cases`](crate::history_cases).
#[macro_export]
macro_rules! history_conformance {
    ($engine:ty) => {
        $crate::__history_cases! { $engine;
            records {
                positions_are_dense_from_one
                several_at_once_stand_together
                reads_go_on_after_any_position
                bytes_and_topics_are_kept_as_they_are
                nothing_to_append_is_nothing
                what_is_trimmed_is_an_error
                the_span_knows_the_last_of_a_topic_though_it_is_trimmed
                the_span_knows_up_to_where_a_topic_was_trimmed
                a_topic_is_finished_while_that_is_its_last_record
                a_key_keeps_one_event_for_the_same_topics
                a_key_raced_for_is_kept_once
                two_handles_see_one_order
                a_restart_keeps_everything_and_names_nothing_twice
                a_key_outlives_a_restart
            }
            tail {
                everything_is_told_once_and_in_order_from_any_position
                records_appended_meanwhile_are_told_in_order
                signals_reach_every_handle
                trimming_is_told
                a_tail_from_below_the_oldest_goes_on_there
            }
            hub {
                a_cursor_is_exact_across_a_restart
                a_finished_topic_gets_204_across_a_restart
                what_left_the_window_comes_from_the_history
                earliest_and_latest_reach_beyond_the_window
                a_quiet_topic_is_exact_although_the_history_was_trimmed
                a_topic_that_comes_back_after_it_was_trimmed_is_exact
                a_trimmed_cursor_gets_its_gap_first
                a_reader_moves_between_two_hubs
                g4_a_first_cursor_is_exact_across_a_restart
                a_publisher_without_a_window_reaches_readers
                the_same_key_publishes_once
                readers_that_resume_during_publishing_miss_nothing
                hostile_names_are_names
                unknown_topics_are_refused_where_they_must_exist
                what_a_killed_process_left_is_abandoned
            }
        }
    };
    ($engine:ty, server) => {
        $crate::history_conformance!($engine);
        $crate::__history_cases! { $engine;
            server {
                an_append_while_it_is_away_fails_at_once_and_says_so
                a_tail_outlives_the_engine
                a_hub_goes_on_without_a_gap_when_the_engine_comes_back
                a_reader_is_told_to_come_back_while_it_is_away
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __history_cases {
    ($engine:ty; $($module:ident { $($case:ident)* })*) => {$(
        mod $module {
            #[allow(unused_imports, reason = "an engine may be named by its path")]
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::history_cases::block_on($crate::history_cases::$module::$case::<$engine>());
                }
            )*
        }
    )*};
}
