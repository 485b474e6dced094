//! Calls of the schema's functions. Statements have no names, so that they also work through a pooler.

use tokio_postgres::{
    Client, Row,
    types::{ToSql, Type},
};

use super::{connect::in_time, failure::Failure};
use crate::resume::{Cursor, Epoch};

/// A parameter with its type.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Returns the rows of a statement, within the time limit for an answer.
pub(super) async fn call(client: &Client, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Failure> {
    in_time(client.query_typed(sql, params)).await
}

/// The first parameters of every function that may begin an epoch: a fresh one, and the newest position that this
/// process has seen.
pub(super) struct Seen {
    fresh: i64,
    epoch: Option<i64>,
    seq: Option<i64>,
}

impl Seen {
    pub(super) fn new(newest: Option<Cursor>) -> Self {
        let fresh = fastrand::i64(..);
        let epoch = newest.map(|newest| newest.epoch().to_bits().cast_signed());
        Self { fresh, epoch, seq: newest.map(|newest| position(newest.seq())) }
    }

    pub(super) fn params(&self) -> [Param<'_>; 3] {
        [(&self.fresh, Type::INT8), (&self.epoch, Type::INT8), (&self.seq, Type::INT8)]
    }
}

/// Returns a position as PostgreSQL stores it.
pub(super) fn position(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Returns a stored position.
pub(super) fn seq(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

/// Returns a stored epoch.
pub(super) fn epoch(bits: i64) -> Epoch {
    Epoch::from_bits(bits.cast_unsigned())
}

/// Returns the column of a row.
pub(super) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    index: usize,
) -> Result<T, Failure> {
    row.try_get(index).map_err(Failure::Postgres)
}
