//! Each violation is planted and must be found: a checker that finds nothing would be worse than none.

use sse_core::{
    Cursor,
    history::{Epoch, EpochRow},
};

use super::{Digest, EngineKind, Kept, Plan, Published, Reader, Recorded, Step, Violation, judge};

const A: u64 = 0xa;
const B: u64 = 0xb;

fn at(epoch: u64, seq: u64) -> Cursor {
    Cursor::new(Epoch::from_bits(epoch), seq)
}

fn event(epoch: u64, seq: u64) -> Step {
    Step::Event { id: at(epoch, seq), digest: digest(epoch, seq) }
}

fn gap(epoch: u64, seq: u64) -> Step {
    Step::Gap { id: at(epoch, seq), is_trimmed: false }
}

fn trimmed(epoch: u64, seq: u64) -> Step {
    Step::Gap { id: at(epoch, seq), is_trimmed: true }
}

fn checkpoint(epoch: u64, seq: u64) -> Step {
    Step::Checkpoint { id: at(epoch, seq) }
}

fn digest(epoch: u64, seq: u64) -> Digest {
    Digest::of(&format!("{epoch:x}.{seq}"))
}

fn published(epoch: u64, seq: u64, topic: &str) -> Published {
    let name = format!("{epoch:x}.{seq}");
    Published { digest: Digest::of(&name), name, topics: vec![topic.to_owned()], acked: Some(at(epoch, seq)) }
}

fn reader(steps: impl IntoIterator<Item = Step>) -> Reader {
    let (name, topics) = ("r".to_owned(), vec!["t".to_owned()]);
    Reader { name, topics, steps: steps.into_iter().collect(), has_reached_end: true }
}

/// Six records of one epoch, all acknowledged and kept; those at 2 and 4 are of another topic.
fn calm(steps: impl IntoIterator<Item = Step>) -> Recorded {
    let topic = |seq| if seq == 2 || seq == 4 { "other" } else { "t" };
    Recorded {
        published: (1..=6).map(|seq| published(A, seq, topic(seq))).collect(),
        readers: vec![reader(steps)],
        kept: Kept {
            records: (1..=6).map(|seq| (at(A, seq), digest(A, seq))).collect(),
            oldest: 1,
            epochs: vec![EpochRow::new(Epoch::from_bits(A), 1)],
        },
        may_lose: false,
    }
}

/// Five records of an epoch; the last two were lost and replaced by two of another epoch.
fn forked(steps: impl IntoIterator<Item = Step>) -> Recorded {
    let stands = [(A, 1), (A, 2), (A, 3), (B, 4), (B, 5)];
    let all = stands.into_iter().chain([(A, 4), (A, 5)]);
    Recorded {
        published: all.map(|(epoch, seq)| published(epoch, seq, "t")).collect(),
        readers: vec![reader(steps)],
        kept: Kept {
            records: stands.map(|(epoch, seq)| (at(epoch, seq), digest(epoch, seq))).into(),
            oldest: 1,
            epochs: vec![EpochRow::new(Epoch::from_bits(A), 1), EpochRow::new(Epoch::from_bits(B), 4)],
        },
        may_lose: true,
    }
}

fn violations(recorded: &Recorded) -> Vec<Violation> {
    judge(recorded).violations
}

fn missing(after: impl Into<Option<u64>>, missing: u64, then: u64) -> Violation {
    let (after, missing, then) = (after.into().map(|seq| at(A, seq)), at(A, missing), at(A, then));
    Violation::Missing { reader: r(), after, missing, then }
}

fn r() -> String {
    "r".to_owned()
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let good = [
        calm([event(A, 1), event(A, 3), event(A, 5), event(A, 6)]),
        calm([event(A, 1), checkpoint(A, 2), event(A, 3), checkpoint(A, 4), event(A, 5), event(A, 6)]),
        calm([trimmed(A, 4), event(A, 5), event(A, 6)]),
        // A gap with unknown bounds starts with the oldest kept event, which the reader may have seen before.
        calm([event(A, 1), event(A, 3), gap(A, 0), event(A, 1), event(A, 3), event(A, 5), event(A, 6)]),
        forked([event(A, 1), event(A, 2), event(A, 3), event(B, 4), event(B, 5)]),
        forked([event(A, 1), event(A, 2), event(A, 3), event(A, 4), gap(B, 3), event(B, 4), event(B, 5)]),
        // The id of a gap is of the newest epoch, even before records of an older one.
        forked([gap(B, 1), event(A, 2), event(A, 3), event(B, 4), event(B, 5)]),
    ];
    for recorded in good {
        assert_eq!(violations(&recorded), [], "{:?}", recorded.readers);
    }
}

#[test]
fn an_id_of_two_records_is_found() {
    let mut recorded = calm([event(A, 1), event(A, 3), event(A, 5), event(A, 6)]);
    recorded.readers.push(reader([
        Step::Event { id: at(A, 1), digest: digest(A, 3) },
        event(A, 3),
        event(A, 5),
        event(A, 6),
    ]));
    let names = ["a.1".to_owned(), "a.3".to_owned()];
    assert_eq!(violations(&recorded), [Violation::TwoRecords { id: at(A, 1), names: names.clone() }]);
    // Also where the engine itself holds a record other than the acknowledged one.
    let mut recorded = calm([event(A, 3), event(A, 5), event(A, 6)]);
    recorded.kept.records[0].1 = digest(A, 3);
    assert!(violations(&recorded).contains(&Violation::TwoRecords { id: at(A, 1), names }));
}

#[test]
fn what_comes_twice_or_out_of_order_is_found() {
    let twice = calm([event(A, 1), event(A, 3), event(A, 3), event(A, 5), event(A, 6)]);
    let (before, then) = (at(A, 3), at(A, 3));
    assert_eq!(violations(&twice), [Violation::OutOfOrder { reader: r(), before, then }]);
    let again = calm([event(A, 1), event(A, 3), event(A, 1), event(A, 3), event(A, 5), event(A, 6)]);
    let (before, then) = (at(A, 3), at(A, 1));
    assert!(violations(&again).contains(&Violation::OutOfOrder { reader: r(), before, then }));
    let back = calm([event(A, 1), event(A, 3), checkpoint(A, 2), event(A, 5), event(A, 6)]);
    let (before, then) = (at(A, 3), at(A, 2));
    assert!(violations(&back).contains(&Violation::OutOfOrder { reader: r(), before, then }));
}

#[test]
fn an_older_epoch_after_a_newer_one_is_found() {
    let recorded = forked([event(A, 1), event(A, 2), event(A, 3), event(B, 4), event(A, 5)]);
    let (before, then) = (at(B, 4), at(A, 5));
    assert!(violations(&recorded).contains(&Violation::OutOfOrder { reader: r(), before, then }));
    // Also if the table of epochs has lost both.
    let mut recorded = recorded;
    recorded.kept.epochs = vec![EpochRow::new(Epoch::from_bits(0xc), 1)];
    recorded.kept.records.clear();
    recorded.readers[0].steps = [event(A, 1), event(B, 4), event(A, 5)].into();
    assert!(violations(&recorded).contains(&Violation::OutOfOrder { reader: r(), before, then }));
}

#[test]
fn a_hole_is_found_wherever_it_is() {
    let first = calm([event(A, 3), event(A, 5), event(A, 6)]);
    assert_eq!(violations(&first), [missing(None, 1, 3)]);
    let middle = calm([event(A, 1), event(A, 3), event(A, 6)]);
    assert_eq!(violations(&middle), [missing(3, 5, 6)]);
    let passed = calm([event(A, 1), checkpoint(A, 3), event(A, 5), event(A, 6)]);
    assert_eq!(violations(&passed), [missing(1, 3, 3)]);
    let after_a_gap = calm([event(A, 1), trimmed(A, 2), event(A, 5), event(A, 6)]);
    assert_eq!(violations(&after_a_gap), [missing(2, 3, 5)]);
}

#[test]
fn a_gap_that_is_said_too_late_is_found() {
    let late = calm([event(A, 1), event(A, 5), trimmed(A, 5), event(A, 6)]);
    assert_eq!(violations(&late), [missing(1, 3, 5)]);
    let late = forked([event(A, 1), event(A, 2), event(A, 3), event(A, 4), event(B, 5), gap(B, 5)]);
    let (lost, then) = (at(A, 4), at(B, 5));
    assert_eq!(violations(&late), [Violation::Unsaid { reader: r(), lost, then }]);
}

#[test]
fn a_hole_in_what_was_trimmed_or_lost_since_is_found() {
    let mut trimmed = calm([event(A, 1), event(A, 5), event(A, 6)]);
    trimmed.kept.oldest = 6;
    trimmed.kept.records.drain(..5);
    assert_eq!(violations(&trimmed), [missing(1, 3, 5)]);
    // Within an epoch nothing is replaced, so its lost end has no hole either; positions below it belong to it as well.
    let rest = [gap(B, 3), event(B, 4), event(B, 5)];
    let lost = forked([event(A, 1), event(A, 2), event(A, 3), event(A, 5)].into_iter().chain(rest));
    assert_eq!(violations(&lost), [missing(3, 4, 5)]);
    let lost = forked([event(A, 1), event(A, 2), event(A, 4)].into_iter().chain(rest));
    assert_eq!(violations(&lost), [missing(2, 3, 4)]);
}

#[test]
fn a_loss_that_a_reader_is_not_told_of_is_found() {
    let recorded = forked([event(A, 1), event(A, 2), event(A, 3), event(A, 4), event(A, 5), event(B, 5)]);
    let (lost, then) = (at(A, 5), at(B, 5));
    assert!(violations(&recorded).contains(&Violation::Unsaid { reader: r(), lost, then }));
    // A reader that had only passed its position.
    let recorded = forked([event(A, 1), event(A, 2), event(A, 3), checkpoint(A, 4), event(B, 5)]);
    let (lost, then) = (at(A, 4), at(B, 5));
    assert!(violations(&recorded).contains(&Violation::Unsaid { reader: r(), lost, then }));
}

#[test]
fn a_checkpoint_of_an_epoch_that_was_lost_with_its_row() {
    // Its epoch may have begun after the checkpoint; if a record of the epoch comes before the checkpoint, it has not.
    const C: u64 = 0xc;
    let steps = [event(A, 1), event(A, 2), event(A, 3), checkpoint(C, 3), event(B, 4), event(B, 5)];
    assert_eq!(violations(&forked(steps)), []);
    let mut recorded = forked(steps);
    recorded.published.push(published(C, 3, "other"));
    let (lost, then) = (at(C, 3), at(B, 4));
    assert!(violations(&recorded).contains(&Violation::Unsaid { reader: r(), lost, then }));
}

#[test]
fn an_acknowledgement_of_a_lost_epoch_is_a_loss() {
    // Events sent to the abandoned server had arrived there.
    let mut recorded = forked([event(A, 1), event(A, 2), event(A, 3), event(B, 4), event(B, 5)]);
    recorded.published.truncate(5);
    recorded.published[4].acked = Some(at(0xc, 9));
    assert_eq!(judge(&recorded).counts.lost, 1);
    assert_eq!(violations(&recorded), []);
}

#[test]
fn a_loss_without_a_fault_that_loses_is_found() {
    let steps = [event(A, 1), event(A, 2), event(A, 3), event(B, 4), event(B, 5)];
    let recorded = Recorded { may_lose: false, ..forked(steps) };
    let lost = |seq| Violation::Lost { id: at(A, seq), name: format!("a.{seq}") };
    assert_eq!(violations(&recorded), [lost(4), lost(5)]);
    // A hole among the kept records is a loss; trimming is not.
    let mut recorded = calm([event(A, 1), event(A, 3), event(A, 5), event(A, 6)]);
    recorded.kept.records.remove(3);
    assert_eq!(violations(&recorded), [lost(4)]);
    let mut recorded = calm([event(A, 1), event(A, 3), event(A, 5), event(A, 6)]);
    recorded.kept.records.drain(..3);
    recorded.kept.oldest = 4;
    assert_eq!(violations(&recorded), []);
}

#[test]
fn an_acknowledgement_of_another_id_is_found() {
    let mut recorded = forked([event(A, 1), event(A, 2), event(A, 3), event(B, 4), event(B, 5)]);
    // The lost ones are forgotten; the last was acknowledged under the previous epoch.
    recorded.published.truncate(5);
    recorded.published[4].acked = Some(at(A, 5));
    let renamed = Violation::Renamed { name: "b.5".to_owned(), acked: at(A, 5), kept: at(B, 5) };
    assert_eq!(violations(&recorded), [renamed]);
}

#[test]
fn what_nobody_published_is_found() {
    let mut recorded = calm([event(A, 1), event(A, 3), event(A, 5), event(A, 6)]);
    recorded.published.remove(1);
    let never = |by: &str| Violation::NeverPublished { by: by.to_owned(), id: at(A, 2) };
    assert_eq!(violations(&recorded), [never("the engine")]);
    recorded.readers[0].steps.insert(1, event(A, 2));
    assert_eq!(violations(&recorded)[..2], [never("r"), never("the engine")]);
}

#[test]
fn what_is_kept_twice_is_found() {
    let mut recorded = calm([event(A, 1), event(A, 3), event(A, 5), event(A, 6)]);
    recorded.kept.records.push((at(A, 7), digest(A, 2)));
    let ids = [at(A, 2), at(A, 7)];
    assert_eq!(violations(&recorded), [Violation::KeptTwice { name: "a.2".to_owned(), ids }]);
}

#[test]
fn a_reader_that_is_refused_or_stuck_is_found() {
    let mut recorded = calm([event(A, 1), Step::Refused { status: 503 }, Step::Garbled]);
    recorded.readers[0].has_reached_end = false;
    let expected = [
        Violation::Refused { reader: r(), status: 503 },
        Violation::Garbled { reader: r() },
        Violation::NoEnd { reader: r(), last: Some(at(A, 1)) },
    ];
    assert_eq!(violations(&recorded), expected);
}

#[test]
fn needless_gaps_are_counted() {
    let needless = |recorded: &Recorded| {
        let verdict = judge(recorded);
        (verdict.counts.gaps, verdict.counts.needless)
    };
    let all = [event(A, 1), event(A, 3), event(A, 5), event(A, 6)];
    assert_eq!(needless(&calm(all)), (0, 0));
    // Between 1 and 2 there is no record of the reader's topic, between 1 and 3 there is one.
    assert_eq!(needless(&calm([event(A, 1), trimmed(A, 2), event(A, 3), event(A, 5), event(A, 6)])), (1, 1));
    assert_eq!(needless(&calm([event(A, 1), trimmed(A, 3), event(A, 5), event(A, 6)])), (1, 0));
    let [one, two, three, four] = [event(A, 1), event(A, 2), event(A, 3), event(A, 4)];
    assert_eq!(needless(&forked([one, two, three, gap(B, 3), event(B, 4), event(B, 5)])), (1, 1));
    assert_eq!(needless(&forked([one, two, three, four, gap(B, 3), event(B, 4), event(B, 5)])), (1, 0));
    assert_eq!(judge(&forked([])).counts.lost, 2);
}

#[test]
fn a_seed_has_one_plan_and_that_of_an_odd_one_loses_nothing() {
    let length = std::time::Duration::from_secs(20);
    for engine in [EngineKind::File, EngineKind::Redis, EngineKind::Nats, EngineKind::Postgres] {
        for seed in 0..50 {
            let plan = Plan::new(engine, seed, length);
            assert_eq!(plan, Plan::new(engine, seed, length));
            assert_ne!(plan, Plan::new(engine, seed + 2, length));
            assert_eq!(plan.may_lose(), seed % 2 == 0, "{engine} {seed}");
        }
    }
}
