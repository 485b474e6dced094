//! The routes, the command line and the shutdown of the application on Warp.

example_tests::application!(env!("CARGO_BIN_EXE_example-warp"));
