use std::{future::Future, pin::Pin, time::Duration};

use super::{Encoding, StreamSummary};
use crate::response::{keep_alive::KeepAlive, source::Source};

pub(in crate::response) type Until = Pin<Box<dyn Future<Output = ()> + Send>>;
pub(in crate::response) type OnEnd = Box<dyn FnOnce(StreamSummary) + Send>;

/// A stream's options, as its builder sets them.
pub(in crate::response) struct Options {
    pub(in crate::response) keep_alive: Option<KeepAlive>,
    pub(in crate::response) until: Vec<Until>,
    pub(in crate::response) max_age: Option<Duration>,
    pub(in crate::response) retry: Duration,
    pub(in crate::response) on_end: Option<OnEnd>,
    /// Whether the application enabled compression, so that `Accept-Encoding` decides.
    pub(in crate::response) varies_by_encoding: bool,
    /// Makes the compressor, if the request accepts it.
    pub(in crate::response) gzip: Option<fn(&mut Source) -> Box<dyn Encoding>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keep_alive: Some(KeepAlive::default()),
            until: Vec::new(),
            max_age: None,
            retry: Duration::from_secs(2),
            on_end: None,
            varies_by_encoding: false,
            gzip: None,
        }
    }
}
