//! The assertions for users' tests.

mod proxy;
mod stream;
