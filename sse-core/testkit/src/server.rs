use std::{net::SocketAddr, time::Duration};

use sse_core::{
    Event, Hub, Lease, Receipt, Shutdown, StreamSummary, channel::SendError, error::PublishError,
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use crate::{App, Context, Exchange, Failed, Outcome, Request, Settings};

/// One application, which serves for the duration of a case.
#[derive(Debug)]
pub struct Server {
    /// The hub of the application.
    pub hub: Hub,
    /// The handle that shuts the application down.
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
    /// If it does not report its address in time.
    pub async fn start(app: &dyn App, settings: Settings) -> Outcome<Self> {
        let (context, reports) = Context::new(settings);
        let (hub, shutdown) = (context.hub.clone(), context.shutdown.clone());
        let task = tokio::spawn(app.serve(context.clone()));
        let patience = app.patience();
        let address = timeout(patience, reports.listens).await??;
        let (ended, left) = (reports.ended, reports.left);
        Ok(Self { hub, shutdown, context, address, patience, ended, left, task })
    }

    /// The address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The lease of a tenant of the mounted routes, or of a principal.
    #[must_use]
    pub fn lease(&self, tenant: &str) -> Lease {
        self.context.lease(tenant)
    }

    /// Sends a request on a connection of its own and waits for the response head.
    ///
    /// # Errors
    /// If there is no response.
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

    /// Opens a stream: its first line has arrived, so every event published from now on reaches it.
    ///
    /// # Errors
    /// If the response is not 200.
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
    /// The error of the hub.
    pub async fn publish(&self, topic: &str, data: &str) -> Result<Receipt, PublishError> {
        self.hub.publish(topic, Event::message(data)).await
    }

    /// Publishes a text to a topic, under a principal's own label.
    ///
    /// # Errors
    /// The error of the hub.
    pub async fn publish_of(
        &self,
        principal: &str,
        topic: &str,
        data: &str,
    ) -> Result<Receipt, PublishError> {
        self.hub.publish([topic, principal], Event::message(data)).await
    }

    /// Adds a number to the sum, and returns the id.
    ///
    /// # Errors
    /// The error of the hub.
    pub async fn add(&self, number: u64) -> Result<String, PublishError> {
        Ok(self.context.sum.add(&self.hub, number).await?.cursor.to_string())
    }

    /// Lets the producers of runs send `words` more words.
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

    /// The error that the sender of a channel got when its reader had left.
    ///
    /// # Errors
    /// If there is none within `limit`.
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
    /// If it does not hold in time; the message names the condition.
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
