//! The application on Rocket, in real browsers.

example_tests::browsers!(env!("CARGO_BIN_EXE_example-rocket"), example_tests::ALL);
