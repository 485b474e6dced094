//! Feeds a decoder, and returns the result in the types of the naive reader.

use std::time::Duration;

use sse_core::decode::{DecodeError, Decoder, Item};

use super::reference_decoder::{Event, Naive};

/// Feeds one connection's chunks after a reset.
pub(crate) fn feed(
    decoder: &mut Decoder,
    seen: &mut Naive,
    chunks: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> Result<(), DecodeError> {
    decoder.reset();
    for chunk in chunks {
        let mut input = chunk.as_ref();
        while let Some(item) = decoder.decode(&mut input)? {
            let id = match item {
                Item::Message(message) => {
                    seen.events.push(Event {
                        event_type: message.event_type().to_owned(),
                        data: message.data().to_owned(),
                        last_event_id: message.last_event_id().to_owned(),
                    });
                    Some(message.last_event_id().to_owned())
                }
                Item::Id(id) => Some(id.to_owned()),
                Item::Retry(delay) => {
                    seen.retry = Some(millis(delay).to_string());
                    assert_eq!(decoder.retry(), Some(delay));
                    None
                }
                Item::Comment(text) => {
                    seen.comments.push(text.to_owned());
                    None
                }
                Item::Field { name, value } => {
                    seen.unknown.push((name.to_owned(), value.to_owned()));
                    None
                }
                item => panic!("{item:?}"),
            };
            if let Some(id) = id {
                assert_eq!(decoder.last_event_id(), id);
                seen.last_event_id = id;
            }
        }
        assert!(input.is_empty(), "decode returned None before the end of its input");
    }
    assert_eq!(decoder.last_event_id(), seen.last_event_id, "the last event id changed without an item");
    Ok(())
}

pub(crate) fn millis(delay: Duration) -> u64 {
    u64::try_from(delay.as_millis()).expect("the decoder has them from a u64")
}

/// `bytes` cut at the positions in `cuts`, which may have any order and range.
pub(crate) fn split<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}
