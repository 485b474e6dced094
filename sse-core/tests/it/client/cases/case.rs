//! The cases as data.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

const WPT: &str = include_str!("../../../cases/wpt.json");
const EXTRA: &str = include_str!("../../../cases/extra.json");

pub struct Case {
    pub file: &'static str,
    pub name: String,
    pub spec: String,
    pub connections: Vec<Connection>,
    /// The case as it is written, for the rarer keys.
    pub json: Value,
}

/// How a case is run.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// By the client, over sockets.
    Client,
    /// By `messages()` of a stream of bytes.
    Bytes,
    /// By the client, which must refuse the address before it sends a request.
    Address,
    /// By others, for this reason.
    Elsewhere(&'static str),
}

pub struct Connection {
    pub method: String,
    pub path: String,
    /// Headers that must be present, in raw bytes, or absent.
    pub wanted: Vec<(String, Option<Vec<u8>>)>,
    pub status: u16,
    pub reason: String,
    pub headers: Vec<(String, String)>,
    pub chunks: Vec<Vec<u8>>,
    pub gap: Duration,
    pub head_delay: Duration,
    pub end: String,
    pub opens: bool,
    pub events: Vec<Event>,
    pub last_event_id: String,
    pub retry: Option<Duration>,
}

#[derive(Debug, PartialEq)]
pub struct Event {
    pub event_type: String,
    pub data: Data,
    pub last_event_id: String,
}

#[derive(Debug, PartialEq)]
pub enum Data {
    Text(String),
    Digest { len: usize, sha256: String },
}

impl Data {
    pub fn is(&self, text: &str) -> bool {
        match self {
            Self::Text(expected) => expected == text,
            Self::Digest { len, sha256 } => {
                let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
                let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                *len == text.chars().count() && *sha256 == hex
            }
        }
    }
}

impl Case {
    pub fn requires(&self, what: &str) -> bool {
        self.json["requires"].as_array().is_some_and(|list| list.iter().any(|item| item == what))
    }

    pub fn kind(&self) -> Kind {
        if self.requires("browser") {
            return Kind::Elsewhere("needs a browser: DOM, CORS or cookies");
        }
        if self.requires("encoder") {
            return Kind::Elsewhere("for an encoder");
        }
        if self.json["url"].is_string() && self.name != "x/connection-refused"
            || self.name.ends_with("url-bogus")
        {
            return Kind::Address;
        }
        if self.name == "wpt/eventsource-url" || self.name == "wpt/from-readable-stream/api" {
            return Kind::Elsewhere("an attribute of the DOM's object");
        }
        if self.requires("option:fromReadableStream") {
            return Kind::Bytes;
        }
        if self.requires("option:gzip") && !cfg!(feature = "gzip") {
            return Kind::Elsewhere("needs the feature `gzip`");
        }
        Kind::Client
    }

    pub fn number(&self, key: &str) -> Option<u64> {
        self.json[key].as_u64()
    }
}

pub fn all() -> Vec<Arc<Case>> {
    let mut cases = Vec::new();
    for (file, text) in [("wpt.json", WPT), ("extra.json", EXTRA)] {
        let json: Value = serde_json::from_str(text).expect("JSON");
        for case in json["cases"].as_array().expect("cases") {
            cases.push(Arc::new(Case {
                file,
                name: string(&case["name"]),
                spec: string(&case["spec"]),
                connections: case["connections"].as_array().into_iter().flatten().map(connection).collect(),
                json: case.clone(),
            }));
        }
    }
    cases
}

fn connection(json: &Value) -> Connection {
    let (request, response, outcome) = (&json["request"], &json["response"], &json["outcome"]);
    let millis = |value: &Value| Duration::from_millis(value.as_u64().unwrap_or(0));
    Connection {
        method: string(&request["method"]),
        path: string(&request["path"]),
        wanted: request["headers"].as_object().into_iter().flatten().map(wanted).collect(),
        status: response["status"].as_u64().unwrap_or(0) as u16,
        reason: response["reason"].as_str().unwrap_or("OK").to_owned(),
        headers: response["headers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|pair| (string(&pair[0]), string(&pair[1])))
            .collect(),
        chunks: response["chunks"].as_array().into_iter().flatten().map(chunk).collect(),
        gap: millis(&response["chunk_gap_ms"]),
        head_delay: millis(&response["header_delay_ms"]),
        end: string(&response["end"]),
        opens: outcome["open"].as_bool().unwrap_or(false),
        events: outcome["events"].as_array().into_iter().flatten().map(event).collect(),
        last_event_id: string(&outcome["last_event_id"]),
        retry: match &outcome["retry_ms"] {
            Value::Null => None,
            // Beyond 2^53 it is text, and may be beyond what any client counts in.
            Value::String(digits) => Some(Duration::from_millis(digits.parse().unwrap_or(u64::MAX))),
            number => Some(millis(number)),
        },
    }
}

fn wanted((name, value): (&String, &Value)) -> (String, Option<Vec<u8>>) {
    let value = match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Object(object) => Some(unhex(&string(&object["hex"]))),
        _ => None,
    };
    (name.clone(), value)
}

fn event(json: &Value) -> Event {
    let data = match json["data"].as_str() {
        Some(text) => Data::Text(text.to_owned()),
        None => Data::Digest {
            len: json["data_len"].as_u64().expect("a length") as usize,
            sha256: string(&json["data_sha256"]),
        },
    };
    Event { event_type: string(&json["type"]), data, last_event_id: string(&json["lastEventId"]) }
}

fn chunk(json: &Value) -> Vec<u8> {
    match json {
        Value::String(hex) => unhex(hex),
        repeated => {
            let times = repeated["count"].as_u64().expect("a count") as usize;
            unhex(&string(&repeated["repeat_hex"])).repeat(times)
        }
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn string(json: &Value) -> String {
    json.as_str().unwrap_or_default().to_owned()
}
