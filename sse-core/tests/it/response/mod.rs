//! Responses: streams, fallbacks, compression, mounted routes.

mod compress;
mod compress_model;
mod fallbacks;
mod listen;
mod mount;
mod origins;
mod probes;
mod shutdown;
mod stream;
