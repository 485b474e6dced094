//! The engines as tests start, kill and open them.

mod file;

pub use file::FileEngine;
