//! The settings of the server without which the promises cannot be kept.

use std::time::Duration;

use redis::{Cmd, RedisResult, aio::MultiplexedConnection};

use super::names::Names;
use crate::history::{HistoryError, HistoryErrorKind, Retention};

/// The options with which the history was opened.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) names: Names,
    pub(super) retention: Retention,
    pub(super) key_memory: Duration,
}

/// The oldest version that can trim by position.
const OLDEST_VERSION: (u32, u32) = (6, 2);

/// Reads the server's settings, and names each one that is wrong.
pub(super) async fn check(
    connection: &mut MultiplexedConnection,
    names: &Names,
) -> RedisResult<Option<HistoryError>> {
    let mut wrong = Vec::new();
    let info: String = Cmd::new().arg("INFO").query_async(connection).await?;
    let value = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .unwrap_or_default()
    };
    let version = value("redis_version");
    if parsed(version).is_none_or(|version| version < OLDEST_VERSION) {
        let (major, minor) = OLDEST_VERSION;
        wrong.push(format!("redis_version is {version:?}, and {major}.{minor} or newer is needed"));
    }
    let replid = value("master_replid");
    if replid.len() != 40 || !replid.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        wrong.push(
            "`INFO replication` does not show master_replid, without which a failover cannot be noticed; use a server \
             that shows it"
                .to_owned(),
        );
    }
    let policy = value("maxmemory_policy");
    if policy != "noeviction" {
        wrong.push(format!(
            "maxmemory-policy is {policy:?}, so Redis may drop the history; set it to noeviction"
        ));
    }
    if value("cluster_enabled") == "1" {
        wrong.push("cluster-enabled is yes; use a single primary, with replicas if wanted".to_owned());
    }
    for (key, wanted) in names.types() {
        let found: String = Cmd::new().arg("TYPE").arg(key).query_async(connection).await?;
        if found != wanted && found != "none" {
            wrong.push(format!("the key {key:?} holds a {found} of something else; choose another name"));
        }
    }
    let message = format!("Redis cannot keep it as it is set up: {}", wrong.join("; "));
    Ok((!wrong.is_empty()).then(|| HistoryError::new(HistoryErrorKind::Settings, message)))
}

fn parsed(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{OLDEST_VERSION, parsed};

    #[test]
    fn versions_are_compared_by_number() {
        assert!(parsed("7.0.15").is_some_and(|version| version >= OLDEST_VERSION));
        assert!(parsed("10.0.0").is_some_and(|version| version >= OLDEST_VERSION));
        assert!(parsed("6.0.20").is_some_and(|version| version < OLDEST_VERSION));
        assert_eq!(parsed("unstable"), None);
    }
}
