use std::{borrow::Cow, fmt};

use crate::hub::control_events;
use crate::{history::Topic, resume::Cursor, wire::Frame};

/// An event as a filter sees it: a view of its encoded form that copies only what the filter reads.
///
/// ```
/// use sse_core::{Event, Hub};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::memory();
/// let of_ann = |event: &sse_core::EventView<'_>| event.topics().iter().any(|topic| topic.as_str() == "user.ann");
/// let mut orders = hub.subscribe("orders").filter(of_ann).await?;
/// hub.publish(["orders", "user.bob"], Event::message("1")).await?;
/// hub.publish(["orders", "user.ann"], Event::message("2")).await?;
/// let frame = orders.next().await.ok_or("ended")?;
/// assert!(frame.as_ref().starts_with(b"data: 2\n"));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy)]
pub struct EventView<'a> {
    topics: &'a [Topic],
    /// Whole lines.
    block: &'a [u8],
    /// The type of a record, whose lines do not contain it.
    cursor: Option<Cursor>,
}

impl<'a> EventView<'a> {
    /// Returns every topic under which the event was published, including topics that the reader did not ask
    /// for; sorted.
    #[must_use]
    pub fn topics(&self) -> &'a [Topic] {
        self.topics
    }

    /// Returns the type; `message` if the event has none, `sse.end` for the end of a topic.
    #[must_use]
    pub fn event_type(&self) -> &'a str {
        self.field(b"event: ").last().unwrap_or("message")
    }

    /// Returns the data, its lines joined by LF; copied only if there are several.
    #[must_use]
    pub fn data(&self) -> Cow<'a, str> {
        let mut lines = self.field(b"data: ");
        let first = lines.next().unwrap_or_default();
        let Some(second) = lines.next() else { return Cow::Borrowed(first) };
        let mut data = [first, "\n", second].concat();
        for line in lines {
            data.push('\n');
            data.push_str(line);
        }
        Cow::Owned(data)
    }

    /// Returns the event's cursor; `None` for a signal, which has none.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor.or_else(|| control_events::cursor_in(self.block))
    }

    /// Creates a view of the frame of a stored event or a signal.
    pub(crate) fn of_frame(topics: &'a [Topic], frame: &'a Frame) -> Self {
        Self { topics, block: frame.as_ref(), cursor: None }
    }

    /// Creates a view of a record's lines.
    pub(crate) fn of_lines(topics: &'a [Topic], lines: &'a [u8], cursor: Cursor) -> Self {
        Self { topics, block: lines, cursor: Some(cursor) }
    }

    /// Returns the values of a field. A hub writes every line as `name: value` and ends it with LF.
    fn field(&self, name: &'static [u8]) -> impl Iterator<Item = &'a str> {
        let lines = self.block.split(|byte| *byte == b'\n');
        lines.filter_map(move |line| std::str::from_utf8(line.strip_prefix(name)?).ok())
    }
}

impl fmt::Debug for EventView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventView")
            .field("topics", &self.topics)
            .field("event_type", &self.event_type())
            .field("data", &self.data())
            .field("cursor", &self.cursor())
            .finish()
    }
}
