//! Code that the client's tests share: a hub on a real server, a proxy with faults, a ledger that must be complete,
//! and the requirements for every other server.

mod chaos;
mod hub_server;
mod judge;
mod ledger;

pub use chaos::{Chaos, Fault};
pub use hub_server::HubServer;
pub use judge::{COUNT, NOTHING, ODD, PER_CONNECTION, judge, misbehave, numbers, source};
pub use ledger::Ledger;
