use std::{panic::AssertUnwindSafe, pin::Pin, time::Instant};

use futures_util::FutureExt;
use sse_testkit::{Failed, Outcome};

use crate::{Engine, Session, browsers, compressed, page, resumable};

/// A test in a browser: its name, and the function that runs it with an application's program.
pub type Case =
    (&'static str, for<'a> fn(&'a str, &'a Session) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>);

macro_rules! cases {
    ($($module:ident: $($case:ident)*;)*) => {
        &[$($((stringify!($case), |program, page| Box::pin($module::$case(program, page)))),*),*]
    };
}

/// All tests in browsers.
pub const ALL: &[Case] = cases! {
    page: g17_resumes_after_cuts g17_is_told_of_a_restart g17_resumes_after_a_crash the_page_works;
    browsers: g17_stops_at_204 g17_checkpoints_move_the_cursor g17_comes_back_before_its_first_event
        g1_reads_any_text g2_reads_events_of_64_kib
        g5_reads_500_events_a_second g4_keeps_a_tab_for_several_ages g17_survives_a_cut_within_an_event
        g17_goes_back_to_a_page g17_survives_an_outage g17_reads_across_origins_with_credentials
        fetches_across_origins;
    compressed: reads_compressed;
};

/// The tests that can fail for one adapter and pass for another.
pub const MAIN: &[Case] = cases! {
    page: g17_resumes_after_cuts g17_is_told_of_a_restart;
    browsers: g17_stops_at_204 g17_comes_back_before_its_first_event;
    resumable: resumes_after_a_cut polls_behind_a_buffer;
};

/// The tests of the module for pages.
pub const PAGES: &[Case] = cases! {
    resumable: stops_at_204 reports_wrong_options renews_a_token resumes_after_a_cut reports_a_gap
        is_offline_for_10_seconds survives_a_reload goes_back polls_behind_a_buffer polls_where_streams_break
        reads_across_origins has_one_connection_for_12_tabs outlives_the_reading_tab
        outlives_a_tab_that_hangs;
};

/// Runs the cases in one browser, one after the other: starting a browser takes longer than most of them.
///
/// # Errors
/// The names of those that fail, and why, after all have run.
pub async fn judge(program: &str, engine: Engine, cases: &[Case]) -> Outcome {
    let page = Session::open(engine).await?;
    let mut failures = String::new();
    for (name, case) in cases {
        let began_at = Instant::now();
        // A panic's own message is on stderr, where the test's output is.
        let outcome = AssertUnwindSafe(case(program, &page)).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(Failed::new("an assertion failed; it is told above")));
        let took = began_at.elapsed().as_secs_f64();
        let is_ok = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("{engine:?}: {name} ... {is_ok} in {took:.1} s");
        if let Err(failure) = outcome {
            failures.push_str(&format!("\n{engine:?}: {name}: {failure:?}"));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Failed::new(failures)) }
}
