use std::ops::Deref;

use serde_json::{Value, json};
use sse_testkit::{Failed, Outcome};

use crate::{App, Relay, Session};

/// Opens an `EventSource` and keeps every event that it dispatches; of checkpoints it keeps only the position.
const READER: &str = "
    const [target, options] = arguments;
    const source = new EventSource(target, options);
    const read = { source, told: [], last: '', opens: 0, lost: [] };
    source.onopen = () => { read.opens += 1; };
    source.onerror = () => { read.lost.push(read.last); };
    for (const type of ['message', 'note', 'sse.gap', 'sse.end']) {
        source.addEventListener(type, ({ data, lastEventId: id }) => {
            read.told.push({ type, data, id });
            read.last = id;
        });
    }
    source.addEventListener('sse.checkpoint', ({ lastEventId: id }) => { read.last = id; });
    addEventListener('pageshow', ({ persisted }) => { read.isRestored = persisted; });
    window.read = read;";

/// An `EventSource` in a browser, on a page of the application that does nothing else, behind a relay.
#[derive(Debug)]
pub struct Reading<'a> {
    /// The application.
    pub app: App,
    /// The relay that the browser connects to.
    pub relay: Relay,
    target: String,
    page: &'a Session,
}

/// An event that the page received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The event's type.
    pub event: String,
    /// The event's data.
    pub data: String,
    /// The last event id, as the page sees it.
    pub id: String,
}

impl<'a> Reading<'a> {
    /// Starts the application, opens the page, and waits until the stream is open.
    ///
    /// # Errors
    /// If the stream does not open.
    pub async fn open(program: &str, flags: &[&str], page: &'a Session, target: &str) -> Outcome<Self> {
        let app = App::start(program, flags).await?;
        let relay = Relay::start(app.address()).await?;
        page.go(&format!("http://{}/stats", relay.address())).await?;
        let reading = Self { app, relay, target: target.to_owned(), page };
        reading.read(target, json!({})).await?;
        Ok(reading)
    }

    /// Opens an `EventSource` with these options in place of the one before, and waits until it is open.
    ///
    /// # Errors
    /// If it does not open.
    pub async fn read(&self, target: &str, options: Value) -> Outcome {
        Self::read_in(self.page, target, options).await
    }

    /// Opens an `EventSource` with these options in any window.
    ///
    /// # Errors
    /// If it does not open.
    pub async fn read_in(page: &Session, target: &str, options: Value) -> Outcome {
        page.run(READER, json!([target, options])).await?;
        page.until("read.opens === 1").await
    }

    /// All events that the page has received so far.
    ///
    /// # Errors
    /// If the page cannot report them.
    pub async fn heard(&self) -> Outcome<Vec<Heard>> {
        let told = self.value("read.told").await?;
        let told = told.as_array().ok_or_else(|| Failed::new(format!("no list: {told}")))?;
        let text = |told: &Value, name| told.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(told
            .iter()
            .map(|told| Heard { event: text(told, "type"), data: text(told, "data"), id: text(told, "id") })
            .collect())
    }

    /// Waits until the page has received `count` events, and returns all of them.
    ///
    /// # Errors
    /// If it does not receive them in time.
    pub async fn until_heard(&self, count: usize) -> Outcome<Vec<Heard>> {
        self.until(&format!("read.told.length >= {count}")).await?;
        self.heard().await
    }

    /// The `Last-Event-ID` of each request for the stream: empty if there was none.
    #[must_use]
    pub fn asked_after(&self) -> Vec<String> {
        let last_event_id = |head: String| {
            let header = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("last-event-id").then(|| value.to_owned())
            });
            header.unwrap_or_default()
        };
        self.relay.requests(&self.target).into_iter().map(last_event_id).collect()
    }
}

/// Gives access to the browser's window.
impl Deref for Reading<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.page
    }
}
