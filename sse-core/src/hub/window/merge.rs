use std::{cmp::Reverse, collections::BinaryHeap, ops::Range, sync::Arc};

use super::ring::{Evicted, TopicRing};
use crate::wire::Frame;

/// Merges the frames of several rings by position; a frame of several topics appears once.
///
/// Each ring is locked for one frame at a time, so it may lose frames meanwhile: then the merge stops before the
/// hole, and the next poll finds it.
pub(in crate::hub) fn merged(
    rings: &[Arc<TopicRing>],
    Range { start: position, end: last }: Range<u64>,
    ignored_evictions: &[u64],
    max: usize,
) -> Result<Vec<(u64, Frame)>, Evicted> {
    let next = |index: usize, after: u64| -> Result<Option<(u64, Frame)>, Evicted> {
        let Some(ring) = rings.get(index) else { return Ok(None) };
        let ring = ring.lock();
        if ring.misses_after(after, ignored_evictions.get(index)) {
            return Err(Evicted);
        }
        Ok(ring
            .after(after)
            .next()
            .filter(|kept| kept.seq <= last)
            .map(|kept| (kept.seq, kept.frame.clone())))
    };
    let mut heads: Vec<Option<Frame>> = vec![None; rings.len()];
    let mut order = BinaryHeap::with_capacity(rings.len());
    for index in 0..rings.len() {
        if let Some((seq, frame)) = next(index, position)? {
            order.push(Reverse((seq, index)));
            if let Some(head) = heads.get_mut(index) {
                *head = Some(frame);
            }
        }
    }
    let mut taken: Vec<(u64, Frame)> = Vec::new();
    let mut bytes = 0;
    while let Some(Reverse((seq, index))) = order.pop() {
        let frame = heads.get_mut(index).and_then(Option::take);
        if taken.last().is_none_or(|(last, _)| *last < seq)
            && let Some(frame) = frame
        {
            bytes += frame.bytes().len();
            if bytes > max && !taken.is_empty() {
                break;
            }
            taken.push((seq, frame));
        }
        match next(index, seq) {
            Ok(Some((seq, frame))) => {
                order.push(Reverse((seq, index)));
                if let Some(head) = heads.get_mut(index) {
                    *head = Some(frame);
                }
            }
            Ok(None) => {}
            Err(Evicted) => break,
        }
    }
    Ok(taken)
}
