use crate::hub::readers::reader::Reader;
use crate::resume::EpochsVersion;

/// How far a reader is: its position, what was announced to its client, and which epoch table it has applied.
///
/// Only these methods change the three. The rules of resume are statements about them:
/// - a fork pulls a reader back to the position before it, and is a gap only if a later one was announced;
/// - a checkpoint announces the position, and never one that was announced before;
/// - a reader whose topics are finished ends once it knows the last position.
#[derive(Debug)]
pub(in crate::hub) struct Progress {
    position: u64,
    /// The last position announced to the client.
    announced: Option<u64>,
    epochs: EpochsVersion,
}

impl Progress {
    pub(in crate::hub) fn new(position: u64, epochs: EpochsVersion, reader: &Reader) -> Self {
        let mut progress = Self { position, announced: None, epochs };
        progress.move_to(position, reader);
        progress
    }

    pub(in crate::hub) fn position(&self) -> u64 {
        self.position
    }

    /// Returns the last position announced to the client.
    pub(in crate::hub) fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Returns the version of the epoch table that the reader has applied.
    pub(in crate::hub) fn epochs(&self) -> EpochsVersion {
        self.epochs
    }

    /// Moves to another position, which only a fork puts before the present one.
    #[inline]
    pub(in crate::hub) fn move_to(&mut self, position: u64, reader: &Reader) {
        self.position = position;
        reader.publish_position(position);
    }

    /// Passes everything up to `head`: none of it is for this reader.
    #[inline]
    pub(in crate::hub) fn pass_to(&mut self, head: u64, reader: &Reader) {
        self.move_to(self.position.max(head), reader);
    }

    /// Records that an event, a notice or a chunk up to `position` is sent to the client.
    #[inline]
    pub(in crate::hub) fn announce(&mut self, position: u64) {
        self.announced = Some(position);
    }

    /// The same, unless a later position was announced.
    pub(in crate::hub) fn announce_at_least(&mut self, position: u64) {
        self.announced = self.announced.max(Some(position));
    }

    /// Takes back what was announced since `announced` was returned: it is not sent.
    pub(in crate::hub) fn take_back(&mut self, announced: Option<u64>) {
        self.announced = announced;
    }

    /// Returns whether the client does not know the reader's position yet.
    pub(in crate::hub) fn is_unannounced(&self) -> bool {
        self.announced != Some(self.position)
    }

    /// Returns whether a position after `position` was announced to the client.
    pub(in crate::hub) fn has_announced_after(&self, position: u64) -> bool {
        self.announced.is_some_and(|announced| announced > position)
    }

    /// Records that the reader has applied this version of the epoch table.
    pub(in crate::hub) fn apply_epochs(&mut self, epochs: EpochsVersion) {
        self.epochs = epochs;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resume::{Epoch, EpochTable};

    #[test]
    fn positions_are_announced_once_and_taken_back() {
        let reader = Reader::new(0);
        let epochs = EpochTable::starting(Epoch::from_bits(1)).version();
        let mut progress = Progress::new(7, epochs, &reader);
        assert!(progress.is_unannounced() && reader.position() == 7);
        progress.announce(7);
        assert!(!progress.is_unannounced() && !progress.has_announced_after(7));
        let before = progress.announced();
        progress.announce(9);
        progress.move_to(9, &reader);
        assert!(progress.has_announced_after(8));
        progress.take_back(before);
        assert_eq!((progress.announced(), progress.position()), (Some(7), 9));
        progress.announce_at_least(3);
        assert_eq!(progress.announced(), Some(7));
        progress.pass_to(5, &reader);
        assert_eq!((progress.position(), reader.position()), (9, 9));
        progress.pass_to(12, &reader);
        assert_eq!((progress.position(), reader.position()), (12, 12));
    }
}
