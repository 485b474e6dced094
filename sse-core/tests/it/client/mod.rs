//! The client.

mod cases;
mod event_source;
