//! Every promise of the suite, on Rocket.

sse_testkit::conformance!(crate::app::Rocket);
