//! Every promise of the suite, on Poem.

mod app;

sse_testkit::conformance!(app::Poem);
