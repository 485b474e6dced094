//! The client: reads any endpoint of server-sent events as browsers do or better.
//!
//! [`EventSource`], at the crate's root, is the way in; it needs the feature `client`, as all of
//! this module does. Programs that do their own I/O use [`decode`](crate::decode) instead.

// Depends on `wire`, and on `resume` for gaps. `machine` is the state machine without I/O or clock; `driver` combines
// it with a `Transport`.

#[cfg(feature = "client")]
mod backoff;
#[cfg(feature = "client")]
mod body;
#[cfg(feature = "client")]
mod builder;
#[cfg(feature = "client")]
mod disconnect;
#[cfg(feature = "client")]
mod driver;
#[cfg(feature = "client")]
mod error;
#[cfg(feature = "client")]
mod event;
#[cfg(feature = "client")]
pub(crate) mod event_source;
#[cfg(feature = "client")]
mod headers;
#[cfg(feature = "client")]
mod hyper;
#[cfg(feature = "client")]
mod interrupt;
#[cfg(feature = "client")]
mod location;
#[cfg(feature = "client")]
mod machine;
#[cfg(feature = "client")]
mod policy;
#[cfg(feature = "client")]
mod target;
#[cfg(all(feature = "client", test))]
mod tests;
#[cfg(feature = "client")]
mod transport;

#[cfg(feature = "client")]
pub use {
    self::hyper::{
        proxies::{InvalidProxy, Proxies},
        transport::{HyperBody, HyperTransport, InvalidCertificate},
    },
    backoff::Backoff,
    builder::EventSourceBuilder,
    disconnect::{Disconnect, InvalidRedirect, UnexpectedResponse},
    error::{ClientError, InvalidRequest},
    event::{ClientEvent, OpenedResponse},
    event_source::{ConsumeError, Events},
    interrupt::Interrupt,
    policy::{Attempts, Redirects, Verdict},
    transport::{PermanentError, Transport},
};

#[cfg(feature = "client")]
pub(crate) use event_source::EventSource;
