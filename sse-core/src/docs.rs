//! Pages of longer prose: how to operate what this crate does.

#[doc = include_str!("docs/resume.md")]
pub mod resume {}

#[doc = include_str!("docs/delivery.md")]
pub mod delivery {}

#[doc = include_str!("docs/fallbacks.md")]
pub mod fallbacks {}

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

#[cfg(feature = "client")]
#[doc = include_str!("docs/client.md")]
pub mod client {}

#[cfg(feature = "test")]
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
