//! The tests of the core that can share one process. Those that need one of their own stand beside this folder.

mod client;
mod common;
mod hub;
mod repository;
mod response;
mod testing;
mod wire;
