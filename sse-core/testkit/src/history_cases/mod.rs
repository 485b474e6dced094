//! The suite that every history engine must pass.
//!
//! An engine defines how it is started, killed and opened ([`Engine`]), and its test file has one line:
//! `sse_testkit::history_conformance!(MyEngine);` for an embedded one, `history_conformance!(MyEngine, server);`
//! for one that is a separate process.

pub mod hub;
pub mod records;
pub mod server;
pub mod tail;

mod steps;

pub use steps::{
    Tail, appended, data, entry, finish, first_cursor, first_record, next, pattern, patterns, settled,
    status_after, texts, topic, wait_for,
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

/// Makes the tests that an engine must pass, in a module of their own.
#[macro_export]
macro_rules! history_conformance {
    ($engine:ty) => {
        $crate::__history_cases! { $engine;
            records: positions_are_dense_from_one,
            records: several_at_once_stand_together,
            records: reads_go_on_after_any_position,
            records: bytes_and_topics_are_kept_as_they_are,
            records: nothing_to_append_is_nothing,
            records: what_is_trimmed_is_an_error,
            records: the_span_knows_the_last_of_a_topic_though_it_is_trimmed,
            records: the_span_knows_up_to_where_a_topic_was_trimmed,
            records: a_topic_is_finished_while_that_is_its_last_record,
            records: a_key_keeps_one_event_for_the_same_topics,
            records: a_key_raced_for_is_kept_once,
            records: two_handles_see_one_order,
            records: a_restart_keeps_everything_and_names_nothing_twice,
            records: a_key_outlives_a_restart,
            tail: everything_is_told_once_and_in_order_from_any_position,
            tail: records_appended_meanwhile_are_told_in_order,
            tail: signals_reach_every_handle,
            tail: trimming_is_told,
            tail: a_tail_from_below_the_oldest_goes_on_there,
            hub: a_cursor_is_exact_across_a_restart,
            hub: a_finished_topic_gets_204_across_a_restart,
            hub: what_left_the_window_comes_from_the_history,
            hub: earliest_and_latest_reach_beyond_the_window,
            hub: a_quiet_topic_is_exact_although_the_history_was_trimmed,
            hub: a_topic_that_comes_back_after_it_was_trimmed_is_exact,
            hub: a_trimmed_cursor_gets_its_gap_first,
            hub: a_reader_moves_between_two_hubs,
            hub: g4_readers_cut_before_their_first_event_miss_nothing_across_a_restart,
            hub: a_publisher_without_a_window_reaches_readers,
            hub: the_same_key_publishes_once,
            hub: readers_that_resume_during_publishing_miss_nothing,
            hub: hostile_names_are_names,
            hub: unknown_topics_are_refused_where_they_must_exist,
            hub: what_a_killed_process_left_is_abandoned,
        }
    };
    ($engine:ty, server) => {
        $crate::history_conformance!($engine);
        $crate::__history_cases! { $engine;
            server: an_append_while_it_is_away_fails_at_once_and_says_so,
            server: a_tail_outlives_the_engine,
            server: a_hub_goes_on_without_a_gap_when_the_engine_comes_back,
            server: a_reader_is_told_to_come_back_while_it_is_away,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __history_cases {
    ($engine:ty; $($module:ident: $case:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            $crate::history_cases::$module::$case::<$engine>().await;
        }
    )*};
}
