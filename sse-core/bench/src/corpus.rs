//! The events that are encoded and decoded.

use bytes::Bytes;

/// One shape of event, and how it is named in the tables.
#[derive(Debug, Clone)]
pub(crate) struct Corpus {
    pub(crate) name: &'static str,
    pub(crate) id: Option<&'static str>,
    pub(crate) event_type: Option<&'static str>,
    pub(crate) data: &'static str,
    /// How lines end in the encoded form; the encoders' peers all write LF.
    line_end: &'static str,
}

/// The data of the events with an id and a type.
pub(crate) const ID: &str = "1700000000123";
pub(crate) const EVENT_TYPE: &str = "price";

impl Corpus {
    /// The shapes that are encoded.
    pub(crate) fn to_encode() -> Vec<Self> {
        let plain = |name, data: String| {
            // They live as long as the process, so that each peer can be given its cheapest input.
            Self { name, id: None, event_type: None, data: data.leak(), line_end: "\n" }
        };
        vec![
            Self { id: Some(ID), event_type: Some(EVENT_TYPE), ..plain("100 B, id, type", text(100)) },
            plain("20 B", text(20)),
            plain("4 KiB, 1 line", text(4096)),
            plain("4 KiB, 64 lines", lines(64, 64)),
        ]
    }

    /// The shapes that are decoded: also one that is not ASCII and ends its lines with CRLF.
    pub(crate) fn to_decode() -> Vec<Self> {
        let mut shapes = Self::to_encode();
        shapes.push(Self {
            name: "100 B, UTF-8, CRLF",
            id: Some(ID),
            event_type: Some(EVENT_TYPE),
            data: "Ωμέγα Ωμέγα Ωμέγα Ωμέγα Ωμέγα Ωμέγα Ωμέγα Ωμέγα Ωμέγα",
            line_end: "\r\n",
        });
        shapes
    }

    /// The data's lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &'static str> {
        self.data.split('\n')
    }

    /// As many whole events as fit into about `len` bytes.
    pub(crate) fn encoded(&self, len: usize) -> (Bytes, usize) {
        let mut event = String::new();
        let mut line = |name: &str, value: &str| {
            event.push_str(name);
            event.push_str(": ");
            event.push_str(value);
            event.push_str(self.line_end);
        };
        self.id.iter().for_each(|id| line("id", id));
        self.event_type.iter().for_each(|event_type| line("event", event_type));
        self.lines().for_each(|text| line("data", text));
        event.push_str(self.line_end);
        let events = (len / event.len()).max(1);
        (event.repeat(events).into(), events)
    }
}

/// Words of visible ASCII without line breaks, `len` bytes.
fn text(len: usize) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    (0..len).map(|at| if at % 7 == 6 { ' ' } else { random.lowercase() }).collect()
}

/// `count` lines of `len` bytes each, their breaks included but for the last.
fn lines(count: usize, len: usize) -> String {
    vec![text(len - 1); count].join("\n")
}
