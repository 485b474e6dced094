//! Pages of other origins: which may read and publish, and the headers that allow it (CORS).

pub use crate::request::{Cors, ForbiddenOrigin, InvalidOrigin, OriginPolicy, OriginPolicyBuilder};
