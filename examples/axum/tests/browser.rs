//! The page of the application on Axum, in a real browser.

example_tests::browser!(env!("CARGO_BIN_EXE_example-axum"));
