//! Signals: notifications that carry an event.

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_postgres::types::Type;

use super::{call::call, connect::Session, payload, shared::Shared};
use crate::history::{Entry, HistoryError, HistoryErrorKind, SignalReceipt, TailEvent, tail::TailEvents};

/// The maximum length of a notification in bytes.
const MAX_LEN: usize = 7_999;

/// Sends a signal, and returns the number of processes that listen.
pub(super) async fn send(
    shared: &Shared,
    session: &Session,
    entry: &Entry,
) -> Result<SignalReceipt, HistoryError> {
    let payload = payload::encode(entry);
    if payload.len() > MAX_LEN {
        let len = payload.len();
        let message = format!(
            "a signal of {len} bytes; PostgreSQL sends at most {MAX_LEN}: shorten it, or publish it as an event"
        );
        return Err(HistoryError::new(HistoryErrorKind::Unavailable, message));
    }
    let sql = shared.schema.sql("select {sse}.send_signal($1)");
    let rows = call(&session.reader, &sql, &[(&payload, Type::TEXT)]).await;
    let rows = rows.map_err(|failure| shared.failed(session, failure))?;
    let processes = rows.first().and_then(|row| row.try_get::<_, i64>(0).ok());
    let hears = session.hears.load(std::sync::atomic::Ordering::Relaxed);
    let processes = processes.filter(|_| hears).and_then(|count| u64::try_from(count).ok());
    Ok(SignalReceipt { processes })
}

/// Passes signals on to a tail, until it is dropped.
pub(super) async fn follow(mut signals: Receiver<Entry>, changes: TailEvents) {
    loop {
        match signals.recv().await {
            Ok(entry) => {
                if changes.send(Ok(TailEvent::Signal(entry))).await.is_err() {
                    return;
                }
            }
            // Signals may be lost.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
