//! The page of the application on Warp, in a real browser.

example_tests::browser!(env!("CARGO_BIN_EXE_example-warp"));
