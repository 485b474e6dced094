//! The engines as tests start, kill and open them.

mod file;
mod nats;

pub use file::FileEngine;
pub use nats::{NatsEngine, NatsServer};
