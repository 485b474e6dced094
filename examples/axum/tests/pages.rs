//! The module for pages, in real browsers.

example_tests::pages!(env!("CARGO_BIN_EXE_example-axum"));
