//! What a hub says about a reader's place: checkpoints and ends, each with an id where it moves the reader on.

#[path = "common/body.rs"]
#[allow(dead_code)]
mod body;
#[path = "common/reader.rs"]
#[allow(dead_code)]
mod reader;

use std::time::Duration;

use body::{Reading, read};
use reader::{next, publish};
use sse_core::{Event, EventStream, Hub, Resume, Retention, Start};

/// What comes before the next keep-alive that is no checkpoint.
async fn blocks(reading: &mut Reading) -> Vec<String> {
    reading.retry().await;
    let mut blocks = Vec::new();
    while let Some(text) = reading.next().await
        && !text.starts_with("retry: ")
    {
        blocks.push(text);
    }
    blocks
}

#[tokio::test(start_paused = true)]
async fn a_new_reader_that_was_told_a_state_without_id_gets_a_cursor_by_a_checkpoint() {
    let hub = Hub::memory();
    publish(&hub, "state", 0..2).await;
    let reader = hub.subscribe("a").also("state", Start::Latest(1)).await.unwrap();
    let mut reading = read(EventStream::new(reader));
    let head = hub.stats().head;
    let checkpoint = format!("event: sse.checkpoint\ndata: \nid: {head}\n\n");
    assert_eq!(blocks(&mut reading).await, ["data: 1\n\n".to_owned(), checkpoint]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_topic_has_its_id_although_a_gap_named_the_same_place() {
    let hub = Hub::builder().retention(Retention::default().age(Duration::from_secs(60))).memory();
    let keeps_the_hub_busy = hub.subscribe("other").await.unwrap();
    let first = hub.publish("a", Event::message("0")).await.unwrap();
    publish(&hub, "a", 1..3).await;
    let end = hub.finish("a").await.unwrap().cursor.to_string();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    // Everything is gone, and that it is finished is remembered.
    let mut reader = hub.subscribe("a").after(first.cursor).await.unwrap();
    assert!(matches!(reader.resume(), Resume::Gap(gap) if gap.resumed_at.to_string() == end));
    for expected in ["sse.gap", "sse.end"] {
        let message = next(&mut reader).await;
        assert_eq!((message.event_type(), message.last_event_id()), (expected, &*end));
    }
    assert!(reader.next().await.is_none());
    drop(keeps_the_hub_busy);
}

#[tokio::test(start_paused = true)]
async fn what_one_reader_is_forgiven_is_a_gap_for_another_at_the_same_place() {
    let hub = Hub::builder().retention(Retention::default().events(2)).memory();
    let mut slow = read(EventStream::new(hub.subscribe(["a", "b"]).await.unwrap()));
    publish(&hub, "a", 0..2).await;
    publish(&hub, "b", 0..500).await;
    // A new reader asks for what is kept, from the same place on.
    let new = hub.subscribe(["a", "b"]).start(Start::Earliest).await.unwrap();
    let mut new = read(EventStream::new(new));
    for reading in [&mut new, &mut slow] {
        reading.retry().await;
    }
    let kept = new.next().await.unwrap();
    assert_eq!(kept.matches("data: ").count(), 4, "{kept}");
    assert!(slow.next().await.unwrap().starts_with("event: sse.gap\n"));
}
