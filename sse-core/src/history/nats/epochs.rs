//! The table of epochs, and when it gets a new row. The comment of the parent module explains why.

use std::sync::PoisonError;

use async_nats::HeaderMap;
use serde_json::json;

use super::{
    super::{HistoryError, HistoryErrorKind, foreign},
    answer::{Failure, parse},
    delivered::Mark,
    inner::Inner,
    known::{Safety, Table},
    link::Ask,
    message::base64,
    settings,
    streams::{Info, NO_MESSAGE, NO_STREAM, RawAnswer},
};

/// The number of attempts to change the table when other processes change it at the same time.
const TRIES: usize = 20;

/// The server's codes for "another message came first".
const WRONG_LAST: [u32; 2] = [10_071, 10_164];

/// A table, and the message that contains it: a new table is stored only if that message is still the newest.
struct Found {
    table: Option<Table>,
    revision: u64,
}

impl Inner {
    /// Looks at the stream and the table; after that, both are known to belong together on this connection: a new
    /// stream, or a new run of its server, has begun a new epoch before anything is appended or read.
    pub(super) async fn look(&self) -> Result<Info, HistoryError> {
        for _ in 0..TRIES {
            let connects = self.link.connects();
            let info = self.info_or_create().await?;
            info.config.check(&self.name)?;
            self.match_safety(&info).await?;
            let server = self.link.server();
            if self.link.connects() != connects {
                // The answer may come from the former server, but the server's name from the new one.
                continue;
            }
            settings::check_version(&server.version)?;
            let run = info.is_led_by(&server.server_name).then_some(server.server_id);
            let found = self.table().await?;
            let begins = match &found.table {
                None if self.known().created.is_empty() || self.known().created == info.created => {
                    Some(info.head() + 1)
                }
                None => Some(1),
                Some(table) if table.created != info.created => Some(1),
                Some(table) if run.is_some() && table.server != run => Some(info.head() + 1),
                Some(_) => None,
            };
            if let Some(begins) = begins {
                let former = found.table.unwrap_or_else(|| self.own_table());
                let mut table = Table { created: info.created.clone(), server: run, ..former };
                table.push(begins);
                if self.store(&table, found.revision).await? {
                    tracing::info!(stream = %self.name, begins, "a new epoch of the history begins");
                    self.adopt(&table);
                }
                // Look again in both cases: the connection may have changed, or another process was first.
                continue;
            }
            if let Some(table) = &found.table {
                self.adopt(table);
            }
            if self.link.connects() == connects {
                self.fenced(connects);
                return Ok(info);
            }
        }
        Err(contended())
    }

    /// Begins a new epoch at `begins`, because the stream no longer contains `lost` there; does nothing if another
    /// process was first.
    pub(super) async fn fork(&self, begins: u64, lost: Mark) -> Result<(), HistoryError> {
        for _ in 0..TRIES {
            let found = self.table().await?;
            let Some(mut table) = found.table else {
                self.look().await?;
                continue;
            };
            self.adopt(&table);
            if self.is_replaced(lost) {
                self.drop_replaced();
                return Ok(());
            }
            table.push(begins);
            if self.store(&table, found.revision).await? {
                tracing::warn!(stream = %self.name, begins, "the stream lost records that were delivered; a new epoch begins");
                self.adopt(&table);
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Returns whether a later epoch begins at or before the record.
    fn is_replaced(&self, mark: Mark) -> bool {
        let epochs = self.known().epochs();
        matches!(epochs.and_then(|epochs| epochs.fork_after(mark.epoch)), Some(Some(fork)) if fork <= mark.seq)
    }

    fn adopt(&self, table: &Table) {
        let is_news = {
            let mut known = self.known();
            let before = known.rows().len();
            known.adopt(table);
            known.rows().len() > before
        };
        if is_news {
            self.drop_replaced();
        }
    }

    fn drop_replaced(&self) {
        let epochs = self.known().epochs();
        if let Some(epochs) = epochs {
            self.delivered().drop_replaced(&epochs);
        }
    }

    /// Returns the table as this process knows it, to be stored where it was lost.
    fn own_table(&self) -> Table {
        let known = self.known();
        let epochs = known.rows().iter().map(|row| (row.epoch.to_string(), row.begins)).collect();
        Table { created: known.created.clone(), server: None, epochs }
    }

    /// Returns the newest table that can be read. If another client has published something else on its subject,
    /// that is skipped, and the next table is stored after it.
    async fn table(&self) -> Result<Found, HistoryError> {
        let call = format!("STREAM.MSG.GET.{}", self.epochs);
        let mut request = json!({ "last_by_subj": self.epochs });
        let mut revision = None;
        loop {
            let answer = match self.link.call::<RawAnswer>(&call, &request).await? {
                Ok(answer) => Some(answer),
                Err(refusal) if refusal.err_code == NO_MESSAGE => None,
                Err(refusal) if refusal.err_code == NO_STREAM => {
                    self.create(&self.epochs, &self.epochs_stream()).await?;
                    continue;
                }
                Err(refusal) => return Err(refusal.into_error()),
            };
            let Some(answer) = answer else {
                return Ok(Found { table: None, revision: revision.unwrap_or(0) });
            };
            let newest = *revision.get_or_insert(answer.message.seq);
            let bytes = base64(&answer.message.data).unwrap_or_default();
            if let Some(table) = Table::read(&bytes) {
                return Ok(Found { table: Some(table), revision: newest });
            }
            foreign::skipped("NATS", 1);
            match answer.message.seq.checked_sub(1).filter(|before| *before > 0) {
                Some(before) => request = json!({ "seq": before }),
                None => return Ok(Found { table: None, revision: newest }),
            }
        }
    }

    /// Returns the settings of the table's stream, which is as safe as the stream of events.
    fn epochs_stream(&self) -> serde_json::Value {
        let safety = self.safety.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Safety { replicas, storage } = safety.unwrap_or_else(|| Safety::of_options(&self.options));
        settings::epochs_stream(&self.epochs, replicas, &storage)
    }

    /// Stores how safe the stream of events is, and raises the safety of the table to that, once for each level
    /// found.
    pub(super) async fn match_safety(&self, info: &Info) -> Result<(), HistoryError> {
        let found =
            Safety { replicas: info.config.num_replicas.max(1), storage: info.config.storage.clone() };
        let is_known = {
            let mut safety = self.safety.lock().unwrap_or_else(PoisonError::into_inner);
            let is_known = safety.as_ref() == Some(&found);
            *safety = Some(found.clone());
            is_known
        };
        if is_known {
            return Ok(());
        }
        let call = format!("STREAM.INFO.{}", self.epochs);
        let Ok(Some(mut config)) = self
            .link
            .call::<serde_json::Value>(&call, &json!({}))
            .await?
            .map(|mut info| info.get_mut("config").map(serde_json::Value::take))
        else {
            return Ok(());
        };
        let replicas = config.get("num_replicas").and_then(serde_json::Value::as_u64).unwrap_or(1);
        if replicas >= found.replicas as u64 {
            return Ok(());
        }
        if let Some(config) = config.as_object_mut() {
            config.insert("num_replicas".to_owned(), found.replicas.into());
        }
        match self.link.call::<serde_json::Value>(&format!("STREAM.UPDATE.{}", self.epochs), &config).await? {
            Ok(_) => {
                tracing::info!(stream = %self.epochs, replicas = found.replicas, "raised the replicas to those of the events")
            }
            Err(refusal) => {
                let error = refusal.into_error();
                tracing::warn!(%error, stream = %self.epochs, "has fewer replicas than the events: without it they cannot be served");
            }
        }
        Ok(())
    }

    /// Stores a table if the one at `revision` is still the newest. Returns whether it did.
    async fn store(&self, table: &Table, revision: u64) -> Result<bool, HistoryError> {
        let payload = serde_json::to_vec(table).map_err(|error| {
            HistoryError::new(HistoryErrorKind::Damaged, "the table of epochs cannot be written")
                .with_source(error)
        })?;
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Last-Subject-Sequence", revision.to_string());
        let ask = Ask { subject: self.epochs.clone(), headers, payload: payload.into() };
        let answer = self.link.ask(ask).await.map_err(Failure::into_unavailable)?;
        match parse::<serde_json::Value>(&answer.payload)? {
            Ok(_) => Ok(true),
            Err(refusal) if WRONG_LAST.contains(&refusal.err_code) => Ok(false),
            Err(refusal) => Err(refusal.into_error()),
        }
    }
}

fn contended() -> HistoryError {
    let message = "too many processes change the table of epochs at once; trying again";
    HistoryError::new(HistoryErrorKind::Unavailable, message)
}
