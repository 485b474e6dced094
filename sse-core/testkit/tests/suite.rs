//! Tests of the suite itself: on a server without a framework every case passes, and each case fails as soon as its
//! promise is broken.

mod wrong;

use std::pin::Pin;

use futures_util::future::join_all;
use sse_testkit::{App, Outcome, cases, for_each_case, within_limits};
use wrong::{Fault, Wrong};

mod right {
    use super::*;

    sse_testkit::conformance!(Wrong(Fault::Nothing));
}

type Case = for<'a> fn(&'a dyn App) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>;

macro_rules! list {
    (; $($module:ident { $($case:ident)* })*) => {
        vec![$($({
            let case: Case = |app| Box::pin(cases::$module::$case(app));
            (concat!(stringify!($module), "::", stringify!($case)), case)
        }),*),*]
    };
}

#[tokio::test]
async fn every_case_fails_when_its_promise_is_broken() {
    let all: Vec<(&str, Case)> = for_each_case!([list]);
    assert!(all.len() > 80, "{} cases", all.len());
    let run = |(name, case): (&'static str, Case)| async move {
        let fault = fault_of(name);
        (name, fault, within_limits(case(&Wrong(fault))).await)
    };
    let passed: Vec<_> = join_all(all.into_iter().map(run)).await;
    let passed: Vec<_> = passed.iter().filter(|(_, _, outcome)| outcome.is_ok()).collect();
    assert!(passed.is_empty(), "passed although broken: {passed:#?}");
}

fn fault_of(case: &str) -> Fault {
    match case {
        "compress::accept_encoding_decides_about_compression" => Fault::CompressesForAll,
        "compress::compressed_readers_are_told_the_same_at_once" => Fault::BreaksGzip,
        "errors::a_stream_that_fails_ends_after_what_came_before" => Fault::Cut,
        "errors::accept_decides_between_a_stream_and_406" => Fault::IgnoresAccept,
        "errors::an_invalid_event_ends_the_stream_after_earlier_ones" => Fault::ShortRetryAfterError,
        "errors::g14_a_bad_topic_is_400_with_json" => Fault::ErrorIsText,
        "errors::h7_a_panic_ends_the_stream_as_an_error_does"
        | "errors::h7_a_panic_of_the_access_hook_is_answered" => Fault::ShortRetryAfterError,
        "errors::publish_says_what_is_wrong" => Fault::ErrorIs500,
        "fallbacks::h2_every_negotiated_answer_names_accept" => Fault::NoVary,
        "fallbacks::g4_long_polls_get_everything_once"
        | "fallbacks::h3_the_form_that_is_named_wins"
        | "fallbacks::json_lines_say_what_the_stream_says"
        | "fallbacks::long_polls_are_told_gaps_and_ends"
        | "fallbacks::one_route_answers_a_page_or_a_stream"
        | "refusals::a_fetch_client_over_the_limit_gets_503" => Fault::IgnoresAccept,
        "fallbacks::without_fallbacks_every_client_gets_the_stream" => Fault::AlwaysFallsBack,
        "mounted::g9_two_tenants_cannot_read_each_others_events" => Fault::OneTenant,
        "mounted::hosts_decide_before_a_reader_is_one" => Fault::IgnoresHost,
        "mounted::mounted_routes_subscribe_and_publish" => Fault::ErrorIs500,
        "mounted::origins_decide_before_a_reader_is_one" => Fault::IgnoresOrigin,
        "origins::any_origin_reads_and_does_not_publish" => Fault::IgnoresOrigin,
        "origins::preflights_pass_what_clients_of_streams_send" => Fault::TakesAnyMethod,
        "origins::the_same_origin_publishes_behind_a_proxy" => Fault::NoFetchMetadata,
        "probes::a_probe_has_no_effect" => Fault::HeadSubscribes,
        "probes::a_probe_has_the_head_of_a_get" => Fault::HeadIs405,
        "probes::other_methods_are_not_allowed" => Fault::TakesAnyMethod,
        "refusals::g14_an_event_source_over_the_limit_is_told_to_come_back" => Fault::RefusedIs503,
        "keep_alive::a_comment_alone_follows_a_retry_line" => Fault::CommentsBare,
        "keep_alive::g10_the_first_byte_comes_at_once" => Fault::HoldsFirstBytes,
        "keep_alive::g10_the_keep_alive_is_the_retry_line_again" => Fault::BlankLineAfterKeepAlive,
        "keep_alive::g15_retry_is_jittered_between_the_base_and_twice_as_much" => Fault::SameRetry,
        "keep_alive::keep_alive_as_a_comment" => Fault::CommentsBare,
        "keep_alive::keep_alive_as_an_event" => Fault::DropsEmptyData,
        "keep_alive::keep_alive_off_is_silent" => Fault::AlwaysBeats,
        "keep_alive::keep_alive_repeats_the_last_retry" => Fault::SameRetry,
        "keep_alive::max_age_ends_a_subscription_cleanly" => Fault::NoLastRetry,
        "keep_alive::the_hook_counts_events_and_bytes" => Fault::Pads,
        "keep_alive::until_ends_a_stream_cleanly" => Fault::Cut,
        "resume::a_plain_stream_resumes_by_ids_of_its_own" => Fault::HeaderOnly,
        "resume::g3_positions_increase" => Fault::Repeats,
        "resume::g4_a_cursor_at_the_tail_gets_only_what_follows" => Fault::Inclusive,
        "resume::g4_a_cursor_gets_exactly_what_follows" => Fault::Inclusive,
        "resume::g4_a_filtered_reader_is_moved_on_by_checkpoints" => Fault::DropsCheckpoints,
        "resume::g4_another_hubs_cursor_gets_gap_first" => Fault::DropsGap,
        "resume::g4_trimmed_cursor_gets_gap_first" => Fault::DropsGap,
        "resume::g8_any_bytes_are_answered" => Fault::BadIdIs400,
        "resume::g8_bytes_that_are_not_utf8_are_answered" => Fault::BadIdIs400,
        "resume::g8_long_ids_are_answered" => Fault::LongIdIs400,
        "resume::the_header_wins_over_the_query" => Fault::QueryWins,
        "resume::the_query_may_carry_the_id" => Fault::HeaderOnly,
        "shutdown::disconnect_ends_readers_who_then_resume" => Fault::NoLastRetry,
        "shutdown::g13_a_reader_that_does_not_read_does_not_hold_the_server" => Fault::WaitsForAll,
        "shutdown::g13_a_stream_of_tokens_goes_on_until_the_deadline" => Fault::EndsTokensAtOnce,
        "shutdown::g13_a_plain_stream_ends_with_the_handle" => Fault::NeverEnds,
        "shutdown::g13_subscriptions_end_in_half_the_window" => Fault::Cut,
        "shutdown::g14_who_comes_during_a_shutdown_is_told_to_come_back" => Fault::LateIs503,
        "slow_reader::a_channel_delivers_every_word" => Fault::LosesSpaces,
        "slow_reader::a_reader_that_left_is_noticed" => Fault::KeepsTheDead,
        "slow_reader::g11_a_stalled_reader_delays_nobody_and_is_dropped" => Fault::ReadsAhead,
        "topics::a_finished_topic_ends_and_then_answers_204" => Fault::FinishedIs200,
        "topics::a_fresh_reader_of_a_finished_topic_gets_its_end" => Fault::DropsFinish,
        "topics::a_wildcard_reader_goes_on_after_a_finish" => Fault::EndsAtFinish,
        "topics::g5_an_event_of_several_topics_comes_once" => Fault::Repeats,
        "topics::signals_have_no_id_and_are_not_kept" => Fault::IdsForAll,
        "topics::start_says_where_a_fresh_reader_begins" => Fault::IgnoresStart,
        "topics::wildcards_match_parts" => Fault::NoWildcards,
        "wire::a_large_event_arrives_whole" => Fault::Truncates,
        "wire::a_response_to_head_has_no_body" => Fault::HeadHasBody,
        "wire::every_chunk_ends_a_line" => Fault::SplitsChunks,
        "wire::g1_hostile_text_stays_in_its_field" => Fault::RawBreaks,
        "wire::g1_the_script_is_byte_exact" => Fault::LosesSpaces,
        "wire::the_head_is_exact" => Fault::NoAccelHeader,
        "filter::g9_a_filter_is_the_same_live_and_by_replay" => Fault::FiltersOnlyLive,
        "filter::g9_a_wildcard_does_not_tell_the_names_of_others" => Fault::TellsAllEnds,
        "filter::rule_9_what_is_withheld_is_passed_by_checkpoints"
        | "first_cursor::g13_readers_in_a_shutdowns_window_have_a_cursor"
        | "first_cursor::g4_a_reader_cut_before_its_first_event_misses_nothing"
        | "first_cursor::g4_a_refused_reader_misses_nothing"
        | "first_cursor::g4_every_form_begins_with_a_cursor" => Fault::DropsCheckpoints,
        "first_cursor::a_reader_with_a_cursor_begins_without_a_checkpoint" => Fault::DropsGap,
        "first_cursor::a_state_comes_before_the_first_cursor" => Fault::CursorBeforeState,
        "leases::g9_a_lease_ends_its_stream_at_its_time" => Fault::IgnoresLease,
        "leases::g9_a_lease_that_is_over_reads_nothing" => Fault::IgnoresLease,
        "leases::g9_a_revoked_lease_ends_only_its_own_streams" => Fault::IgnoresLease,
        "leases::g9_what_is_pending_when_a_lease_ends_is_not_sent" => Fault::ReadsAhead,
        "readers::a_new_retry_is_told_at_once_and_kept" => Fault::SameRetry,
        "readers::a_second_exclusive_reader_ends_the_first" => Fault::LetsBoth,
        "readers::a_second_exclusive_reader_is_refused_if_so_chosen" => Fault::LetsBoth,
        "readers::closing_a_reader_ends_it_alone" => Fault::NeverEnds,
        "readers::rule_6_topics_change_without_reconnecting" => Fault::KeepsItsTopics,
        "readers::the_readers_of_a_topic_are_listed" => Fault::Nameless,
        "runs::a_run_outlives_its_readers" => Fault::RunEndsWithItsReader,
        "runs::a_stop_reaches_the_producer" => Fault::StopsNothing,
        "runs::a_topic_runs_once_at_a_time" => Fault::ErrorIs500,
        "runs::an_abandoned_run_ends_and_says_so" => Fault::DropsFinish,
        "runs::an_unknown_topic_is_404_where_it_must_exist" => Fault::ErrorIs500,
        "state::a_new_reader_gets_the_state_then_the_changes" => Fault::StateAtEachConnect,
        "state::a_reader_that_is_behind_gets_the_latest_of_each_key" => Fault::TellsEveryOne,
        "state::a_reader_that_reads_slowly_gets_the_latest_of_each_key" => Fault::TellsEveryOne,
        "state::g4_after_a_gap_the_state_comes_again_under_the_same_cursor" => Fault::StateOnlyOnce,
        "refusals::limits_count_for_each_principal_and_each_address" => Fault::NoLimits,
        case => panic!("{case} has no fault that it must find: add one"),
    }
}
