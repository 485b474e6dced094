//! The settings of the server without which the promises cannot be kept, and the schema.

use std::time::Duration;

use tokio_postgres::{Client, types::Type};

use super::{
    call::{call, column},
    failure::Failure,
    schema::{Schema, VERSION},
};
use crate::history::{HistoryError, HistoryErrorKind};

/// The oldest version that has everything that the schema uses.
const OLDEST_VERSION: i32 = 140_000;

/// The time limit for an installation, which may wait for those of other processes.
const INSTALL: Duration = Duration::from_secs(30);

const SETTINGS: &str = "select pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
    pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_encoding'),
    pg_catalog.current_setting('fsync'), pg_catalog.current_setting('default_transaction_isolation'),
    pg_catalog.current_setting('transaction_read_only')";

/// Reads the server's settings, and names each one that is wrong.
pub(super) async fn check(client: &Client) -> Result<(), HistoryError> {
    let rows = call(client, SETTINGS, &[]).await.map_err(Failure::connecting)?;
    let mut wrong = Vec::new();
    for row in &rows {
        let number: i32 = column(row, 0).map_err(Failure::connecting)?;
        let text = |index| column::<String>(row, index).map_err(Failure::connecting);
        if number < OLDEST_VERSION {
            wrong.push(format!("the version is {}, and 14 or newer is needed", text(1)?));
        }
        if text(2)? != "UTF8" {
            wrong
                .push(format!("server_encoding is {}; create the database with `encoding 'UTF8'`", text(2)?));
        }
        if text(3)? != "on" {
            wrong.push(
                "fsync is off, so a power failure destroys the database without notice; set it to on"
                    .to_owned(),
            );
        }
        if text(4)? != "read committed" {
            wrong.push(format!(
                "default_transaction_isolation is {:?} for this role, and numbering needs `read committed`; give the \
                 hub a role of its own, or `alter role .. set default_transaction_isolation = 'read committed'`",
                text(4)?
            ));
        }
        if text(5)? != "off" {
            wrong.push(
                "sessions of this role are read-only; set default_transaction_read_only to off for it"
                    .to_owned(),
            );
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!("PostgreSQL cannot keep it as it is set up: {}", wrong.join("; "));
    Err(HistoryError::new(HistoryErrorKind::Settings, message))
}

/// Installs the schema if it is missing or older, and if this role may do so.
pub(super) async fn install(client: &Client, schema: &Schema, may: bool) -> Result<(), HistoryError> {
    let installed = version(client, schema).await.map_err(|failure| refused(failure, schema))?;
    match installed {
        Some(VERSION) => Ok(()),
        Some(newer) if newer > VERSION => {
            let message = format!(
                "the schema {schema:?} has version {newer}, and this process knows {VERSION}; deploy the newer \
                 release of this crate"
            );
            Err(HistoryError::new(HistoryErrorKind::Settings, message))
        }
        _ if may => {
            let script = format!("begin; {} commit", schema.script());
            let done = tokio::time::timeout(INSTALL, client.batch_execute(&script)).await;
            let done = done.map_or(Err(Failure::Slow), |done| done.map_err(Failure::Postgres));
            done.map_err(|failure| refused(failure, schema))
        }
        _ => Err(missing(schema)),
    }
}

/// Returns the installed version.
async fn version(client: &Client, schema: &Schema) -> Result<Option<i32>, Failure> {
    const EXISTS: &str = "select pg_catalog.to_regclass($1) is not null";
    let table = format!("{}.state", schema.name);
    let rows = call(client, EXISTS, &[(&table, Type::TEXT)]).await?;
    let exists = rows.first().map(|row| column::<bool>(row, 0)).transpose()?.unwrap_or(false);
    if !exists {
        return Ok(None);
    }
    let rows = call(client, &schema.sql("select {sse}.version()"), &[]).await?;
    rows.first().map_or(Ok(None), |row| column::<Option<i32>>(row, 0))
}

fn refused(failure: Failure, schema: &Schema) -> HistoryError {
    use tokio_postgres::error::SqlState;
    let code = match &failure {
        Failure::Postgres(error) => error.code().cloned(),
        _ => None,
    };
    match code {
        Some(SqlState::INSUFFICIENT_PRIVILEGE) => missing(schema).with_source(failure),
        Some(SqlState::SYNTAX_ERROR) => {
            let message = format!("{:?} is a reserved word of SQL; choose another name", schema.name);
            HistoryError::new(HistoryErrorKind::Settings, message).with_source(failure)
        }
        _ => failure.connecting(),
    }
}

fn missing(schema: &Schema) -> HistoryError {
    let message = format!(
        "the schema {schema:?} is missing, older, or not granted to this role, which may not install it: run the script \
         of `PostgresHistory::schema` as its owner, then `grant usage on schema {0} to ROLE; grant execute on all \
         functions in schema {0} to ROLE`",
        schema.name
    );
    HistoryError::new(HistoryErrorKind::Settings, message)
}
