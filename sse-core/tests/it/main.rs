//! The tests of the core that can share one process. Tests that need their own process are next to this folder.

mod client;
mod common;
mod hub;
mod repository;
mod response;
mod testing;
mod wire;
