use std::{convert::Infallible, sync::Arc};

use sse_core::{Cursor, Event, Hub, Receipt, Snapshot, error::PublishError};
use tokio::sync::Mutex;

/// The topic of the changes.
const TOPIC: &str = "sum";

/// A state with changes: a sum, and the position of the last change.
#[derive(Debug, Clone, Default)]
pub(crate) struct CounterState(Arc<Mutex<(u64, Option<Cursor>)>>);

impl CounterState {
    /// Adds a number and publishes it, as one step from the view of a reader that loads the sum.
    pub(crate) async fn add(&self, hub: &Hub, number: u64) -> Result<Receipt, PublishError> {
        let (sum, at) = &mut *self.0.lock().await;
        let receipt = hub.publish(TOPIC, Event::message(number.to_string())).await?;
        (*sum, *at) = (*sum + number, Some(receipt.cursor));
        Ok(receipt)
    }

    /// The sum as an event of type `state`, and its position.
    pub(crate) async fn load(self) -> Result<Snapshot, Infallible> {
        let (sum, at) = *self.0.lock().await;
        Ok(Snapshot::from(Event::message(sum.to_string()).event("state")).at(at))
    }
}
