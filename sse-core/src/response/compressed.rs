use std::task::{Context, Poll};

use bytes::Bytes;

use super::source::{Source, SourceChunk};
use crate::{compress::Member, hub::EndReason};

/// A source whose reader accepts gzip.
pub(crate) struct Compressed {
    source: Source,
    member: Member,
}

impl Compressed {
    /// Wraps a source. A subscription shares its blocks with others; any other source gets its own compressor.
    pub(crate) fn new(mut source: Source) -> Self {
        let member = match &mut source {
            Source::Subscription(subscription) => {
                subscription.share_blocks();
                Member::of_shared()
            }
            _ => Member::of_own(),
        };
        Self { source, member }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn source_mut(&mut self) -> &mut Source {
        &mut self.source
    }

    pub(crate) fn poll_take(
        &mut self,
        end: Option<EndReason>,
        last_retry: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(SourceChunk, Option<EndReason>), EndReason>> {
        if let Source::Subscription(subscription) = &mut self.source {
            subscription.set_last_block(self.member.last());
        }
        self.source.poll_take(end, last_retry, cx)
    }

    /// Returns the bytes to send in place of `plain`, which was just taken from the source or is for this
    /// reader alone.
    pub(crate) fn encode(&mut self, plain: &Bytes) -> Bytes {
        let block = match &mut self.source {
            Source::Subscription(subscription) => subscription.take_block(),
            _ => None,
        };
        self.member.push(plain, block)
    }

    /// Returns the last bytes to send, in place of `plain`, which may be empty.
    pub(crate) fn finish(&mut self, plain: &[u8]) -> Bytes {
        self.member.finish(plain)
    }
}
