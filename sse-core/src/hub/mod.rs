//! The hub: fan-out of events to readers, from a window of recent frames over an optional history.

mod builder;
mod control_events;
mod end;
mod existing;
mod feeds;
#[allow(clippy::module_inception)] // The folder's main type.
mod hub;
mod options;
mod publish;
mod readers;
mod replay_limits;
mod shared;
mod stats;
mod subscribe;
mod subscription;
mod sweep;
mod window;

#[cfg(test)]
mod tests;

pub use builder::HubBuilder;
pub use end::EndReason;
pub use hub::Hub;
pub use options::admission::Exclusive;
pub use options::event_view::EventView;
pub use options::lease::Lease;
pub use options::snapshot::{Snapshot, SnapshotRequest};
pub use options::start::Start;
pub use publish::publish::{Publish, PublishError, Receipt};
pub use publish::publisher::Publisher;
pub use publish::run::Run;
pub use publish::run_error::RunError;
pub use stats::Stats;
pub use subscribe::subscribe::Subscribe;
pub use subscribe::subscribe_error::SubscribeError;
pub use subscription::handle::ReaderHandle;
pub use subscription::subscription::Subscription;

pub(crate) use control_events::{gap_json, json_string};
pub(crate) use feeds::chunk::Chunk;
pub(crate) use subscription::poll::MOST;
