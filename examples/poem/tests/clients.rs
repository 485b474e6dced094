//! Third-party clients against the application on Poem.

example_tests::clients!(env!("CARGO_BIN_EXE_example-poem"), 1_000);
