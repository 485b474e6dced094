//! The hub.

mod checkpoints;
mod filter;
mod finish;
mod handles;
mod history;
mod history_faults;
mod history_queries;
mod lag;
mod lease;
mod model;
mod network;
mod resume;
mod rules;
mod runs;
mod snapshot;
mod snapshot_place;
mod topics;
