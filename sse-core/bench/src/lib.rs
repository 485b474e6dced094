//! What the programs `sse-soak`, `sse-slow`, `sse-storm` and `sse-churn` share; the measurements are in `main.rs`.

// A program that finds its application broken ends by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod load;
