//! A checker of what a hub promises over an engine, with a saboteur.
//!
//! Publishers publish through nodes that are processes of their own, readers move between them at random, and a saboteur
//! kills nodes and the engine, trims, deletes, fails over, and cuts the network: [`run`]. Everybody writes down what they
//! were told, and [`judge`] compares it with what the engine holds in the end:
//!
//! - no id names two records, and what a reader is told strictly increases;
//! - every acknowledged event was told to everybody whom it concerns, or is covered by a gap, or the engine lost it in a
//!   fault that loses; then whoever saw it got a gap;
//! - nothing is told that was not published, and nothing that was published under a key is kept twice;
//! - each gap is told before the next event.
//!
//! The plan of faults comes from a seed and can be run again; the timing of processes and servers cannot.

mod client;
mod node;
mod plan;
mod recorded;
mod run;
mod site;
mod verdict;

#[cfg(test)]
mod tests;

pub use plan::{EngineKind, Fault, Plan};
pub use recorded::{Digest, Kept, Published, Reader, Recorded, Step};
pub use run::{Options, Report, run};
pub use verdict::{Counts, Verdict, Violation, judge};
