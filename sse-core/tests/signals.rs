//! `Shutdown::on_signals`: alone in this file, because a signal goes to the whole process.

#![cfg(unix)]

use std::{
    process::{self, Command},
    time::Duration,
};

use sse_core::Shutdown;
use tokio::time::timeout;

/// A signal that arrives before the runtime has done anything else, so that only `on_signals` itself can save the
/// process: if the work were left to a task, the signal would end this process. Only one signal, because the second
/// one ends the process; the tests of the examples try that, with both signals.
#[tokio::test]
async fn g13_signals_are_listened_to_when_on_signals_returns() {
    let shutdown = Shutdown::within(Duration::from_secs(1)).on_signals();
    let id = process::id().to_string();
    let sent = Command::new("kill").args(["-s", "TERM", &id]).status().expect("there is a `kill`");
    assert!(sent.success());
    assert!(!shutdown.has_begun(), "no task has run yet");
    timeout(Duration::from_secs(10), shutdown).await.expect("the signal begins the shutdown");
}

/// Without a runtime no task can listen; the handle works all the same.
#[test]
fn on_signals_outside_a_runtime_leaves_notify() {
    let shutdown = Shutdown::within(Duration::from_secs(1)).on_signals();
    assert!(!shutdown.has_begun());
    shutdown.notify();
    assert!(shutdown.has_begun());
}
