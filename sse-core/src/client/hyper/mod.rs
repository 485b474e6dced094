//! The client's own HTTP, by hyper and rustls.

mod connector;
mod first_line;
pub(in crate::client) mod proxies;
pub(in crate::client) mod transport;
