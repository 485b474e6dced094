//! Pages of longer prose, and where to find what.
//!
//! Examples use `sse_core::…`. With an adapter, write its name instead: `sse_axum`, `sse_rocket`, `sse_warp` or `sse_poem`.
//!
//! | To | Use | Page |
//! |---|---|---|
//! | add streams to an application: errors, middleware, login, database | | [applications] |
//! | begin where a reader left off | [`Subscribe::request`](crate::Subscribe::request), [`Subscribe::after`](crate::Subscribe::after) | [resume] |
//! | choose where a new reader begins: now, with the newest events, with all of them | [`Subscribe::start`](crate::Subscribe::start), [`Start`](crate::Start) | [resume] |
//! | send the state first and then its changes | [`Subscribe::snapshot`](crate::Subscribe::snapshot) | [applications] |
//! | send only the newest value of each key to slow readers | [`Subscribe::conflate_by`](crate::Subscribe::conflate_by) | [tuning] |
//! | publish each event once, also after an uncertain error | [`Hub::publish`](crate::Hub::publish), [`Publish::key`](crate::Publish::key) | [delivery] |
//! | send something that is not kept, such as the position of a mouse | [`Hub::signal`](crate::Hub::signal) | [delivery] |
//! | stream an answer that goes on when its reader leaves, and ends for all if its task fails | [`Hub::start_run`](crate::Hub::start_run), [`Run`](crate::Run) | [runs] |
//! | end a topic for good | [`Hub::finish`](crate::Hub::finish) | [resume] |
//! | answer 404 for a topic that does not exist | [`Subscribe::existing`](crate::Subscribe::existing) | [runs] |
//! | decide who reads what, event by event too | [`Subscribe::filter`](crate::Subscribe::filter), [`Access`](crate::mount::Access), [`Permit`](crate::mount::Permit) | [security] |
//! | end a permission at a time, or at once | [`Subscribe::lease`](crate::Subscribe::lease), [`Lease`](crate::Lease) | [applications] |
//! | end the readers of a user at logout | [`Hub::disconnect`](crate::Hub::disconnect), [`ReaderHandle::close`](crate::ReaderHandle::close) | [applications] |
//! | limit readers per user or address, or in all | [`Subscribe::limit`](crate::Subscribe::limit), [`HubBuilder::max_readers`](crate::HubBuilder::max_readers) | [security] |
//! | allow one reader at a time | [`Subscribe::exclusive`](crate::Subscribe::exclusive) | [security] |
//! | list readers, and change what they read | [`Hub::readers`](crate::Hub::readers), [`ReaderHandle`](crate::ReaderHandle) | |
//! | allow pages of other origins | [`OriginPolicy`](crate::origin::OriginPolicy) | [security] |
//! | answer clients that cannot read streams | feature `fallbacks` | [fallbacks] |
//! | read streams in a page, with headers, in many tabs, behind any proxy | `ResumableSource`, [`browser`](crate::browser) | [browser](mod@browser) |
//! | keep events over a restart, or share them among processes | [`Hub::open`](crate::Hub::open), features `file`, `redis`, `nats`, `postgres` | [scaling] |
//! | publish an event if and only if a database transaction commits | [`Event::outbox`](crate::Event::outbox), feature `postgres` | [postgres](mod@postgres) |
//! | end all streams when the process does | [`Shutdown`](crate::Shutdown) | [shutdown] |
//! | put a proxy in front | | [proxies] |
//! | see what goes on | [`Hub::stats`](crate::Hub::stats), feature `metrics` | [operating] |
//! | make it cheaper, or compress it | [`listen`](crate::listen()), feature `compress` | [tuning] |
//! | read streams | [`messages()`](crate::decode::messages()), feature `client` | [client] |
//! | test streams | feature `test` | [testing] |
//! | move from another library | | [migration], [comparison] |
//! | know what is guaranteed | | [promises] |

#[doc = include_str!("docs/applications.md")]
pub mod applications {}

#[doc = include_str!("docs/resume.md")]
pub mod resume {}

#[doc = include_str!("docs/delivery.md")]
pub mod delivery {}

#[doc = include_str!("docs/fallbacks.md")]
pub mod fallbacks {}

#[doc = include_str!("docs/browser.md")]
pub mod browser {}

#[doc = include_str!("docs/runs.md")]
pub mod runs {}

#[doc = include_str!("docs/errors.md")]
pub mod errors {}

#[doc = include_str!("docs/shutdown.md")]
pub mod shutdown {}

#[doc = include_str!("docs/proxies.md")]
pub mod proxies {}

#[doc = include_str!("docs/security.md")]
pub mod security {}

#[doc = include_str!("docs/tuning.md")]
pub mod tuning {}

#[doc = include_str!("docs/scaling.md")]
pub mod scaling {}

#[cfg_attr(
    not(feature = "postgres"),
    allow(rustdoc::broken_intra_doc_links, reason = "it links to what the feature adds")
)]
#[doc = include_str!("docs/postgres.md")]
pub mod postgres {}

#[doc = include_str!("docs/client.md")]
pub mod client {}

#[cfg_attr(
    not(feature = "test"),
    allow(rustdoc::broken_intra_doc_links, reason = "it links to what the feature adds")
)]
#[doc = include_str!("docs/testing.md")]
pub mod testing {}

#[doc = include_str!("docs/operating.md")]
pub mod operating {}

#[doc = include_str!("docs/migration.md")]
pub mod migration {}

#[doc = include_str!("docs/comparison.md")]
pub mod comparison {}

#[doc = include_str!("docs/promises.md")]
pub mod promises {}
