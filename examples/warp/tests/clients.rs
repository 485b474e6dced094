//! Third-party clients against the application on Warp.

example_tests::clients!(env!("CARGO_BIN_EXE_example-warp"), 1_000);
