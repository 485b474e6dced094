//! The rules of resume that are pure decisions.

use super::*;

/// A history with the epochs A from 1, B from 11 (a harmless change of name) and C from 16, which replaced B's 16
/// to 20. The head is 25.
struct Forked {
    epochs: EpochTable,
    a: Epoch,
    b: Epoch,
    c: Epoch,
}

fn forked() -> Forked {
    let [a, b, c] = [1, 2, 3].map(Epoch::from_bits);
    let mut epochs = EpochTable::starting(a);
    epochs.push(EpochRow { epoch: b, begins: 11 });
    epochs.push(EpochRow { epoch: c, begins: 16 });
    Forked { epochs, a, b, c }
}

impl Forked {
    fn judge(&self, epoch: Epoch, seq: u64, evicted: u64) -> Decision {
        let known = Known { epochs: &self.epochs, head: 25, evicted };
        decide(&Requested::Cursor(Cursor::new(epoch, seq)), &known)
    }
}

fn gap_at(reason: GapReason, resume: u64, missed: Option<u64>) -> Decision {
    Decision::GapAt { reason, resume, missed }
}

#[test]
fn rule_2_a_cursor_before_the_fork_is_exact() {
    let history = forked();
    assert_eq!(history.judge(history.a, 0, 0), Decision::Exact(0));
    assert_eq!(history.judge(history.a, 10, 0), Decision::Exact(10));
    assert_eq!(history.judge(history.b, 15, 0), Decision::Exact(15));
    assert_eq!(history.judge(history.c, 15, 0), Decision::Exact(15));
    assert_eq!(history.judge(history.c, 25, 0), Decision::Exact(25));
}

#[test]
fn rule_2_a_cursor_beyond_the_fork_resumes_before_it() {
    let history = forked();
    assert_eq!(history.judge(history.b, 16, 0), gap_at(GapReason::Fork, 15, None));
    assert_eq!(history.judge(history.b, 20, 0), gap_at(GapReason::Fork, 15, None));
    assert_eq!(history.judge(history.a, 11, 0), gap_at(GapReason::Fork, 10, None));
    assert_eq!(history.judge(history.b, 16, 18), gap_at(GapReason::Fork, 18, None));
}

#[test]
fn rule_2_an_older_fork_does_not_hide_a_deeper_one() {
    let mut history = forked();
    // D replaced everything from 5 on: of A, only 1 to 4 are unchanged.
    history.epochs.push(EpochRow { epoch: Epoch::from_bits(4), begins: 5 });
    assert_eq!(history.judge(history.a, 4, 0), Decision::Exact(4));
    assert_eq!(history.judge(history.a, 5, 0), gap_at(GapReason::Fork, 4, None));
    assert_eq!(history.judge(history.c, 20, 0), gap_at(GapReason::Fork, 4, None));
}

#[test]
fn rule_2_an_unknown_epoch_resumes_by_start() {
    let history = forked();
    assert_eq!(history.judge(Epoch::from_bits(9), 3, 0), Decision::GapByStart(GapReason::Epoch));
}

#[test]
fn rule_2_a_trimmed_cursor_resumes_at_the_floor() {
    let history = forked();
    assert_eq!(history.judge(history.c, 17, 20), gap_at(GapReason::Trimmed, 20, Some(3)));
    assert_eq!(history.judge(history.c, 20, 20), Decision::Exact(20));
}

#[test]
fn rule_5_a_cursor_beyond_the_head_is_a_gap() {
    let history = forked();
    assert_eq!(history.judge(history.c, 26, 0), Decision::GapByStart(GapReason::Future));
    assert_eq!(history.judge(history.c, u64::MAX, 0), Decision::GapByStart(GapReason::Future));
}

#[test]
fn a_records_epoch_is_the_last_that_begins_before_it() {
    let history = forked();
    let epochs = [1, 10, 11, 15, 16, 25].map(|seq| history.epochs.at(seq));
    assert_eq!(epochs, [history.a, history.a, history.b, history.b, history.c, history.c]);
    assert_eq!(history.epochs.current(), history.c);
    assert_eq!(history.epochs.fork_since(EpochsVersion::from_bits(2)), Some(16));
    assert_eq!(history.epochs.fork_since(EpochsVersion::from_bits(3)), None);
}

#[test]
fn g8_each_position_has_one_spelling() {
    let cursor = Cursor::new(Epoch::from_bits(0xabc), 42);
    for cursor in
        [cursor, cursor.with_checksum(7), Cursor::new(Epoch::random(), u64::MAX).with_checksum(u32::MAX)]
    {
        let text = cursor.to_string();
        assert_eq!(text.parse(), Ok(cursor));
        let mut written = Vec::new();
        cursor.write(&mut written);
        assert_eq!(written, text.as_bytes());
        assert!(text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    }
    for text in [
        "",
        "-",
        "0000000000000abc",
        "0000000000000abc-",
        "0000000000000abc-042",
        "0000000000000abc-+42",
        "0000000000000ABC-42",
        "0000000000000abc-42-",
        "0000000000000abc-42-7",
        "0000000000000abc-42-00000007-",
        "0000000000000abc-18446744073709551616",
        " 0000000000000abc-42",
        "+000000000000abc-42",
    ] {
        assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text:?}");
    }
}

#[test]
fn what_an_engine_stores_of_a_history_comes_back_as_it_was() {
    let history = forked();
    assert_eq!(Epoch::from_bits(0xabc).to_bits(), 0xabc);
    assert_eq!(EpochTable::from_rows(history.epochs.rows().to_vec()), Some(history.epochs));
    assert_eq!(EpochTable::from_rows(Vec::new()), None);
    let cursor = Cursor::new(history.a, 7);
    assert_eq!((cursor.checksum(), cursor.with_checksum(9).checksum()), (None, Some(9)));
    assert!(InvalidCursor.to_string().contains("use an id that a hub sent"), "{InvalidCursor}");
}

#[test]
fn random_epochs_differ() {
    let epochs: std::collections::HashSet<_> = (0..1_000).map(|_| Epoch::random()).collect();
    assert_eq!(epochs.len(), 1_000);
}

mod news {
    use super::*;

    fn table(rows: &[(u64, u64)]) -> EpochTable {
        let row =
            |(epoch, begins): &(u64, u64)| EpochRow { epoch: Epoch::from_bits(*epoch), begins: *begins };
        EpochTable::from_rows(rows.iter().map(row).collect()).expect("rows")
    }

    /// Returns the rows added to `known`, which agrees with `store` afterwards.
    fn added(known: &[(u64, u64)], store: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let (mut known, store) = (table(known), table(store));
        let news = known.news(&store);
        news.iter().for_each(|row| known.push(*row));
        if !news.is_empty() {
            assert_eq!(known.first_difference(&store), None, "{known:?}");
            assert_eq!(known.news(&store), []);
        }
        news.iter().map(|row| (row.epoch.to_bits(), row.begins)).collect()
    }

    #[test]
    fn rows_that_follow_are_added_in_their_order() {
        assert_eq!(added(&[(1, 1)], &[(1, 1), (2, 11)]), [(2, 11)]);
        // An epoch that was replaced at once is known too: its cursors are a fork, not an unknown epoch.
        assert_eq!(added(&[(1, 1)], &[(1, 1), (2, 11), (3, 6)]), [(2, 11), (3, 6)]);
        // Old rows are no longer in the history's table.
        assert_eq!(added(&[(1, 1), (2, 11)], &[(2, 11), (3, 21)]), [(3, 21)]);
        assert_eq!(added(&[(1, 1), (2, 11)], &[(7, 900), (8, 950)]), [(7, 900), (8, 950)]);
    }

    #[test]
    fn a_table_that_was_read_earlier_adds_nothing() {
        assert_eq!(added(&[(1, 1), (2, 11)], &[(1, 1)]), []);
        assert_eq!(added(&[(1, 1), (2, 11), (3, 21)], &[(1, 1), (2, 11)]), []);
        assert_eq!(added(&[(1, 1), (2, 11)], &[(1, 1), (2, 11)]), []);
    }

    #[test]
    fn e3_a_store_without_the_newest_epoch_replaces_it() {
        // The former primary stopped where the other one was promoted.
        assert_eq!(added(&[(1, 1), (2, 101)], &[(1, 1), (3, 101)]), [(3, 101)]);
        // The former primary continued for a while: its own records from 101 on come back.
        assert_eq!(added(&[(1, 1), (2, 101)], &[(1, 1), (3, 111)]), [(1, 101), (3, 111)]);
        // The former primary had fewer records.
        assert_eq!(added(&[(1, 1), (2, 101)], &[(1, 1), (3, 91)]), [(3, 91)]);
        // Then back to the other one, which had continued as well.
        let both = [(1, 1), (2, 101), (1, 101), (3, 111)];
        assert_eq!(added(&both, &[(1, 1), (2, 101), (4, 157)]), [(2, 101), (4, 157)]);
    }

    #[test]
    fn an_epoch_that_came_back_is_judged_by_its_last_row() {
        let known = table(&[(1, 1), (2, 101), (1, 101), (3, 111)]);
        let judge = |epoch, seq| {
            let known = Known { epochs: &known, head: 120, evicted: 0 };
            decide(&Requested::Cursor(Cursor::new(Epoch::from_bits(epoch), seq)), &known)
        };
        assert_eq!(judge(1, 105), Decision::Exact(105));
        assert_eq!(judge(1, 111), gap_at(GapReason::Fork, 110, None));
        assert_eq!(judge(2, 105), gap_at(GapReason::Fork, 100, None));
        assert_eq!(judge(3, 120), Decision::Exact(120));
        assert_eq!(
            (known.fork_since(EpochsVersion::from_bits(2)), known.through(Epoch::from_bits(1)).rows().len()),
            (Some(101), 3)
        );
    }

    #[test]
    fn an_emptied_store_replaces_everything() {
        assert_eq!(added(&[(1, 1), (2, 101)], &[(9, 1)]), [(9, 1)]);
    }

    #[test]
    fn a_record_stands_only_in_the_epoch_of_its_position() {
        let known = table(&[(1, 51), (2, 101), (3, 91)]);
        let names = |epoch, seq| known.names(Cursor::new(Epoch::from_bits(epoch), seq));
        assert!(names(1, 90) && names(3, 91) && names(3, 200));
        assert!(!names(1, 91) && !names(2, 101) && !names(4, 200));
        // The epochs before the table are unknown.
        assert!(names(4, 50));
    }
}
