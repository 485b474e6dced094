//! Third-party clients against the application on Axum.

example_tests::clients!(env!("CARGO_BIN_EXE_example-axum"), 10_000);
