//! The application on Warp, in real browsers.

example_tests::browsers!(env!("CARGO_BIN_EXE_example-warp"), example_tests::ALL);
