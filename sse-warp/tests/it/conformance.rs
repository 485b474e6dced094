//! Every promise of the suite, on Warp.

sse_testkit::conformance!(crate::app::Warp);
