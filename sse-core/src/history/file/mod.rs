//! A history in one file, for one process.

mod block;
mod buckets;
mod failure;
mod history;
mod keys;
mod layout;
mod options;
mod place;
mod read;
mod store;
mod topics;
mod writer;

#[cfg(test)]
mod tests;

pub use history::FileHistory;
pub use options::FileHistoryBuilder;
