//! Ready-made routes: the request, the access decision and the response. The adapters pass requests in and
//! responses out.

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
