//! The formats that replace an event stream.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::{KeepAlive, body::State, json_lines::JsonLines, page::Page, source::Source};
use crate::resume::Form;

pub(super) enum BodyFormat {
    /// The same stream as JSON lines.
    Lines(JsonLines),
    /// One response, sent when there is something to send.
    Page(Page),
    /// A text that is already known.
    Text(Bytes),
}

impl BodyFormat {
    /// Returns the format that the source's request wants, if it is not an event stream.
    pub(super) fn for_source(source: &Source, keep_alive: Option<&KeepAlive>) -> Option<Self> {
        match (source.negotiated().form, source) {
            (Form::Page, Source::Subscription(subscription)) => {
                Some(Self::Page(Page::new(subscription, keep_alive)))
            }
            (Form::Lines, _) => Some(Self::Lines(JsonLines::new())),
            (Form::Stream | Form::Page, _) => None,
        }
    }

    pub(super) fn content_type(&self) -> &'static str {
        match self {
            Self::Lines(_) => "application/x-ndjson",
            Self::Page(_) | Self::Text(_) => "application/json",
        }
    }

    /// Returns `true` if the body is sent in one piece.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Page(_) | Self::Text(_))
    }

    pub(super) fn poll(&mut self, state: &mut State, cx: &mut Context<'_>) -> Poll<Bytes> {
        match self {
            Self::Lines(_) => Poll::Pending,
            Self::Page(page) => page.poll(state, cx),
            Self::Text(text) => Poll::Ready(std::mem::take(text)),
        }
    }

    /// Converts bytes of the stream to this format.
    pub(super) fn of(&mut self, bytes: Bytes) -> Bytes {
        match self {
            Self::Lines(lines) => lines.of(&bytes),
            Self::Page(_) | Self::Text(_) => bytes,
        }
    }
}
