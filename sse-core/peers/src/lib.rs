//! What the client's tests share: a hub on a real server, a proxy that misbehaves, and a list that must come out whole.

mod chaos;
mod hub_server;
mod ledger;

pub use chaos::{Chaos, Fault};
pub use hub_server::HubServer;
pub use ledger::Ledger;
