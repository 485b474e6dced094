//! A checker of what a hub promises over an engine, with a saboteur.

mod recorded;
mod verdict;

#[cfg(test)]
mod tests;

pub use recorded::{Digest, Kept, Published, Reader, Recorded, Step};
pub use verdict::{Counts, Verdict, Violation, judge};
