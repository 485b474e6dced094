//! Reads items from bytes.

use std::{mem, ops::Range};

use super::{
    DecodeError, Decoder, Item, MessageRef,
    block::Block,
    field::{Digits, Fields, Kind, line_break, split, split_line},
    scan::Stop,
    step::Step,
    text::Read,
};

const BYTE_ORDER_MARK: [u8; 3] = *b"\xef\xbb\xbf";

impl Decoder {
    /// Reads up to the next item.
    #[inline]
    pub(super) fn advance<'i>(
        &mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<(Step, Read<'i>)>, DecodeError> {
        if !self.is_settled {
            self.settle(input)?;
        }
        if self.is_lent {
            self.is_lent = false;
            self.block.clear();
        }
        if self.line.is_open() {
            let step = self.finish_line(input)?;
            if step.is_some() || input.is_empty() {
                return Ok(step.map(|step| (step, Read::default())));
            }
        }
        self.read_lines(input)
    }

    fn read_lines<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<(Step, Read<'i>)>, DecodeError> {
        loop {
            let scanned = self.block.scan(input);
            let (bytes, rest) = input.split_at(scanned.at);
            *input = rest;
            self.note_end(bytes, rest);
            match scanned.stop {
                Stop::Blank(fields) => {
                    let read = if fields.data.is_some() { Read::checked(bytes) } else { Read::new(bytes) };
                    if let Some(step) = self.end_block(fields, read) {
                        return Ok(Some((step, read)));
                    }
                }
                Stop::Line { kind, len, value } => {
                    let text = bytes.get(value.clone()).unwrap_or_default();
                    if let Some(step) = self.take(kind, len, text)? {
                        let (step, read) = match step {
                            Step::Comment(_) => (Step::Comment(Some(value)), Read::new(bytes)),
                            Step::Field(_) => (Step::Field(Some(value)), Read::new(bytes)),
                            step => (step, Read::default()),
                        };
                        return Ok(Some((step, read)));
                    }
                }
                Stop::Unfinished => {
                    if !rest.is_empty() {
                        *input = &[];
                        self.line.push(rest, &mut self.block, self.report)?;
                    }
                    return Ok(None);
                }
            }
        }
    }

    /// Continues a line that began in an earlier chunk.
    fn finish_line(&mut self, input: &mut &[u8]) -> Result<Option<Step>, DecodeError> {
        let Some((part, rest)) = split_line(input) else {
            self.line.push(mem::take(input), &mut self.block, self.report)?;
            return Ok(None);
        };
        let (end, rest) = rest.split_at(line_break(rest));
        *input = rest;
        self.note_end(end, rest);
        self.line.push(part, &mut self.block, self.report)?;
        let Some((head, len)) = self.line.take_short() else {
            let step = self.line.end(&mut self.block);
            return Ok(self.apply(step));
        };
        let (kind, value) = split(head.get(..len).unwrap_or_default());
        let step = self.take(kind, len, value)?;
        if let Some(Step::Comment(_) | Step::Field(_)) = step {
            self.line.text.clear();
            self.line.text.push(value);
        }
        Ok(step)
    }

    /// Completes what the previous calls left open.
    fn settle(&mut self, input: &mut &[u8]) -> Result<(), DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        while let Some(expected) = BYTE_ORDER_MARK.get(self.mark_len) {
            match input.split_first() {
                None => return Ok(()),
                Some((byte, rest)) if byte == expected => {
                    self.mark_len += 1;
                    *input = rest;
                }
                // Not a byte order mark, so these bytes are the start of the first line.
                Some(_) => {
                    let len = mem::replace(&mut self.mark_len, BYTE_ORDER_MARK.len());
                    let line = BYTE_ORDER_MARK.get(..len).unwrap_or_default();
                    if !line.is_empty() {
                        self.line.push(line, &mut self.block, self.report)?;
                    }
                }
            }
        }
        if input.is_empty() {
            return Ok(());
        }
        if mem::take(&mut self.is_after_cr) {
            *input = input.strip_prefix(b"\n").unwrap_or(input);
        }
        self.is_settled = true;
        Ok(())
    }

    /// Remembers a CR at the end of the chunk.
    #[inline]
    fn note_end(&mut self, read: &[u8], rest: &[u8]) {
        if rest.is_empty() && read.ends_with(b"\r") {
            self.is_after_cr = true;
            self.is_settled = false;
        }
    }

    /// Takes a whole line of `len` bytes. The text of a comment or a field is not copied.
    fn take(&mut self, kind: Kind, len: usize, value: &[u8]) -> Result<Option<Step>, DecodeError> {
        if kind == Kind::Retry {
            let mut digits = Digits::default();
            digits.push(value);
            return Ok(self.apply(digits.delay().map(Step::Retry)));
        }
        if !self.report.wants(kind) || !self.block.admits(kind, len, value.len())? {
            return Ok(None);
        }
        match kind {
            Kind::Comment => return Ok(Some(Step::Comment(None))),
            Kind::Other => return Ok(Some(Step::Field(None))),
            _ => self.block.put(kind, value),
        }
        Ok(None)
    }

    /// Applies a delay, which is valid from its own line on.
    fn apply(&mut self, step: Option<Step>) -> Option<Step> {
        if let Some(Step::Retry(delay)) = step {
            self.retry = Some(delay);
        }
        step
    }

    /// Ends the block at a blank line. The id of the block counts even without data.
    #[inline]
    fn end_block(&mut self, fields: Fields, read: Read<'_>) -> Option<Step> {
        let Block { has_data, has_id, skipped, .. } = self.block;
        if has_id {
            let id = match &fields.id {
                Some(id) => read.text(id),
                None => String::from_utf8_lossy(&self.block.id),
            };
            self.last_event_id.clear();
            self.last_event_id.push_str(&id);
        }
        if has_data {
            self.is_lent = true;
            return Some(Step::Message(fields));
        }
        self.block.clear();
        skipped.map(Step::Skipped).or(has_id.then_some(Step::Id))
    }

    /// Returns the available part of a large event's data, at the end of a chunk.
    pub(super) fn part(&mut self) -> Option<Item<'_>> {
        let least = self.report.parts?;
        if self.is_lent || self.block.data.len() < least {
            return None;
        }
        self.block.data.set_apart();
        self.line.make_room(&self.block);
        Some(Item::Part(self.block.data.apart()))
    }

    #[inline]
    pub(super) fn item<'a>(&'a mut self, step: Step, read: Read<'a>) -> Item<'a> {
        let text = |range: Option<Range<usize>>| range.map(|range| read.text(&range));
        match step {
            Step::Comment(range) => Item::Comment(self.line.text.read(text(range))),
            Step::Field(range) => {
                let line = self.line.text.read(text(range));
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                Item::Field { name, value: value.strip_prefix(' ').unwrap_or(value) }
            }
            Step::Id => Item::Id(&self.last_event_id),
            Step::Message(fields) => Item::Message(MessageRef {
                event_type: match self.block.event_type.read(text(fields.event_type)) {
                    "" => "message",
                    event_type => event_type,
                },
                data: self.block.data.read(text(fields.data)),
                last_event_id: &self.last_event_id,
            }),
            Step::Retry(delay) => Item::Retry(delay),
            Step::Skipped(error) => Item::Skipped { error, last_event_id: &self.last_event_id },
        }
    }
}
