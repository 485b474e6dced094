//! The promises, one function each. Functions whose names begin with `g` and a number are named after the guarantee
//! that they prove.

pub mod compress;
pub mod errors;
pub mod fallbacks;
pub mod filter;
pub mod first_cursor;
pub mod keep_alive;
pub mod leases;
pub mod mounted;
pub mod origins;
pub mod probes;
pub mod readers;
pub mod refusals;
pub mod resume;
pub mod runs;
pub mod shutdown;
pub mod slow_reader;
pub mod state;
pub mod topics;
pub mod wire;

/// Passes the list of all cases to a macro: `for_each_case!([path::to::callback] arguments)`.
#[macro_export]
macro_rules! for_each_case {
    ([$($callback:tt)*] $($arguments:tt)*) => {
        $($callback)*! {
            $($arguments)*;
            compress {
                accept_encoding_decides_about_compression
                compressed_readers_are_told_the_same_at_once
            }
            errors {
                a_stream_that_fails_ends_after_what_came_before
                accept_decides_between_a_stream_and_406
                an_invalid_event_ends_the_stream_after_earlier_ones
                g14_a_bad_topic_is_400_with_json
                h7_a_panic_ends_the_stream_as_an_error_does
                h7_a_panic_of_the_access_hook_is_answered
                publish_says_what_is_wrong
            }
            fallbacks {
                g4_long_polls_get_everything_once
                h2_every_negotiated_answer_names_accept
                h3_the_form_that_is_named_wins
                json_lines_say_what_the_stream_says
                long_polls_are_told_gaps_and_ends
                one_route_answers_a_page_or_a_stream
                without_fallbacks_every_client_gets_the_stream
            }
            filter {
                g9_a_filter_is_the_same_live_and_by_replay
                g9_a_wildcard_does_not_tell_the_names_of_others
                rule_9_what_is_withheld_is_passed_by_checkpoints
            }
            first_cursor {
                a_reader_with_a_cursor_begins_without_a_checkpoint
                a_state_comes_before_the_first_cursor
                g13_readers_in_a_shutdowns_window_have_a_cursor
                g4_a_reader_cut_before_its_first_event_misses_nothing
                g4_a_refused_reader_misses_nothing
                g4_every_form_begins_with_a_cursor
            }
            keep_alive {
                a_comment_alone_follows_a_retry_line
                g10_the_first_byte_comes_at_once
                g10_the_keep_alive_is_the_retry_line_again
                g15_retry_is_jittered_between_the_base_and_twice_as_much
                keep_alive_as_a_comment
                keep_alive_as_an_event
                keep_alive_off_is_silent
                keep_alive_repeats_the_last_retry
                max_age_ends_a_subscription_cleanly
                the_hook_counts_events_and_bytes
                until_ends_a_stream_cleanly
            }
            leases {
                g9_a_lease_ends_its_stream_at_its_time
                g9_a_lease_that_is_over_reads_nothing
                g9_a_revoked_lease_ends_only_its_own_streams
                g9_what_is_pending_when_a_lease_ends_is_not_sent
            }
            mounted {
                g9_two_tenants_cannot_read_each_others_events
                hosts_decide_before_a_reader_is_one
                mounted_routes_subscribe_and_publish
                origins_decide_before_a_reader_is_one
            }
            origins {
                any_origin_reads_and_does_not_publish
                preflights_pass_what_clients_of_streams_send
                the_same_origin_publishes_behind_a_proxy
            }
            probes {
                a_probe_has_no_effect
                a_probe_has_the_head_of_a_get
                other_methods_are_not_allowed
            }
            readers {
                a_new_retry_is_told_at_once_and_kept
                a_second_exclusive_reader_ends_the_first
                a_second_exclusive_reader_is_refused_if_so_chosen
                closing_a_reader_ends_it_alone
                rule_6_topics_change_without_reconnecting
                the_readers_of_a_topic_are_listed
            }
            refusals {
                a_fetch_client_over_the_limit_gets_503
                g14_an_event_source_over_the_limit_is_told_to_come_back
                limits_count_for_each_principal_and_each_address
            }
            resume {
                a_plain_stream_resumes_by_ids_of_its_own
                g3_positions_increase
                g4_a_cursor_at_the_tail_gets_only_what_follows
                g4_a_cursor_gets_exactly_what_follows
                g4_a_filtered_reader_is_moved_on_by_checkpoints
                g4_another_hubs_cursor_gets_gap_first
                g4_trimmed_cursor_gets_gap_first
                g8_any_bytes_are_answered
                g8_bytes_that_are_not_utf8_are_answered
                g8_long_ids_are_answered
                the_header_wins_over_the_query
                the_query_may_carry_the_id
            }
            runs {
                a_run_outlives_its_readers
                a_stop_reaches_the_producer
                a_topic_runs_once_at_a_time
                an_abandoned_run_ends_and_says_so
                an_unknown_topic_is_404_where_it_must_exist
            }
            shutdown {
                disconnect_ends_readers_who_then_resume
                g13_a_reader_that_does_not_read_does_not_hold_the_server
                g13_a_stream_of_tokens_goes_on_until_the_deadline
                g13_a_plain_stream_ends_with_the_handle
                g13_subscriptions_end_in_half_the_window
                g14_who_comes_during_a_shutdown_is_told_to_come_back
            }
            slow_reader {
                a_channel_delivers_every_word
                a_reader_that_left_is_noticed
                g11_a_stalled_reader_delays_nobody_and_is_dropped
            }
            state {
                a_new_reader_gets_the_state_then_the_changes
                a_reader_that_is_behind_gets_the_latest_of_each_key
                a_reader_that_reads_slowly_gets_the_latest_of_each_key
                g4_after_a_gap_the_state_comes_again_under_the_same_cursor
            }
            topics {
                a_finished_topic_ends_and_then_answers_204
                a_fresh_reader_of_a_finished_topic_gets_its_end
                a_wildcard_reader_goes_on_after_a_finish
                g5_an_event_of_several_topics_comes_once
                signals_have_no_id_and_are_not_kept
                start_says_where_a_fresh_reader_begins
                wildcards_match_parts
            }
            wire {
                a_large_event_arrives_whole
                a_response_to_head_has_no_body
                every_chunk_ends_a_line
                g1_hostile_text_stays_in_its_field
                g1_the_script_is_byte_exact
                the_head_is_exact
            }
        }
    };
}
