//! The routes, the command line and the shutdown of the application on Rocket.

example_tests::application!(env!("CARGO_BIN_EXE_example-rocket"));
