//! A history in PostgreSQL, for many processes and for the application's own transactions.
//!
//! Transactions publish into an outbox, where an event has no position yet. One SQL function gives positions, in a
//! short transaction of its own, to what waits in the outbox and to what hubs append; `sql/` has the schema with all
//! its functions. So a publisher never waits for another one, and positions are dense.

mod append;
mod bounds;
mod builder;
mod call;
mod connect;
mod failure;
mod history;
mod link;
mod listener;
mod payload;
mod read;
mod schema;
mod sequencer;
mod settings;
mod shared;
mod signal;
mod tail;
mod tls;

pub use builder::PostgresHistoryBuilder;
pub use history::PostgresHistory;
