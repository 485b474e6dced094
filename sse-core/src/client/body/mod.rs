//! The bytes of a response's body, decompressed where they are compressed.

#[cfg(feature = "gzip")]
mod decompress;
pub(in crate::client) mod encoding;
