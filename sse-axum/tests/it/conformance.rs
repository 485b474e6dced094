//! Every promise of the suite, on Axum.

sse_testkit::conformance!(crate::app::Axum);
