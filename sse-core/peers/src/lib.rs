//! What the client's tests share: a hub on a real server, a proxy that misbehaves, a list that must come out whole, and
//! what every other server is asked for.

mod chaos;
mod hub_server;
mod judge;
mod ledger;

pub use chaos::{Chaos, Fault};
pub use hub_server::HubServer;
pub use judge::{COUNT, NOTHING, ODD, PER_CONNECTION, judge, misbehave, numbers, source};
pub use ledger::Ledger;
