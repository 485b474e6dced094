//! Requests for events: the position at which they resume, the forms and encodings that they accept, their origin.

mod accept;
mod accept_encoding;
mod last_event_id;
mod origin;
mod origin_policy;
mod quality_values;
mod sse_request;

#[cfg(test)]
mod tests;

pub use accept_encoding::AcceptEncoding;
pub use last_event_id::LastEventId;
pub use origin::{ForbiddenOrigin, InvalidOrigin};
pub use origin_policy::{Cors, OriginPolicy, OriginPolicyBuilder};
pub use sse_request::SseRequest;

pub(crate) use accept::{Form, Negotiated};
