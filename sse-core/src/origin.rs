//! Pages of other origins: which may read and publish, and the headers that allow it (CORS).

pub use crate::resume::{Cors, ForbiddenOrigin, InvalidOrigin, OriginPolicy, OriginPolicyBuilder};
