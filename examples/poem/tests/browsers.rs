//! The application on Poem, in real browsers.

example_tests::browsers!(env!("CARGO_BIN_EXE_example-poem"), example_tests::ALL);
