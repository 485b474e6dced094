//! Third-party clients against the application on Rocket.

example_tests::clients!(env!("CARGO_BIN_EXE_example-rocket"), 1_000);
