use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

use sse_core::{Cursor, history::Epoch};

use super::recorded::{Digest, Published, Reader, Recorded, Step};

/// The result of [`judge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Each broken promise; empty means that the run passed.
    pub violations: Vec<Violation>,
    /// The counts of judged events, losses and gaps.
    pub counts: Counts,
}

/// A promise that was broken, and where.
#[allow(missing_docs, reason = "each variant says what its fields are")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// One id names two records.
    TwoRecords { id: Cursor, names: [String; 2] },
    /// A reader received an id that is not after the one before.
    OutOfOrder { reader: String, before: Cursor, then: Cursor },
    /// A reader received `then` after `after`, without `missing`, which lies between, and without a gap.
    Missing { reader: String, after: Option<Cursor>, missing: Cursor, then: Cursor },
    /// A reader had seen or passed a lost record, and received `then`, which replaced it, without a gap between.
    Unsaid { reader: String, lost: Cursor, then: Cursor },
    /// An acknowledged event is missing although no fault occurred that may lose it.
    Lost { id: Cursor, name: String },
    /// An event was acknowledged under an id, and the engine holds it under another.
    Renamed { name: String, acked: Cursor, kept: Cursor },
    /// A reader received, or the engine kept, an event that was never published.
    NeverPublished { by: String, id: Cursor },
    /// The engine holds one event twice although it was published under a key.
    KeptTwice { name: String, ids: [Cursor; 2] },
    /// A reader got an answer that is not a stream.
    Refused { reader: String, status: u16 },
    /// A reader received something that a hub never sends.
    Garbled { reader: String },
    /// A reader did not get the event published last.
    NoEnd { reader: String, last: Option<Cursor> },
}

/// The counts of judged events, losses and gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that publishers tried to publish.
    pub published: usize,
    /// Events acknowledged.
    pub acked: usize,
    /// Acknowledged events that the engine lost.
    pub lost: usize,
    /// Events that readers received, all together.
    pub told: usize,
    /// Gaps that readers received.
    pub gaps: usize,
    /// Gaps sent although no known event of the reader was missing or replaced.
    pub needless: usize,
}

/// Judges what a run recorded. It depends only on its argument, so that it can be tested itself.
#[must_use]
pub fn judge(recorded: &Recorded) -> Verdict {
    let mut judge = Judge::new(recorded);
    for reader in &recorded.readers {
        judge.check(reader);
    }
    judge.look_for_losses();
    Verdict { violations: judge.violations, counts: judge.counts }
}

/// A known record: acknowledged, received or kept.
#[derive(Clone, Copy)]
struct Known<'a> {
    id: Cursor,
    topics: &'a [String],
    /// Whether the final history has the record, or had it until it was trimmed.
    stands: bool,
}

struct Judge<'a> {
    recorded: &'a Recorded,
    published: HashMap<Digest, &'a Published>,
    /// All records of the final history, by position.
    standing: BTreeMap<u64, Known<'a>>,
    /// The records of each epoch by position, whether they are in the final history or not.
    of_epoch: HashMap<Epoch, BTreeMap<u64, Known<'a>>>,
    violations: Vec<Violation>,
    counts: Counts,
}

impl<'a> Judge<'a> {
    fn new(recorded: &'a Recorded) -> Self {
        let published = recorded.published.iter().map(|event| (event.digest, event)).collect();
        let counts = Counts { published: recorded.published.len(), ..Counts::default() };
        let (standing, of_epoch) = (BTreeMap::new(), HashMap::new());
        let mut judge = Self { recorded, published, standing, of_epoch, violations: Vec::new(), counts };
        judge.collect();
        judge
    }

    /// Collects every record, and checks that no id names two.
    fn collect(&mut self) {
        let recorded = self.recorded;
        let mut named: HashMap<Cursor, Digest> = HashMap::new();
        let mut kept_as: HashMap<Digest, Cursor> = HashMap::new();
        let acked = recorded.published.iter().filter_map(|event| Some(("", event.acked?, event.digest)));
        let told = recorded.readers.iter().flat_map(|reader| {
            reader.steps.iter().filter_map(|step| match step {
                Step::Event { id, digest } => Some((&*reader.name, *id, *digest)),
                _ => None,
            })
        });
        let kept = recorded.kept.records.iter().map(|(id, digest)| ("the engine", *id, *digest));
        for (by, id, digest) in acked.chain(told).chain(kept) {
            if !self.published.contains_key(&digest) {
                self.violations.push(Violation::NeverPublished { by: by.to_owned(), id });
            }
            let known = *named.entry(id).or_insert(digest);
            if known != digest {
                let names = [self.name(known), self.name(digest)];
                self.violations.push(Violation::TwoRecords { id, names });
            }
        }
        for (id, digest) in &recorded.kept.records {
            if let Some(first) = kept_as.insert(*digest, *id) {
                let name = self.name(*digest);
                self.violations.push(Violation::KeptTwice { name, ids: [first, *id] });
            }
        }
        let kept: HashSet<Cursor> = recorded.kept.records.iter().map(|(id, _)| *id).collect();
        for (id, digest) in named {
            let Some(event) = self.published.get(&digest) else { continue };
            let is_there = id.seq() < recorded.kept.oldest || kept.contains(&id);
            let known = Known { id, topics: &event.topics, stands: is_there && recorded.kept.stands(id) };
            self.of_epoch.entry(id.epoch()).or_default().insert(id.seq(), known);
            if known.stands {
                self.standing.insert(id.seq(), known);
            }
        }
    }

    /// Checks what a reader received.
    fn check(&mut self, reader: &Reader) {
        let mut path = Path::default();
        for step in &reader.steps {
            match *step {
                Step::Event { id, .. } => {
                    self.counts.told += 1;
                    self.advance(reader, &mut path, id, true);
                }
                Step::Checkpoint { id } => self.advance(reader, &mut path, id, false),
                Step::Gap { id, is_trimmed } => {
                    self.counts.gaps += 1;
                    self.counts.needless += usize::from(self.is_needless(reader, &path, id, is_trimmed));
                    path = Path { at: Some(id), ..Path::default() };
                }
                Step::Refused { status } => {
                    self.violations.push(Violation::Refused { reader: reader.name.clone(), status });
                }
                Step::Garbled => self.violations.push(Violation::Garbled { reader: reader.name.clone() }),
            }
        }
        if !reader.has_reached_end {
            self.violations.push(Violation::NoEnd { reader: reader.name.clone(), last: path.at });
        }
    }

    /// Handles that a reader received `then`, an event or a checkpoint, after its earlier items.
    fn advance(&mut self, reader: &Reader, path: &mut Path, then: Cursor, is_event: bool) {
        let name = || reader.name.clone();
        let stands = if is_event {
            self.of_epoch
                .get(&then.epoch())
                .and_then(|known| known.get(&then.seq()))
                .is_some_and(|known| known.id == then && known.stands)
        } else {
            self.recorded.kept.stands(then)
        };
        let is_unknown = !is_event && self.is_unknown(then);
        let is_after = |before: Cursor| before.seq() < then.seq() || !is_event && before.seq() == then.seq();
        let goes_back = path.event.filter(|before| is_event && self.goes_back(path, *before, then));
        if let Some(before) = path.at.filter(|before| !is_after(*before)).or(goes_back) {
            self.violations.push(Violation::OutOfOrder { reader: name(), before, then });
        }
        if is_unknown {
            path.at = Some(then);
            return;
        }
        match path.lost.take_if(|_| stands) {
            Some(lost) => self.violations.push(Violation::Unsaid { reader: name(), lost, then }),
            None => {
                let missing = self.missing(reader, path.at, then, stands, is_event);
                self.violations.extend(missing.map(|missing| Violation::Missing {
                    reader: name(),
                    after: path.at,
                    missing,
                    then,
                }));
            }
        }
        if !stands {
            path.lost = Some(then);
        }
        path.at = Some(then);
        if is_event {
            let before = path.event.replace(then).filter(|before| before.epoch() != then.epoch());
            path.left.extend(before.map(Cursor::epoch));
        }
    }

    /// Whether the meaning of a checkpoint is unknown: its epoch was lost with its row, and no record of it up to
    /// there is known. The epoch may have begun after it.
    fn is_unknown(&self, place: Cursor) -> bool {
        let has_record = |known: &BTreeMap<u64, Known<'_>>| known.range(..=place.seq()).next().is_some();
        self.recorded.kept.epoch(place.epoch()).is_none()
            && !self.of_epoch.get(&place.epoch()).is_some_and(has_record)
    }

    /// Whether the event `then` is of an epoch that was left before, or of one that precedes that of the event
    /// `before`.
    ///
    /// Gaps and checkpoints name the newest epoch wherever they are, so only events are compared.
    fn goes_back(&self, path: &Path, before: Cursor, then: Cursor) -> bool {
        let place = |cursor: Cursor| self.recorded.kept.epoch(cursor.epoch()).map(|(place, _)| place);
        let is_known = place(before).zip(place(then)).is_some_and(|(before, then)| then < before);
        is_known || path.left.contains(&then.epoch())
    }

    /// The first requested record between two positions that, by both of them, the reader should have received.
    fn missing(
        &self,
        reader: &Reader,
        before: Option<Cursor>,
        then: Cursor,
        stands: bool,
        is_event: bool,
    ) -> Option<Cursor> {
        let from = before.map_or(0, Cursor::seq) + 1;
        let to = then.seq() + u64::from(!is_event);
        // Records below the fork at which `then` was replaced precede `then` as well.
        let shared = match self.recorded.kept.epoch(then.epoch()) {
            _ if stands => to,
            Some((_, Some(fork))) => to.min(fork),
            _ => 0,
        };
        let standing = self.first_between(reader, &self.standing, from, shared);
        // Within one epoch nothing is ever replaced.
        let is_one = before.is_none_or(|before| before.epoch() == then.epoch());
        let of_epoch = self.of_epoch.get(&then.epoch()).filter(|_| is_one && !stands);
        standing.or_else(|| self.first_between(reader, of_epoch?, from, to))
    }

    /// The first requested record of `records` from one position up to another.
    fn first_between(
        &self,
        reader: &Reader,
        known: &BTreeMap<u64, Known<'a>>,
        from: u64,
        to: u64,
    ) -> Option<Cursor> {
        let between = known.range(from..to.max(from)).map(|(_, known)| known);
        let mut concerning =
            between.filter(|known| known.topics.iter().any(|topic| reader.topics.contains(topic)));
        concerning.next().map(|known| known.id)
    }

    /// Whether no requested record was missing or replaced when the reader received a gap.
    fn is_needless(&self, reader: &Reader, path: &Path, resumed_at: Cursor, is_trimmed: bool) -> bool {
        let Some(before) = path.at else { return false };
        if path.lost.is_some() || !self.recorded.kept.stands(before) {
            return false;
        }
        !is_trimmed
            || self.first_between(reader, &self.standing, before.seq() + 1, resumed_at.seq() + 1).is_none()
    }

    fn look_for_losses(&mut self) {
        let recorded = self.recorded;
        let mut kept: HashMap<Digest, Cursor> = HashMap::new();
        for (id, digest) in &recorded.kept.records {
            kept.entry(*digest).or_insert(*id);
        }
        for event in &recorded.published {
            let Some(id) = event.acked else { continue };
            self.counts.acked += 1;
            // Events sent to an abandoned server may have arrived there, and been published again on the other: if
            // the other was lost with its whole epoch, only the former are left.
            let is_known = recorded.kept.epoch(id.epoch()).is_some() || !recorded.may_lose;
            if let Some(kept) = kept.get(&event.digest).filter(|kept| is_known && **kept != id) {
                let name = event.name.clone();
                self.violations.push(Violation::Renamed { name, acked: id, kept: *kept });
                continue;
            }
            if self.standing.get(&id.seq()).is_some_and(|known| known.id == id) {
                continue;
            }
            self.counts.lost += 1;
            if !recorded.may_lose {
                self.violations.push(Violation::Lost { id, name: event.name.clone() });
            }
        }
    }

    fn name(&self, digest: Digest) -> String {
        self.published.get(&digest).map_or_else(|| "something unknown".to_owned(), |event| event.name.clone())
    }
}

/// A reader's path since its last gap.
#[derive(Default)]
struct Path {
    /// The last received id.
    at: Option<Cursor>,
    /// The last received event.
    event: Option<Cursor>,
    /// A lost record that the reader has seen, or passed by a checkpoint.
    lost: Option<Cursor>,
    /// The epochs that its events have left.
    left: HashSet<Epoch>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoRecords { id, names: [one, other] } => write!(f, "{id} names {one} and {other}"),
            Self::OutOfOrder { reader, before, then } => write!(f, "{reader} was told {then} after {before}"),
            Self::Missing { reader, after, missing, then } => {
                let after = place(*after);
                write!(
                    f,
                    "{reader}, at {after}, was told {then} without {missing} and without a gap before it"
                )
            }
            Self::Unsaid { reader, lost, then } => {
                write!(f, "{reader} was told {then}, which replaced {lost}, without a gap before it")
            }
            Self::Lost { id, name } => write!(f, "{name} was acknowledged as {id} and is gone"),
            Self::Renamed { name, acked, kept } => {
                write!(f, "{name} was acknowledged as {acked} and is kept as {kept}")
            }
            Self::NeverPublished { by, id } => write!(f, "{id}, seen by {by}, was never published"),
            Self::KeptTwice { name, ids: [one, other] } => {
                write!(f, "{name} is kept as {one} and as {other}")
            }
            Self::Refused { reader, status } => write!(f, "{reader} was answered {status}"),
            Self::Garbled { reader } => write!(f, "{reader} was told what no hub says"),
            Self::NoEnd { reader, last } => {
                write!(f, "{reader} did not get what was published last; it is at {}", place(*last))
            }
        }
    }
}

fn place(at: Option<Cursor>) -> String {
    at.map_or_else(|| "the beginning".to_owned(), |at| at.to_string())
}
