//! Permission of ready-made routes: who may read and publish which topics.
//!
//! An adapter's `mount` makes the routes; an [`Access`] answers each [`AccessRequest`] with a [`Permit`] or with
//! [`AccessDenied`].

pub use crate::response::{Access, AccessDenied, AccessKind, AccessRequest, Permit, PublicRead};
