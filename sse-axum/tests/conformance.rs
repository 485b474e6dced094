//! Every promise of the suite, on Axum.

mod app;

sse_testkit::conformance!(app::Axum);
