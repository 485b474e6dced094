use std::time::Duration;

use serde_json::value::RawValue;
use sse_core::Event;

use crate::{DispatchedEvent, HOSTILE};

/// One hostile text through one builder.
#[derive(Debug, Clone)]
pub struct InjectionVector {
    /// The builder and the text, for messages.
    pub what: String,
    /// The result of the builder; it may be invalid, and then reports that.
    pub event: Event,
    /// What a client must receive, if the event can be sent; the id only where the builder sets one.
    pub told: Option<DispatchedEvent>,
}

/// Every hostile text through every builder that takes text.
#[must_use]
pub fn injection_vectors() -> Vec<InjectionVector> {
    let mut all = Vec::new();
    for text in HOSTILE {
        let mut add = |builder: &str, event: Event, told: Option<(&str, String)>| {
            let told =
                told.map(|(kind, data)| DispatchedEvent { event: kind.to_owned(), data, id: String::new() });
            all.push(InjectionVector { what: format!("{builder}({text:?})"), event, told });
        };
        let normal = text.replace("\r\n", "\n").replace('\r', "\n");
        add("message", Event::message(text), Some(("message", normal.clone())));
        add("data", Event::default().data("a").data(text), Some(("message", format!("a\n{normal}"))));
        let lines = Event::default().data_lines([text, text]);
        add("data_lines", lines, Some(("message", format!("{normal}\n{normal}"))));
        add("comment", Event::message("seen").comment(text), Some(("message", "seen".to_owned())));
        add("comment alone", Event::default().comment(text), None);
        add("event", Event::message("typed").event(text), Some((text, "typed".to_owned())));
        add("json", Event::json(text), Some(("message", serde_json::Value::from(text).to_string())));
        let raw = format!("[1,{text}2]");
        if let Ok(raw) = RawValue::from_string(raw.clone()) {
            let normal = raw.get().replace("\r\n", "\n").replace('\r', "\n");
            add("json raw", Event::json(&raw), Some(("message", normal.clone())));
            if let Ok(event) = Event::default().json_data(&raw) {
                add("json_data raw", event, Some(("message", normal)));
            }
        }
        let event = Event::message("named").id(text);
        let told =
            DispatchedEvent { event: "message".to_owned(), data: "named".to_owned(), id: text.to_owned() };
        all.push(InjectionVector { what: format!("id({text:?})"), event, told: Some(told) });
    }
    for delay in [Duration::ZERO, Duration::from_millis(499), Duration::from_secs(3_601), Duration::MAX] {
        let event = Event::message("late").retry(delay);
        let told =
            DispatchedEvent { event: "message".to_owned(), data: "late".to_owned(), id: String::new() };
        all.push(InjectionVector { what: format!("retry({delay:?})"), event, told: Some(told) });
    }
    all
}
