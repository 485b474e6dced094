use std::{net::SocketAddr, time::Duration};

use axum::{Router, extract::State, routing::get};
use sse_axum::{Event, Hub, KeepAlive, Retention, Sse, SseRequest, Start};
use tokio::{net::TcpListener, task::JoinHandle};

/// A hub with one topic, served by Axum on a free port until it is dropped.
pub struct HubServer {
    /// The hub.
    pub hub: Hub,
    /// The address of the server.
    pub addr: SocketAddr,
    serving: JoinHandle<()>,
}

/// The topic.
const TOPIC: &str = "numbers";

impl HubServer {
    /// Starts a server with this keep-alive interval.
    pub async fn start(keep_alive: Duration) -> Self {
        let hub = Hub::builder().retention(Retention::default().events(1_000_000)).memory();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let app = Self::router(hub.clone(), keep_alive);
        let serving = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("served");
        });
        Self { hub, addr, serving }
    }

    /// The routes, for another kind of server.
    pub fn router(hub: Hub, keep_alive: Duration) -> Router {
        let numbers = async move |State(hub): State<Hub>, request: SseRequest| -> sse_axum::Result {
            let subscription = hub.subscribe(TOPIC).request(request).start(Start::Earliest).await?;
            Ok(Sse::new(subscription)
                .keep_alive(KeepAlive::every(keep_alive))
                .retry(Duration::from_millis(500)))
        };
        Router::new().route("/numbers", get(numbers)).with_state(hub)
    }

    /// Publishes a number.
    pub async fn publish(hub: &Hub, number: u64) {
        hub.publish(TOPIC, Event::message(number.to_string())).await.expect("published");
    }

    /// Finishes the topic, so that the reader ends: nothing follows.
    pub async fn finish(hub: &Hub) {
        hub.finish(TOPIC).await.expect("finished");
    }

    /// Ends the streams of all readers, which then reconnect.
    pub fn cut(hub: &Hub) {
        hub.disconnect(TOPIC).expect("a topic");
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
