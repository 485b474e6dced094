//! The page of the application on Poem, in a real browser.

example_tests::browser!(env!("CARGO_BIN_EXE_example-poem"));
