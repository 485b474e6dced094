use std::{net::SocketAddr, time::Duration};

use sse_core::{Event, Hub, Lease, PublishError, Receipt, SendError, Shutdown, StreamSummary};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use crate::{App, Context, Exchange, Failed, Outcome, Request, Settings};

/// One application, serving for the length of a case.
#[derive(Debug)]
pub struct Server {
    /// The hub behind it.
    pub hub: Hub,
    /// What ends it.
    pub shutdown: Shutdown,
    context: Context,
    address: SocketAddr,
    patience: Duration,
    ended: mpsc::UnboundedReceiver<StreamSummary>,
    left: mpsc::UnboundedReceiver<SendError>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts the application and waits until it listens.
    ///
    /// # Errors
    /// If it does not say in time where it listens.
    pub async fn start(app: &dyn App, settings: Settings) -> Outcome<Self> {
        let (context, reports) = Context::new(settings);
        let (hub, shutdown) = (context.hub.clone(), context.shutdown.clone());
        let task = tokio::spawn(app.serve(context.clone()));
        let patience = app.patience();
        let address = timeout(patience, reports.listens).await??;
        let (ended, left) = (reports.ended, reports.left);
        Ok(Self { hub, shutdown, context, address, patience, ended, left, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The lease under which a tenant of the mounted routes, or a principal, reads.
    #[must_use]
    pub fn lease(&self, tenant: &str) -> Lease {
        self.context.lease(tenant)
    }

    /// Sends a request on a connection of its own and waits for the answer's head.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&self, request: Request) -> Outcome<Exchange> {
        Exchange::send(self.address, request, self.patience).await
    }

    /// Sends a GET.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn get(&self, target: &str) -> Outcome<Exchange> {
        self.send(Request::get(target)).await
    }

    /// Opens a stream: its first line has arrived, so whatever is published from now on reaches it.
    ///
    /// # Errors
    /// If the answer is not 200.
    pub async fn stream(&self, request: Request) -> Outcome<Exchange> {
        let mut exchange = self.send(request).await?;
        if exchange.status() != 200 {
            return Err(Failed::new(format!("{} instead of 200", exchange.head())));
        }
        exchange.until_text("retry: ").await?;
        Ok(exchange)
    }

    /// Publishes a text to a topic.
    ///
    /// # Errors
    /// What the hub says.
    pub async fn publish(&self, topic: &str, data: &str) -> Result<Receipt, PublishError> {
        self.hub.publish(topic, Event::message(data)).await
    }

    /// Publishes a text to a topic, under a principal's own label.
    ///
    /// # Errors
    /// What the hub says.
    pub async fn publish_of(
        &self,
        principal: &str,
        topic: &str,
        data: &str,
    ) -> Result<Receipt, PublishError> {
        self.hub.publish([topic, principal], Event::message(data)).await
    }

    /// Adds a number to the sum, and says under which id.
    ///
    /// # Errors
    /// What the hub says.
    pub async fn add(&self, number: u64) -> Result<String, PublishError> {
        Ok(self.context.sum.add(&self.hub, number).await?.cursor.to_string())
    }

    /// Lets the producers of runs say so many more words.
    pub fn let_work(&self, words: usize) {
        self.context.pace.allow(words);
    }

    /// How the next stream to end has ended.
    ///
    /// # Errors
    /// If none ends in time.
    pub async fn ended(&mut self) -> Outcome<StreamSummary> {
        let ended = timeout(self.patience, self.ended.recv()).await;
        ended.ok().flatten().ok_or_else(|| Failed::new("no stream's hook said that it has ended"))
    }

    /// What the sender of a channel was told when its reader had left.
    ///
    /// # Errors
    /// If it is not told within `limit`.
    pub async fn left(&mut self, limit: Duration) -> Outcome<SendError> {
        let left = timeout(limit, self.left.recv()).await;
        left.ok().flatten().ok_or_else(|| Failed::new("the sender was not told that its reader has left"))
    }

    /// Waits until the server has stopped by itself.
    ///
    /// # Errors
    /// If it has not within `limit`.
    pub async fn stopped(&mut self, limit: Duration) -> Outcome {
        timeout(limit, &mut self.task).await.map_err(|_| Failed::new("the server does not stop"))??;
        Ok(())
    }

    /// Waits until `condition` holds.
    ///
    /// # Errors
    /// If it does not in time; the message says what was waited for.
    pub async fn wait_for(&self, what: &str, condition: impl Fn(&Hub) -> bool) -> Outcome {
        let waited = timeout(self.patience, async {
            while !condition(&self.hub) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.map_err(|_| Failed::new(format!("waited in vain: {what}; {:?}", self.hub.stats())))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
