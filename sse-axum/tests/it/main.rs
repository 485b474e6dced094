//! The adapter on Axum: every promise of the suite, the assertions of the feature `test`, and what Axum alone has.

mod app;
mod conformance;
mod helpers;
mod idiom;
