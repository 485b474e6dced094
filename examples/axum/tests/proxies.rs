//! The application on Axum behind real proxies.

example_tests::proxies!(env!("CARGO_BIN_EXE_example-axum"));
