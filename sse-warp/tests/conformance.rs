//! Every promise of the suite, on Warp.

mod app;

sse_testkit::conformance!(app::Warp);
