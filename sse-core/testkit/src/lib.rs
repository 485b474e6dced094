//! What several packages' tests share: one suite for the four adapters, and one for every history engine.

// A test's helper fails the test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod engines;
pub mod history_cases;
