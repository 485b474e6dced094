//! Ready-made routes: what is asked for, who may, and the answer. The adapters hand requests in and responses out.

mod access;
mod ask;
mod permit;
mod preflight;
mod routes;

pub use access::{Access, Public};
pub use ask::{Action, Ask};
pub use permit::{Denied, Permit};
pub use preflight::Preflight;
pub use routes::{Answer, Asked, BodyError, Routes, collect};
