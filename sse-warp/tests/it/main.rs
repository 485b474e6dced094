//! The adapter on Warp: every promise of the suite, the assertions of the feature `test`, and what Warp alone has.

mod app;
mod conformance;
mod helpers;
mod idiom;
