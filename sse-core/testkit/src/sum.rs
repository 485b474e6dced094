use std::{convert::Infallible, sync::Arc};

use sse_core::{Cursor, Event, Hub, PublishError, Receipt, Snapshot};
use tokio::sync::Mutex;

/// Where what is added is published.
const TOPIC: &str = "sum";

/// A state with changes: a number that others are added to, and the place of the last one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum(Arc<Mutex<(u64, Option<Cursor>)>>);

impl Sum {
    /// Adds a number and publishes it, as one step for those who load the sum.
    pub(crate) async fn add(&self, hub: &Hub, number: u64) -> Result<Receipt, PublishError> {
        let (sum, at) = &mut *self.0.lock().await;
        let receipt = hub.publish(TOPIC, Event::message(number.to_string())).await?;
        (*sum, *at) = (*sum + number, Some(receipt.cursor));
        Ok(receipt)
    }

    /// The sum as an event of type `state`, and its place.
    pub(crate) async fn load(self) -> Result<Snapshot, Infallible> {
        let (sum, at) = *self.0.lock().await;
        Ok(Snapshot::from(Event::message(sum.to_string()).event("state")).at(at))
    }
}
