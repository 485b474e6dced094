//! Code that several tests share.

pub(crate) mod body;
pub(crate) mod calls;
pub(crate) mod cases;
pub(crate) mod fake_history;
pub(crate) mod feed;
pub(crate) mod gunzip;
#[path = "../../../testkit/src/injection_texts.rs"]
pub(crate) mod hostile;
pub(crate) mod reader;
pub(crate) mod reference_decoder;
pub(crate) mod requests;
pub(crate) mod streams;
