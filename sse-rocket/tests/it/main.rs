//! The adapter on Rocket: every promise of the suite, the assertions of the feature `test`, and what Rocket alone has.

mod app;
mod conformance;
mod helpers;
mod idiom;
