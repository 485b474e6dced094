//! Valid positions of a state, and how often it is loaded although no event can follow it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::common::fake_history::{Scripted, until};
use crate::common::reader::{data, is_idle, next, publish, within};
use futures_util::StreamExt as _;
use sse_core::{Cursor, EndReason, Event, EventStream, Hub, Publisher, Retention, Snapshot, Subscribe};

/// A reader with a state at this position, and the number of its loads.
fn with_state_at(hub: &Hub, at: Cursor) -> (Subscribe, Arc<AtomicUsize>) {
    let loads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&loads);
    let subscribe = hub.subscribe("a").snapshot(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, String>(Snapshot::from(Event::message("state")).at(at)) }
    });
    (subscribe, loads)
}

#[tokio::test]
async fn only_a_state_from_before_a_fork_is_followed() {
    let history = Scripted::new();
    let hub = Hub::open(history.clone()).await.unwrap();
    publish(&hub, "a", 1..7).await;
    let old = hub.stats().head.epoch();
    history.fork(4);
    until(|| hub.stats().head.seq() == 3).await;
    publish(&hub, "a", 4..6).await;
    for (seq, follows) in [(2, vec!["3", "4", "5"]), (3, vec!["4", "5"])] {
        let (subscribe, _) = with_state_at(&hub, Cursor::new(old, seq));
        let mut reader = subscribe.await.unwrap();
        let state = next(&mut reader).await;
        assert_eq!((state.data(), state.last_event_id()), ("state", &*format!("{old}-{seq}")));
        assert_eq!(data(&mut reader, follows.len()).await, follows);
    }
    // The record at 4 that the state includes was replaced.
    for seq in [4, 5] {
        let (subscribe, _) = with_state_at(&hub, Cursor::new(old, seq));
        let (tell, told) = std::sync::mpsc::channel();
        let stream =
            EventStream::new(subscribe.await.unwrap()).on_end(move |ended| tell.send(ended).unwrap());
        within(stream.into_response().into_body().count()).await;
        let EndReason::Error(error) = told.recv().unwrap().end else { panic!("not an error, at {seq}") };
        assert!(error.to_string().contains(&format!("{old}-{seq} is no place of this hub")), "{error}");
    }
}

#[tokio::test]
async fn a_state_may_be_ahead_of_this_process() {
    let history = Scripted::new();
    let hub = Hub::open(history.clone()).await.unwrap();
    publish(&hub, "a", 0..2).await;
    history.set_mute(true);
    let publisher = Publisher::new(history.clone());
    let seen = publisher.publish("a", Event::message("in the state")).await.unwrap();
    let (subscribe, _) = with_state_at(&hub, seen.cursor);
    let mut reader = subscribe.await.unwrap();
    assert_eq!(next(&mut reader).await.last_event_id(), seen.cursor.to_string());
    assert!(is_idle(&mut reader).await);
    publisher.publish("a", Event::message("after it")).await.unwrap();
    history.set_mute(false);
    assert_eq!(data(&mut reader, 1).await, ["after it"]);
}

#[tokio::test]
async fn a_state_that_nothing_can_follow_is_loaded_three_times() {
    let hub = Hub::builder().retention(Retention::default().events(1)).memory();
    let old = hub.publish("a", Event::message("0")).await.unwrap().cursor;
    publish(&hub, "a", 1..4).await;
    let (subscribe, loads) = with_state_at(&hub, old);
    let mut reader = subscribe.await.unwrap();
    let mut told = 0;
    while within(reader.next()).await.is_some() {
        told += 1;
    }
    // A gap comes before each but the first.
    assert_eq!((loads.load(Ordering::Relaxed), told), (3, 5));
}

#[tokio::test]
async fn a_reader_that_keeps_catching_up_stays() {
    let hub = Hub::builder().retention(Retention::default().events(1)).memory();
    let state = async |_| Ok::<_, String>(Event::message("state"));
    let mut reader = hub.subscribe("a").snapshot(state).await.unwrap();
    assert_eq!(data(&mut reader, 1).await, ["state"]);
    for _ in 0..10 {
        publish(&hub, "a", 0..1).await;
        assert_eq!(data(&mut reader, 1).await, ["0"]);
        publish(&hub, "a", 1..4).await;
        assert_eq!(next(&mut reader).await.event_type(), "sse.gap");
        assert_eq!(data(&mut reader, 1).await, ["state"]);
    }
}
