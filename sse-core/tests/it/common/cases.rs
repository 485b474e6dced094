//! The cases of `tests/cases/*.json` as values.

use serde_json::Value;

use super::reference_decoder::Event;

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) must: bool,
    pub(crate) connections: Vec<Connection>,
    pub(crate) json: Value,
}

pub(crate) struct Connection {
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) expected: Vec<Expected>,
    pub(crate) last_event_id: String,
    pub(crate) retry_ms: Option<u64>,
    /// The client reads the body: status and content type are correct.
    pub(crate) is_read: bool,
}

/// An expected event. A long one is given by its length.
pub(crate) enum Expected {
    Event(Event),
    Long { event_type: String, data_len: usize, last_event_id: String },
}

impl Expected {
    pub(crate) fn matches(&self, event: &Event) -> bool {
        match self {
            Self::Event(expected) => expected == event,
            Self::Long { event_type, data_len, last_event_id } => {
                (event_type, last_event_id, *data_len)
                    == (&event.event_type, &event.last_event_id, event.data.chars().count())
            }
        }
    }
}

impl Connection {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

/// Every case of `file`, which is `wpt` or `extra`.
pub(crate) fn load(file: &str) -> Vec<Case> {
    let path = format!("{}/tests/cases/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let json: Value = serde_json::from_str(&text).expect("as the schema says");
    let cases: Vec<_> = array(&json["cases"]).map(case).collect();
    assert_eq!(cases.len(), size(&json["count"]));
    cases
}

fn case(json: &Value) -> Case {
    Case {
        name: text(&json["name"]),
        category: text(&json["category"]),
        must: json["spec"] == "must",
        connections: json["connections"]
            .as_array()
            .expect("as the schema says")
            .iter()
            .map(connection)
            .collect(),
        json: json.clone(),
    }
}

fn connection(json: &Value) -> Connection {
    let outcome = &json["outcome"];
    Connection {
        chunks: json["response"]["chunks"]
            .as_array()
            .expect("as the schema says")
            .iter()
            .map(chunk)
            .collect(),
        expected: array(&outcome["events"]).map(expected).collect(),
        last_event_id: text(&outcome["last_event_id"]),
        retry_ms: match &outcome["retry_ms"] {
            Value::String(digits) => Some(digits.parse().unwrap_or(u64::MAX)),
            number => number.as_u64(),
        },
        is_read: outcome["open"] == true,
    }
}

fn chunk(json: &Value) -> Vec<u8> {
    match json {
        Value::String(digits) => hex(digits),
        repeated => {
            hex(repeated["repeat_hex"].as_str().expect("as the schema says")).repeat(size(&repeated["count"]))
        }
    }
}

pub(crate) fn expected(json: &Value) -> Expected {
    let (event_type, last_event_id) = (text(&json["type"]), text(&json["lastEventId"]));
    match &json["data_len"] {
        len @ Value::Number(_) => Expected::Long { event_type, data_len: size(len), last_event_id },
        _ => Expected::Event(Event { event_type, data: text(&json["data"]), last_event_id }),
    }
}

fn hex(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("as the schema says"), 16)
                .expect("as the schema says")
        })
        .collect()
}

fn array(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().expect("as the schema says").iter()
}

fn size(json: &Value) -> usize {
    usize::try_from(json.as_u64().expect("as the schema says")).expect("small")
}

fn text(json: &Value) -> String {
    json.as_str().unwrap_or_else(|| panic!("not a text: {json}")).to_owned()
}
