//! The application on Axum, in real browsers.

example_tests::browsers!(env!("CARGO_BIN_EXE_example-axum"), example_tests::ALL);
