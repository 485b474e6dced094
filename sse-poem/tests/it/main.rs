//! The adapter on Poem: every promise of the suite, the assertions of the feature `test`, and what Poem alone has.

mod app;
mod conformance;
mod helpers;
mod idiom;
