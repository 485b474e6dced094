//! The application on Poem behind real proxies.

example_tests::proxies!(env!("CARGO_BIN_EXE_example-poem"));
