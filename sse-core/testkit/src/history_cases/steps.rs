use std::{future::Future, pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt};
use sse_core::{
    Event, Frame, Pattern, Subscription, Topic,
    decode::{Decoder, Message},
    history::{Appended, Entry, History, HistoryBounds, HistoryError, Record, TailEvent},
};

/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A topic.
pub fn topic(text: &str) -> Topic {
    Topic::new(text).unwrap()
}

/// A pattern.
pub fn pattern(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

/// Patterns.
pub fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| pattern(text)).collect()
}

/// An event with this text for one topic.
pub fn entry(name: &str, text: impl ToString) -> Entry {
    let frame = Frame::try_from(Event::message(text.to_string())).unwrap();
    let lines = frame.bytes().slice(..frame.bytes().len() - 1);
    Entry::event(vec![topic(name)], lines)
}

/// The same entry for these topics.
pub fn with_topics(mut entry: Entry, names: &[&str]) -> Entry {
    entry.topics = names.iter().map(|name| topic(name)).collect();
    entry
}

/// The end entry of a topic.
pub fn finish(name: &str) -> Entry {
    Entry::finish(topic(name), entry(name, "end").lines)
}

/// The text of each record.
pub fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| text_of(&record.lines)).collect()
}

fn text_of(lines: &[u8]) -> String {
    let block = [lines, b"\n"].concat();
    message(&block).data().to_owned()
}

/// The message of a frame, as a client decodes it.
fn message(mut frame: &[u8]) -> Message {
    Decoder::new().messages(&mut frame).next().unwrap().unwrap()
}

/// Appends one entry.
pub async fn appended(history: &impl History, entry: Entry) -> Appended {
    history.append(vec![entry]).await.unwrap()[0]
}

/// Waits for something that must happen soon.
pub async fn wait_for<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}

/// The span, after it fulfils the condition.
pub async fn settled(
    history: &impl History,
    patterns: &[Pattern],
    wanted: impl Fn(&HistoryBounds) -> bool,
) -> HistoryBounds {
    wait_for("the span is as wanted", async {
        loop {
            let span = history.bounds(patterns).await.unwrap();
            if wanted(&span) {
                return span;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// A boxed tail.
pub type Tail = Pin<Box<dyn Stream<Item = Result<TailEvent, HistoryError>> + Send>>;

/// The next record of a tail; other items before it are skipped.
pub async fn first_record(tail: &mut Tail) -> Record {
    wait_for("a record from the tail", async {
        loop {
            if let Ok(TailEvent::Record(record)) = tail.next().await.expect("the tail ended") {
                return record;
            }
        }
    })
    .await
}

/// The next message of a subscription.
pub async fn next(subscription: &mut Subscription) -> Message {
    let frame = wait_for("a frame", subscription.next()).await.expect("the subscription ended");
    message(frame.as_ref())
}

/// The data of the next `count` events; checkpoints are skipped.
pub async fn data(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut data = Vec::new();
    while data.len() < count {
        let message = next(subscription).await;
        if message.event_type() != "sse.checkpoint" {
            data.push(message.data().to_owned());
        }
    }
    data
}

/// The response status for a reader of this topic with this cursor, as soon as it is the expected one.
pub async fn status_after(hub: &sse_core::Hub, name: &str, last: &str) -> u16 {
    let subscription = hub.subscribe(name).after(last).await.unwrap();
    sse_core::EventStream::new(subscription).into_response().status().as_u16()
}

/// The cursor in a response's first bytes, after which its reader is cut off.
pub async fn first_cursor(subscription: Subscription) -> String {
    let stream = sse_core::EventStream::new(subscription).keep_alive(None);
    let mut body = stream.into_response().into_body();
    let first =
        wait_for("the first bytes", body.next()).await.unwrap().unwrap_or_else(|never| match never {});
    let text = String::from_utf8(first.to_vec()).unwrap();
    let mut lines = text.lines().skip(1);
    assert_eq!((lines.next(), lines.next()), (Some("event: sse.checkpoint"), Some("data: ")), "{text}");
    lines.next().and_then(|line| line.strip_prefix("id: ")).unwrap_or_else(|| panic!("{text}")).to_owned()
}
