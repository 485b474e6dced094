use std::collections::VecDeque;

use super::{notice::Notice, sieve::PermittedFrame};
use crate::wire::Frame;

/// Frames that are sent to a reader before its next look at the window, each with its position: notices, and events that
/// its filter let through. Nearly always there are none, and then it is a pointer.
#[derive(Default)]
pub(super) struct Ahead(Option<Box<Frames>>);

#[derive(Default)]
struct Frames {
    frames: VecDeque<(u64, Frame)>,
    /// The position once all of that is said.
    through: u64,
}

impl Ahead {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What comes first.
    pub(super) fn first(&self) -> Option<&Frame> {
        self.0.as_ref()?.frames.front().map(|(_, frame)| frame)
    }

    /// Whether the first of it is a notice, or a part of a state, for a reader at `position`.
    pub(super) fn has_notice_at(&self, position: u64) -> bool {
        self.0.as_ref().and_then(|ahead| ahead.frames.front()).is_some_and(|(seq, _)| *seq <= position)
    }

    /// Adds a notice at the reader's present position.
    pub(super) fn push(&mut self, position: u64, notice: Notice) {
        self.add([(position, notice.into_frame())], position);
    }

    /// Adds frames after which the reader is at `through`; none change nothing.
    pub(super) fn extend(&mut self, frames: impl IntoIterator<Item = PermittedFrame>, through: u64) {
        self.add(frames.into_iter().map(PermittedFrame::into_parts), through);
    }

    fn add(&mut self, frames: impl IntoIterator<Item = (u64, Frame)>, through: u64) {
        let mut frames = frames.into_iter().peekable();
        if frames.peek().is_some() {
            let ahead = self.0.get_or_insert_default();
            ahead.frames.extend(frames);
            ahead.through = through;
        }
    }

    /// Drops what lies behind `position`, where the reader goes on.
    pub(super) fn cut(&mut self, position: u64) {
        if let Some(ahead) = &mut self.0 {
            ahead.frames.retain(|(seq, _)| *seq <= position);
            ahead.through = position;
            if ahead.frames.is_empty() {
                self.0 = None;
            }
        }
    }

    /// Takes as much as fits into `most` bytes, but at least one frame; with the position after it if that was all.
    pub(super) fn take(&mut self, most: usize) -> (Vec<(u64, Frame)>, Option<u64>) {
        let Some(ahead) = &mut self.0 else { return (Vec::new(), None) };
        let mut bytes = 0;
        let fits = |(_, frame): &&(u64, Frame)| {
            bytes += frame.bytes().len();
            bytes <= most
        };
        let count = ahead.frames.iter().take_while(fits).count().max(1).min(ahead.frames.len());
        let frames = ahead.frames.drain(..count).collect();
        let through = ahead.frames.is_empty().then_some(ahead.through);
        if through.is_some() {
            self.0 = None;
        }
        (frames, through)
    }
}
