use std::task::{Context, Poll};

use bytes::Bytes;

use super::source::{Source, SourceChunk};
use crate::{compress::Member, hub::EndReason};

/// A source whose reader takes gzip.
pub(crate) struct Compressed {
    source: Source,
    member: Member,
}

impl Compressed {
    /// A subscription shares its blocks with others, any other source has a compressor of its own.
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

    /// The bytes to send in place of `plain`, which was taken just now or is this reader's alone.
    pub(crate) fn encode(&mut self, plain: &Bytes) -> Bytes {
        let block = match &mut self.source {
            Source::Subscription(subscription) => subscription.take_block(),
            _ => None,
        };
        self.member.push(plain, block)
    }

    /// The same for the last of all, which may be nothing.
    pub(crate) fn finish(&mut self, plain: &[u8]) -> Bytes {
        self.member.finish(plain)
    }
}
