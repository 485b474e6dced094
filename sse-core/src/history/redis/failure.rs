//! Maps Redis errors to what they mean for a caller.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::history::{HistoryError, HistoryErrorKind};

/// Returns whether the connection is unusable: broken, or to a server that is not a primary any more.
pub(super) fn is_broken(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading,
        ) => true,
        ErrorKind::Server(_) => false,
        ErrorKind::Extension => error.code() == Some("UNBLOCKED"),
        _ => true,
    }
}

/// The error of an append: a server that answers with an error has stored nothing.
pub(super) fn appending(error: RedisError) -> HistoryError {
    if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) {
        return refused(error);
    }
    let message = "the connection to Redis broke before it answered; publish again with the same key";
    HistoryError::new(HistoryErrorKind::Uncertain, message).with_source(error)
}

/// The error of a query.
pub(super) fn asking(error: RedisError) -> HistoryError {
    if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) {
        return refused(error);
    }
    HistoryError::new(HistoryErrorKind::Unavailable, "Redis does not answer; try again later")
        .with_source(error)
}

/// The error of a failed connect.
pub(super) fn connecting(error: RedisError) -> HistoryError {
    let (kind, message) = match error.kind() {
        ErrorKind::InvalidClientConfig => (
            HistoryErrorKind::Settings,
            "the URL of Redis is not valid; write redis://[user:password@]host[:port][/db], or rediss:// for TLS",
        ),
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => (
            HistoryErrorKind::Settings,
            "Redis refuses the user or the password in the URL, or what the user may do",
        ),
        // If there are several answers, an error among them has no code of its own.
        _ if ["NOAUTH", "WRONGPASS"].iter().any(|code| error.to_string().contains(code)) => {
            (HistoryErrorKind::Settings, "Redis wants a password; write redis://[user]:password@host")
        }
        ErrorKind::Server(ServerErrorKind::ResponseError) => (
            HistoryErrorKind::Settings,
            "Redis does not know, or does not allow, a command that a history needs",
        ),
        _ => (
            HistoryErrorKind::Unavailable,
            "no connection to Redis; see that it runs and that the URL is right",
        ),
    };
    HistoryError::new(kind, message).with_source(error)
}

fn refused(error: RedisError) -> HistoryError {
    let message = match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly) => {
            "Redis is a replica now; the new primary is being looked for"
        }
        ErrorKind::Server(ServerErrorKind::NoPerm) => "the user in the URL may not do what a history needs",
        ErrorKind::Server(ServerErrorKind::Moved) => {
            "this Redis is a cluster; a history needs a single primary"
        }
        _ if error.code() == Some("OOM") => "Redis has no memory left; raise maxmemory or keep less",
        _ => "Redis refused; nothing was kept",
    };
    HistoryError::new(HistoryErrorKind::Unavailable, message).with_source(error)
}
