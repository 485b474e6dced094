//! Every promise of the suite, on Poem.

sse_testkit::conformance!(crate::app::Poem);
