//! NATS JetStream: the sequence numbers of a stream are the positions.
//!
//! # Why an id names one record
//! A JetStream sequence number alone does not name one record: a server that is killed, or whose store is restored
//! from a copy, may come back without the end of the stream and use its numbers again, while `created` stays the
//! same and clients reconnect by themselves. So an id is `<epoch>-<seq>-<check>`. The check is 32 random bits that
//! the publisher puts into a header, and for messages of foreign publishers a hash of the server's timestamp; two
//! records at one position differ in it except for one case in 2^32. Unlike a timestamp, which the acknowledgement
//! does not contain, it needs no second request per append. On resume, the record at the cursor is compared with
//! the check.
//!
//! # Why two nodes agree on the epochs
//! The table of epochs is the newest message of a separate stream, `<name>-epochs`. It is replaced as a whole and
//! only if no other process was first (`Nats-Expected-Last-Subject-Sequence`), so all processes see the same rows
//! in the same order; each process only adds rows to those it knows. A row is added
//! - when there is no table, or when `created` differs from the time in the table: the stream is new, and the
//!   epoch begins at 1, so that every older cursor is a fork;
//! - when the stream has one replica and the server that leads it is in another run than the table records. A
//!   server has a new id in each run. Every process checks this on each new connection *before* it appends or
//!   reads, so nothing is written in a run before its row is stored, and the row begins exactly after what
//!   survived: readers of the lost records are beyond the fork, all others before it. A harmless restart costs a
//!   row and gives no reader a gap;
//! - when a process finds that records which it sent to its readers are lost; this detects the loss in a
//!   replicated stream, or in one restored under a running server. On every connection, on every new consumer and
//!   every second of idling, the tail compares the last record that it reported. If that record differs or is
//!   missing, the tail searches backwards for the last one that is still there, and begins the epoch after it,
//!   unless another process has done so.
//!
//! Every process receives a new row on the connection on which it appends and reads. The row is stored before
//! anything is appended to a stream that was created again, so the notification arrives before the acknowledgement
//! of any later append. An acknowledgement of a position that was known before, which only a stream that was
//! created again can give, is checked first. So the id in a receipt names the same epoch as the ids that readers
//! receive.
//!
//! The table may lose its own end along with the stream. Then a cursor of a lost epoch is a gap of an unknown
//! epoch, which is one gap too many and never one too few. An append that was on its way while the server
//! restarted may arrive before the row; its id still differs in the check, and the comparison finds the fork.
//!
//! Signals and notifications of the table use plain publish-subscribe, so that positions stay dense.

mod answer;
mod append;
mod builder;
mod consumer;
mod delivered;
mod epochs;
mod history;
mod inner;
mod known;
mod link;
mod message;
mod read;
mod settings;
mod streams;
mod tail;

#[cfg(test)]
mod tests;

pub use builder::{NatsHistoryBuilder, NatsStorage};
pub use history::NatsHistory;
