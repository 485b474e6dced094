//! Calls of the builder, and what a client must receive after them.

use std::time::Duration;

use sse_core::Event;

use super::reference_decoder::{Event as Told, Naive};

/// A call of the builder.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Data(String),
    DataLines(Vec<String>),
    Type(String),
    Id(String),
    Number(i64),
    ResetId,
    Retry(u64),
    Comment(String),
}

/// The event that the calls build.
pub(crate) fn build(calls: &[Call]) -> Event {
    calls.iter().fold(Event::default(), |event, call| match call {
        Call::Data(text) => event.data(text),
        Call::DataLines(lines) => event.data_lines(lines),
        Call::Type(text) => event.event(text),
        Call::Id(text) => event.id(text),
        Call::Number(number) => event.id(*number),
        Call::ResetId => event.reset_id(),
        Call::Retry(millis) => event.retry(Duration::from_millis(*millis)),
        Call::Comment(text) => event.comment(text),
    })
}

/// What a client must receive after the calls, or that the builder must refuse them: its documentation in code.
pub(crate) fn meant(calls: &[Call], last_event_id: &str) -> Option<Naive> {
    let is_control = |text: &str| text.chars().any(|c| c < ' ' || c == '\u{7f}');
    let (mut data, mut event_type, mut id) = (Vec::new(), None, None);
    let mut meant = Naive { last_event_id: last_event_id.to_owned(), ..Naive::default() };
    for call in calls {
        match call {
            Call::Data(text) => data.extend(lines(text)),
            Call::DataLines(texts) => data.extend(texts.iter().flat_map(|text| lines(text))),
            Call::Type(text) if text.is_empty() || is_control(text) => return None,
            Call::Type(text) => event_type = Some(text.clone()),
            Call::Id(text) if is_control(text) || text.trim_matches(' ') != text || text.len() > 512 => {
                return None;
            }
            Call::Id(text) => id = Some(text.clone()),
            Call::Number(number) => id = Some(number.to_string()),
            Call::ResetId => id = Some(String::new()),
            Call::Retry(millis) => meant.retry = Some(millis.clamp(&500, &3_600_000).to_string()),
            Call::Comment(text) => meant.comments.extend(lines(text)),
        }
    }
    let is_empty = data.is_empty() && id.is_none() && meant.retry.is_none() && meant.comments.is_empty();
    if (is_empty || event_type.is_some()) && data.is_empty() {
        return None;
    }
    if let Some(id) = id {
        meant.last_event_id = id;
    }
    if !data.is_empty() {
        meant.events.push(Told {
            event_type: event_type.unwrap_or_else(|| "message".to_owned()),
            data: data.join("\n"),
            last_event_id: meant.last_event_id.clone(),
        });
    }
    Some(meant)
}

fn lines(text: &str) -> Vec<String> {
    text.replace("\r\n", "\n").replace('\r', "\n").split('\n').map(str::to_owned).collect()
}
