//! The forms for clients that cannot read event streams.

mod json_lines;
mod page;

pub(super) use json_lines::JsonLines;
pub(super) use page::PageBody;
