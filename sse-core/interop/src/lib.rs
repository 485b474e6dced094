//! The tests of the four example applications, written once: each starts the real program and communicates with it
//! over sockets, or through a real browser.

mod app;
pub mod away;
mod browsers;
pub mod cases;
mod clients;
mod compressed;
mod gateway;
mod judge;
mod page;
mod process;
pub mod proxies;
mod proxy;
mod publisher;
mod reading;
mod relay;
mod resumable;
pub mod servers;
mod source;
mod webdriver;

pub use app::{App, StreamSummary};
pub use clients::{others_clients_come_back_before_their_first_event, others_clients_hold_every_event};
pub use gateway::Gateway;
pub use judge::{ALL, Case, MAIN, PAGES, judge};
pub use proxy::{Front, Proxy, Settings};
pub use publisher::Publisher;
pub use reading::{Heard, Reading};
pub use relay::Relay;
pub use sse_testkit::Outcome;
pub use webdriver::{Engine, Session, Tab};

use std::time::Duration;

/// How long a test waits for something that must happen: long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Makes one test of each case: `application!(env!("CARGO_BIN_EXE_example-axum"));`.
#[macro_export]
macro_rules! application {
    ($program:expr) => {
        $crate::__tests! { $program; cases:
            answers_by_accept mounts_routes_for_tenants lets_pages_of_named_origins_read
            refuses_posts_of_other_sites answers_monitors_without_effect answers_preflights
            serves_the_page serves_the_module_for_pages publishes_to_readers publishes_once_under_a_key signals_without_an_id
            resumes_where_a_reader_left_off g7_resumes_after_a_crash a_header_is_newer_than_the_query starts_where_it_is_told
            g8_any_cursor_is_answered finishes_and_then_answers_204 disconnects_and_resumes
            refuses_bad_input_with_json takes_16_mib_and_no_more publishes_the_metrics says_its_stats serves_the_metrics ticks_every_second
            completes_a_prompt stops_when_the_reader_has_left g10_keep_alive_applies_to_every_stream
            readers_move_over_postgres_while_its_process_is_killed
            ends_a_stream_at_its_age g13_terminates_with_streams_open g13_terminates_with_a_reader_that_does_not_read
            h5_a_second_signal_ends_at_once h6_readers_wait_while_no_descriptor_is_free
            a_bad_flag_is_one_line_and_exit_2 help_is_on_stdout an_address_in_use_is_one_line curl_reads_compressed
        }
    };
}

/// Makes a test of each browser, with these cases:
/// `browsers!(env!("CARGO_BIN_EXE_example-axum"), sse_interop::ALL);`.
#[macro_export]
macro_rules! browsers {
    ($program:expr, $cases:expr) => {
        #[tokio::test]
        async fn chromium() -> $crate::Outcome {
            $crate::judge($program, $crate::Engine::Chromium, $cases).await
        }

        #[tokio::test]
        async fn firefox() -> $crate::Outcome {
            $crate::judge($program, $crate::Engine::Firefox, $cases).await
        }

        #[tokio::test]
        async fn webkit() -> $crate::Outcome {
            $crate::judge($program, $crate::Engine::WebKit, $cases).await
        }

        #[tokio::test]
        async fn h2_back_shows_the_page() -> $crate::Outcome {
            $crate::away::h2_back_shows_the_page($program).await
        }
    };
}

/// Makes a test of the module for pages in each browser: `pages!(env!("CARGO_BIN_EXE_example-axum"));`.
#[macro_export]
macro_rules! pages {
    ($program:expr) => {
        #[tokio::test]
        async fn chromium() -> $crate::Outcome {
            $crate::judge($program, $crate::Engine::Chromium, $crate::PAGES).await
        }

        #[tokio::test]
        async fn firefox() -> $crate::Outcome {
            $crate::judge($program, $crate::Engine::Firefox, $crate::PAGES).await
        }

        #[tokio::test]
        async fn webkit() -> $crate::Outcome {
            $crate::judge($program, $crate::Engine::WebKit, $crate::PAGES).await
        }
    };
}

/// Makes the tests behind each proxy: `proxies!(env!("CARGO_BIN_EXE_example-axum"));`.
#[macro_export]
macro_rules! proxies {
    ($program:expr) => {
        $crate::__proxies! { $program; nginx Nginx, haproxy Haproxy, caddy Caddy }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __proxies {
    ($program:expr; $($module:ident $proxy:ident),*) => {$(
        mod $module {
            $crate::__behind! { $program; away $proxy:
                h1_an_error_is_never_2xx h1_preflights_pass h1_a_page_of_another_origin_survives
            }
            $crate::__behind! { $program; proxies $proxy:
                g10_passes_each_event_at_once g10_keep_alive_beats_a_read_timeout g4_survives_a_restart_of_the_proxy
                g14_survives_a_restart_of_the_application
            }
        }
    )*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __behind {
    ($program:expr; $module:ident $proxy:ident: $($case:ident)*) => {$(
        #[tokio::test]
        async fn $case() -> $crate::Outcome {
            $crate::$module::$case($program, $crate::Proxy::$proxy).await
        }
    )*};
}

/// Makes the tests of third-party clients; the number is how many events one of the tests publishes:
/// `clients!(env!("CARGO_BIN_EXE_example-axum"), 1_000);`.
#[macro_export]
macro_rules! clients {
    ($program:expr, $events:expr) => {
        #[tokio::test]
        async fn others_clients_hold_every_event() -> $crate::Outcome {
            $crate::others_clients_hold_every_event($program, $events).await
        }

        #[tokio::test]
        async fn others_clients_come_back_before_their_first_event() -> $crate::Outcome {
            $crate::others_clients_come_back_before_their_first_event($program).await
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($program:expr; $module:ident: $($case:ident)*) => {$(
        #[tokio::test]
        async fn $case() -> $crate::Outcome {
            $crate::$module::$case($program).await
        }
    )*};
}
