//! Hidden macros that define each adapter's local types in the same way.
//!
//! The orphan rule requires `Sse`, `SseRequest`, `LastEventId`, `Error` and `Mount` to be local to each adapter; the
//! macros keep their names, methods and documentation equal.

mod error;
mod mount;
mod preflight;
mod request;
mod sse;
