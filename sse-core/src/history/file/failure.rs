//! Maps the storage engine's errors to what they mean for a caller.

use redb::{DatabaseError, StorageError};

use crate::history::{HistoryError, HistoryErrorKind};

/// The error if the file's contents are not valid.
pub(super) fn damaged(what: &str) -> HistoryError {
    let message = format!(
        "the file is damaged: {what}; move it away and keep it, then restore a copy or begin a new one: readers get a \
         gap notice, not a silent loss"
    );
    HistoryError::new(HistoryErrorKind::Damaged, message)
}

/// The error if the file cannot be opened.
pub(super) fn open(error: DatabaseError) -> HistoryError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => HistoryError::new(
            HistoryErrorKind::Unavailable,
            "the file is open already, in another process or in this one; one process at a time can have it: share \
             clones of one `FileHistory`, or use Redis or NATS for several processes",
        ),
        DatabaseError::UpgradeRequired(_) => damaged("it was written by another version").with_source(error),
        error => failed("open the file", error),
    }
}

/// The error if reading or writing failed before anything was committed.
pub(super) fn failed(what: &str, error: impl Into<redb::Error>) -> HistoryError {
    let error = error.into();
    match &error {
        redb::Error::Corrupted(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::RepairAborted
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. } => {
            damaged("its pages do not fit together").with_source(error)
        }
        redb::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => {
            damaged("it is not a history").with_source(error)
        }
        _ => {
            let message = format!("cannot {what}; see to the disk, then open the file again");
            HistoryError::new(HistoryErrorKind::Unavailable, message).with_source(error)
        }
    }
}

/// For `map_err` on the storage engine's own errors while reading.
pub(super) fn reading(error: impl Into<redb::Error>) -> HistoryError {
    failed("read the file", error)
}

/// For `map_err` on the storage engine's own errors while writing.
pub(super) fn writing(error: impl Into<redb::Error>) -> HistoryError {
    failed("write the file", error)
}

/// As `writing`, for the errors of single operations.
pub(super) fn storing(error: StorageError) -> HistoryError {
    writing(error)
}

/// Another file is at the path of the open one.
pub(super) fn replaced() -> HistoryError {
    let message = "the file was moved away, removed or replaced while it was open; open the file again";
    HistoryError::new(HistoryErrorKind::Unavailable, message)
}

/// The error of an append after a failed write.
pub(super) fn stopped(cause: &HistoryError) -> HistoryError {
    let message =
        "an earlier write failed, so nothing more is appended; drop this history and open the file again";
    HistoryError::new(HistoryErrorKind::Unavailable, message).with_source(cause.clone())
}
