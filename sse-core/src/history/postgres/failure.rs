//! Maps PostgreSQL's errors to what they mean for a caller.

use std::{error, fmt, io};

use tokio_postgres::{
    Error,
    error::{Severity, SqlState},
};

use crate::history::{HistoryError, HistoryErrorKind};

/// The reason why something was not answered.
#[derive(Debug)]
pub(super) enum Failure {
    Postgres(Error),
    /// No answer within the time limit.
    Slow,
    /// The connections reached different servers.
    OtherServer,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(error) => match error.as_db_error() {
                Some(answer) => write!(f, "{} ({})", answer.message(), answer.code().code()),
                None => {
                    write!(f, "{error}")?;
                    error::Error::source(error).map_or(Ok(()), |source| write!(f, ": {source}"))
                }
            },
            Self::Slow => f.write_str("no answer in time"),
            Self::OtherServer => f.write_str("the connections reached different servers"),
        }
    }
}

impl error::Error for Failure {}

impl Failure {
    /// Returns the error code, if the server has rejected the statement and the connection goes on.
    fn rejected(&self) -> Option<&SqlState> {
        let Self::Postgres(error) = self else { return None };
        let answer = error.as_db_error()?;
        // What ends the connection may have come after a commit.
        let is_final = matches!(answer.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        (!is_final).then(|| answer.code())
    }

    /// Returns whether the connections are unusable: broken, or to a server that accepts no writes.
    pub(super) fn is_broken(&self) -> bool {
        self.rejected().is_none_or(|code| *code == SqlState::READ_ONLY_SQL_TRANSACTION)
    }

    /// Returns whether the server has shown a certificate that is not trusted.
    fn is_untrusted(&self) -> bool {
        let Self::Postgres(error) = self else { return false };
        let source = error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        let reason = source.and_then(io::Error::get_ref).and_then(|reason| reason.downcast_ref());
        matches!(reason, Some(rustls::Error::InvalidCertificate(_)))
    }

    /// Returns the error of an append: a server that rejects has stored nothing.
    pub(super) fn appending(self) -> HistoryError {
        if self.rejected().is_some() {
            return self.asking();
        }
        let message =
            "the connection to PostgreSQL broke before it answered; publish again with the same key";
        HistoryError::new(HistoryErrorKind::Uncertain, message).with_source(self)
    }

    /// Returns the error of a query.
    pub(super) fn asking(self) -> HistoryError {
        let (kind, message) = match self.rejected() {
            None => (HistoryErrorKind::Unavailable, "PostgreSQL does not answer; try again later"),
            Some(code) => rejected(code),
        };
        HistoryError::new(kind, message).with_source(self)
    }

    /// Returns the error of a failed connect.
    pub(super) fn connecting(self) -> HistoryError {
        let code = match &self {
            Self::Postgres(error) => error.code().cloned(),
            _ => None,
        };
        let (kind, message) = match code {
            Some(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => (
                HistoryErrorKind::Settings,
                "PostgreSQL refuses the user, the password or the way of connecting; correct the URL, with \
                 `sslmode=require` if the server wants encryption",
            ),
            Some(SqlState::INVALID_CATALOG_NAME) => {
                (HistoryErrorKind::Settings, "the database in the URL does not exist; create it")
            }
            _ if self.is_untrusted() => (
                HistoryErrorKind::Settings,
                "the certificate of PostgreSQL is not trusted; add its root with `root_certificates`, and write the host \
                 name of the certificate into the URL",
            ),
            _ => (
                HistoryErrorKind::Unavailable,
                "no connection to a PostgreSQL that accepts writes; check that it runs and that the URL is right",
            ),
        };
        HistoryError::new(kind, message).with_source(self)
    }
}

/// Returns what an error code means, if the server has stored nothing.
fn rejected(code: &SqlState) -> (HistoryErrorKind, &'static str) {
    match *code {
        SqlState::READ_ONLY_SQL_TRANSACTION => (
            HistoryErrorKind::Unavailable,
            "PostgreSQL accepts no writes now; a server that does is being looked for",
        ),
        SqlState::INSUFFICIENT_PRIVILEGE => (
            HistoryErrorKind::Unavailable,
            "the role in the URL may not do what a history needs; grant it usage on the schema and execute on all its \
             functions",
        ),
        SqlState::INVALID_SCHEMA_NAME | SqlState::UNDEFINED_FUNCTION | SqlState::UNDEFINED_TABLE => (
            HistoryErrorKind::Unavailable,
            "the schema is missing or incomplete; run the script of `PostgresHistory::schema`, or start this process \
             again",
        ),
        SqlState::DATA_CORRUPTED | SqlState::NO_DATA_FOUND | SqlState::UNIQUE_VIOLATION => (
            HistoryErrorKind::Damaged,
            "its tables hold something that was not written by it; rename the schema, and open it again: readers get \
             a gap notice, not a silent loss",
        ),
        SqlState::DISK_FULL | SqlState::OUT_OF_MEMORY => {
            (HistoryErrorKind::Unavailable, "PostgreSQL has no space left, and nothing was stored")
        }
        _ => (HistoryErrorKind::Unavailable, "PostgreSQL refused, and nothing was stored"),
    }
}

/// Returns the error of a URL that cannot be parsed.
pub(super) fn url(error: Error) -> HistoryError {
    let message =
        "the URL of PostgreSQL is not valid; write postgres://[user[:password]@]host[:port]/database";
    HistoryError::new(HistoryErrorKind::Settings, message).with_source(Failure::Postgres(error))
}
