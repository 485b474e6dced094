//! Helpers of the hub's tests: they read a subscription as messages.

use std::time::Duration;

use sse_core::{
    Hub, Subscription,
    decode::{Decoder, Message},
};

/// The next message, which must come soon.
pub async fn next(subscription: &mut Subscription) -> Message {
    let frame = tokio::time::timeout(Duration::from_secs(5), subscription.next())
        .await
        .expect("nothing came within 5 s")
        .expect("the subscription ended");
    message(frame.as_ref())
}

/// The message of a frame, as a client decodes it.
pub fn message(mut frame: &[u8]) -> Message {
    let mut decoder = Decoder::new();
    decoder.messages(&mut frame).next().expect("a whole message").expect("a valid message")
}

/// The data of the next `count` messages.
pub async fn data(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut data = Vec::new();
    for _ in 0..count {
        data.push(next(subscription).await.data().to_owned());
    }
    data
}

/// Whether nothing is available now.
pub async fn is_idle(subscription: &mut Subscription) -> bool {
    tokio::time::timeout(Duration::from_millis(20), subscription.next()).await.is_err()
}

/// Publishes `count` numbered events.
pub async fn publish(hub: &Hub, topic: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        hub.publish(topic, sse_core::Event::message(number.to_string())).await.expect("published");
    }
}

/// Waits for a future that must complete soon.
pub async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), what).await.expect("it did not come about within 5 s")
}
