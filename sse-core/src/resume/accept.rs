//! What a request's `Accept` header wants: RFC 9110 section 12.5.1.

use crate::weights::{WHOLE, weighted};

/// How an answer is written, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    /// An event stream.
    #[default]
    Stream,
    /// A stream of JSON, one line each.
    Lines,
    /// What there is now, or next, as one JSON text: long polling.
    Page,
}

/// How a reader wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) form: Form,
    pub(crate) is_event_source: bool,
    pub(crate) is_padded: bool,
    /// It may hold half an event of the connection before, which it would join to what comes first.
    pub(crate) may_hold_half: bool,
}

impl Default for Negotiated {
    fn default() -> Self {
        Self { form: Form::Stream, is_event_source: true, is_padded: false, may_hold_half: false }
    }
}

/// The weights of what there is, in thousandths; a type that is not accepted has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accept {
    stream: u16,
    lines: u16,
    page: u16,
    html: u16,
    /// Whether `text/event-stream` is the only range, or there is none at all.
    is_stream_alone: bool,
}

impl Default for Accept {
    fn default() -> Self {
        Self { stream: WHOLE, lines: WHOLE, page: WHOLE, html: WHOLE, is_stream_alone: true }
    }
}

impl Accept {
    /// Reads all `Accept` headers joined with commas; one that names nothing accepts everything.
    pub(super) fn read(accept: &[u8]) -> Self {
        // A weight that cannot be read counts as if it were not there.
        let ranges = weighted(&String::from_utf8_lossy(accept))
            .map(|(range, weight)| (range, weight.unwrap_or(WHOLE)))
            .collect::<Vec<_>>();
        if ranges.is_empty() {
            return Self::default();
        }
        Self {
            stream: weight(&ranges, "text", "event-stream"),
            lines: weight(&ranges, "application", "x-ndjson"),
            page: weight(&ranges, "application", "json"),
            html: weight(&ranges, "text", "html"),
            is_stream_alone: matches!(&*ranges, [(range, 1..)] if range == "text/event-stream"),
        }
    }

    pub(super) fn refuses_stream(&self) -> bool {
        self.stream == 0
    }

    pub(super) fn prefers_html(&self) -> bool {
        self.html > self.stream
    }

    pub(super) fn is_of_event_source(&self) -> bool {
        self.is_stream_alone
    }

    /// The form with the greatest weight; of several, the best.
    pub(super) fn form(&self) -> Option<Form> {
        let forms = [(self.page, Form::Page), (self.lines, Form::Lines), (self.stream, Form::Stream)];
        forms
            .into_iter()
            .filter(|(weight, _)| *weight > 0)
            .max_by_key(|(weight, _)| *weight)
            .map(|(_, form)| form)
    }
}

/// The most specific range that matches decides.
fn weight(ranges: &[(String, u16)], kind: &str, subtype: &str) -> u16 {
    let precision = |name: &str| match name.split_once('/') {
        Some((known, "*")) if known == kind => Some(1),
        Some((known, sub)) if known == kind && sub == subtype => Some(2),
        Some(("*", "*")) => Some(0),
        None if name == "*" => Some(0),
        _ => None,
    };
    let matching = ranges.iter().filter_map(|(name, weight)| Some((precision(name)?, *weight)));
    matching.max_by_key(|(precision, _)| *precision).map_or(0, |(_, weight)| weight)
}
