//! Ready-made routes: what is asked for, who may, and the answer. The adapters hand requests in and responses out.

mod access;
mod ask;
mod permit;
mod preflight;
mod routes;

pub use access::{Access, PublicRead};
pub use ask::{AccessKind, AccessRequest};
pub use permit::{AccessDenied, Permit};
pub use preflight::Preflight;
pub use routes::{BodyError, MountRequest, MountResponse, Routes, collect};
