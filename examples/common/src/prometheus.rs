//! The metrics of `sse-core` for Prometheus; any recorder of the crate `metrics` works too.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// How often the collected values of histograms are processed.
const UPKEEP: Duration = Duration::from_secs(5);

/// The one recorder of the process, which all its nodes share.
static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Returns the process's recorder, installed at the first call. Call it before the hub is built, because the hub
/// looks its counters up once, and within a Tokio runtime.
///
/// # Errors
/// If the process already has another recorder.
pub(crate) fn recorder() -> Result<PrometheusHandle, BuildError> {
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(recorder) = &*recorder {
        return Ok(recorder.clone());
    }
    Ok(recorder.insert(install()?).clone())
}

fn install() -> Result<PrometheusHandle, BuildError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full("sse_history_seconds".to_owned()),
            &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0],
        )?
        .set_buckets_for_metric(
            Matcher::Full("sse_stream_seconds".to_owned()),
            &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0],
        )?
        .set_buckets_for_metric(
            Matcher::Full("sse_lag_events".to_owned()),
            &[1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 100_000.0],
        )?
        .install_recorder()?;
    let handle = recorder.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            handle.run_upkeep();
        }
    });
    Ok(recorder)
}
