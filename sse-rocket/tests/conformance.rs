//! Every promise of the suite, on Rocket.

mod app;

sse_testkit::conformance!(app::Rocket);
