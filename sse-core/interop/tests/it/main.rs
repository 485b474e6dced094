//! The client against other servers, and against a hub over a network with faults.

mod browser;
mod frameworks;
mod heads;
mod http2;
mod hub;
mod others;
