//! Reads a request's `Accept` header: RFC 9110 section 12.5.1.

use super::{
    AcceptEncoding,
    quality_values::{Q_MAX, quality_values},
};

/// The form of a response, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    /// An event stream.
    #[default]
    Stream,
    /// A stream of JSON lines.
    Lines,
    /// The current or next events as one JSON text: long polling.
    Page,
}

/// The kind of response that a reader requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) form: Form,
    pub(crate) is_event_source: bool,
    /// Whether the client may still hold half an event of the previous connection, which it would join to the
    /// first bytes of this one.
    pub(crate) needs_discard: bool,
    pub(crate) accept_encoding: AcceptEncoding,
}

impl Default for Negotiated {
    fn default() -> Self {
        Self {
            form: Form::Stream,
            is_event_source: true,
            needs_discard: false,
            accept_encoding: AcceptEncoding::default(),
        }
    }
}

/// The preferences for each supported type; `None` if no range matches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accept {
    stream: Option<Preference>,
    lines: Option<Preference>,
    page: Option<Preference>,
    html: Option<Preference>,
    /// Whether `text/event-stream` is the only range, or there is none at all.
    is_stream_alone: bool,
}

/// The preference for one type. The order is that of the quality values; between equal values the type that the
/// header names more exactly wins, so that `application/json, */*` requests JSON and not the server's own preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    /// The quality value in thousandths; 0 refuses the type.
    q: u16,
    precision: Precision,
}

/// How exactly a range names a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    /// By `*/*`, or by no range at all.
    Any,
    /// By `text/*`.
    Kind,
    /// By its own name.
    Exact,
}

impl Preference {
    fn allows(self) -> bool {
        self.q > 0
    }
}

impl Default for Accept {
    fn default() -> Self {
        let any = Some(Preference { q: Q_MAX, precision: Precision::Any });
        Self { stream: any, lines: any, page: any, html: any, is_stream_alone: true }
    }
}

impl Accept {
    /// Reads all `Accept` headers joined with commas; a header without types accepts everything.
    pub(super) fn read(accept: &[u8]) -> Self {
        // An invalid quality value counts as absent.
        let ranges = quality_values(&String::from_utf8_lossy(accept))
            .map(|(range, q)| (range, q.unwrap_or(Q_MAX)))
            .collect::<Vec<_>>();
        if ranges.is_empty() {
            return Self::default();
        }
        Self {
            stream: preference(&ranges, "text", "event-stream"),
            lines: preference(&ranges, "application", "x-ndjson"),
            page: preference(&ranges, "application", "json"),
            html: preference(&ranges, "text", "html"),
            is_stream_alone: matches!(&*ranges, [(range, 1..)] if range == "text/event-stream"),
        }
    }

    /// Returns whether a range that matches event streams has the quality value 0. A header that does not mention
    /// them is not an exclusion: clients of some streaming APIs send `application/json` for everything.
    pub(super) fn excludes_stream(&self) -> bool {
        self.stream.is_some_and(|preference| !preference.allows())
    }

    pub(super) fn prefers_html(&self) -> bool {
        self.html.is_some_and(Preference::allows) && self.html > self.stream
    }

    pub(super) fn is_of_event_source(&self) -> bool {
        self.is_stream_alone
    }

    /// Returns the preferred form; of several with equal preference, the best. `None` if none is accepted.
    pub(super) fn form(&self) -> Option<Form> {
        let forms = [(self.page, Form::Page), (self.lines, Form::Lines), (self.stream, Form::Stream)];
        forms
            .into_iter()
            .filter(|(preference, _)| preference.is_some_and(Preference::allows))
            .max_by_key(|(preference, _)| *preference)
            .map(|(_, form)| form)
    }
}

/// Returns the preference for a type. The most exact range that matches decides; of several that are equally
/// exact, the one with the greatest quality value, whatever their order. A range with parameters counts as if it
/// had none.
fn preference(ranges: &[(String, u16)], kind: &str, subtype: &str) -> Option<Preference> {
    let precision = |name: &str| match name.split_once('/') {
        Some((known, "*")) if known == kind => Some(Precision::Kind),
        Some((known, sub)) if known == kind && sub == subtype => Some(Precision::Exact),
        Some(("*", "*")) => Some(Precision::Any),
        None if name == "*" => Some(Precision::Any),
        _ => None,
    };
    let matching = ranges.iter().filter_map(|(name, q)| Some((precision(name)?, *q)));
    matching.max().map(|(precision, q)| Preference { q, precision })
}
