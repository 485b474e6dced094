//! Fan-out as an application would write it by hand if it knew what is fast: encode once, keep the newest frames, join
//! what is pending, share the joined chunk with everyone at the same place. No resume, no limits, no keep-alive.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::watch;

use crate::corpus::EVENT_TYPE;

/// How many frames are kept.
const KEPT: usize = 1_024;

/// The newest frames, and the chunks that were made of them.
#[derive(Default)]
pub(crate) struct Log {
    state: Mutex<State>,
    head: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Bytes>,
    head: u64,
    /// The positions before and after, and the bytes.
    last: Option<(u64, u64, Bytes)>,
}

impl Log {
    pub(crate) fn push(&self, data: &str) {
        let head = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.head += 1;
            let frame = format!("id: {}\nevent: {EVENT_TYPE}\ndata: {data}\n\n", state.head);
            state.frames.push_back(frame.into());
            if state.frames.len() > KEPT {
                state.frames.pop_front();
            }
            state.head
        };
        self.head.send_replace(head);
    }

    /// What one reader gets from now on.
    pub(crate) fn chunks(self: &Arc<Self>) -> impl Stream<Item = Bytes> + Send + 'static {
        let (log, head) = (Arc::clone(self), self.head.subscribe());
        let position = *head.borrow();
        stream::unfold((log, head, position), async |(log, mut head, position)| {
            loop {
                if let Some((to, bytes)) = log.after(position) {
                    return Some((bytes, (log, head, to)));
                }
                head.changed().await.ok()?;
            }
        })
    }

    fn after(&self, position: u64) -> Option<(u64, Bytes)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { frames, head, last } = &mut *state;
        if *head <= position {
            return None;
        }
        if let Some((from, to, bytes)) = last
            && (*from, *to) == (position, *head)
        {
            return Some((*to, bytes.clone()));
        }
        let pending = usize::try_from(*head - position).unwrap_or(usize::MAX);
        let bytes: Bytes =
            match frames.iter().skip(frames.len().saturating_sub(pending)).collect::<Vec<_>>().as_slice() {
                [frame] => Bytes::clone(frame),
                frames => frames.iter().flat_map(|frame| frame.iter().copied()).collect(),
            };
        *last = Some((position, *head, bytes.clone()));
        Some((*head, bytes))
    }
}
