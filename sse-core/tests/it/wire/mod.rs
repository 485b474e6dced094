//! Events, frames and the decoder.

mod decoder_cases;
mod decoder_limits;
mod decoder_parts;
mod encoder_cases;
mod encoder_drafts;
mod encoder_values;
mod round_trip;
mod serde;
