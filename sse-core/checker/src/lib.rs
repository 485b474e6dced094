//! A checker of a hub's promises over an engine, with fault injection.
//!
//! Publishers publish through nodes that are separate processes, readers move between them at random, and a fault
//! injector kills nodes and the engine, trims, deletes, fails over, and cuts the network: [`run`]. Publishers and
//! readers record what they receive, and [`judge`] compares the records with what the engine holds at the end:
//!
//! - no id names two records, and the ids that a reader receives strictly increase;
//! - every acknowledged event was sent to every reader it concerns, or is covered by a gap, or the engine lost it
//!   in a fault that may lose events; then every reader that saw it got a gap;
//! - every event that a reader receives was published, and no event published under a key is kept twice;
//! - each gap is sent before the next event.
//!
//! The seed determines the plan of faults, so a plan can be repeated; the timing of processes and servers cannot.

// A test's helper fails the test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod cluster;
pub mod engines;
mod node;
mod plan;
mod postgres;
mod recorded;
mod run;
mod verdict;

#[cfg(test)]
mod tests;

pub use plan::{EngineKind, Fault, Plan};
pub use recorded::{Digest, Kept, Published, Reader, Recorded, Step};
pub use run::{Options, Report, run};
pub use verdict::{Counts, Verdict, Violation, judge};
