use super::block::{self, BlockWriter};
use crate::{
    history::{Entry, EntryKind, HistoryErrorKind, Topic},
    resume::{Epoch, EpochTable},
};

#[test]
fn a_block_is_read_under_its_own_position_alone() {
    let entry = Entry {
        topics: vec![Topic::new("a").expect("a topic")],
        kind: EntryKind::Event,
        lines: "data: 1\n".into(),
        key: None,
    };
    let mut writer = BlockWriter::default();
    writer.push(&entry);
    writer.push(&entry);
    let bytes = writer.take(10);
    let epochs = EpochTable::starting(Epoch::random());
    let mut records = Vec::new();
    block::read(&bytes, 10, 8, &epochs, 100, &mut records).expect("read");
    assert_eq!(records.iter().map(|record| record.cursor.seq()).collect::<Vec<_>>(), [9, 10]);
    for other in [9, 11, 10 | 1 << 48] {
        let error = block::read(&bytes, other, 8, &epochs, 100, &mut records).expect_err("another position");
        assert_eq!(error.kind(), HistoryErrorKind::Damaged);
    }
}
