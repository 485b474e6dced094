use std::time::Duration;

use super::{
    KeepAlive,
    endings::{OnEnd, Until},
};

/// A stream's options, as its builder sets them.
pub(crate) struct Options {
    pub(crate) keep_alive: Option<KeepAlive>,
    pub(crate) until: Vec<Until>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) retry: Duration,
    pub(crate) on_end: Option<OnEnd>,
    /// The request's accepted encodings, if the application enabled compression.
    #[cfg(feature = "compress")]
    pub(crate) compress: Option<crate::AcceptEncoding>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keep_alive: Some(KeepAlive::default()),
            until: Vec::new(),
            max_age: None,
            retry: Duration::from_secs(2),
            on_end: None,
            #[cfg(feature = "compress")]
            compress: None,
        }
    }
}
