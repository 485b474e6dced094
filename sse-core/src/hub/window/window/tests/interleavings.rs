//! What readers, publishers, the sweep and forks do to the window, one locked step after the other, in random
//! orders: every order in which threads could take the window's lock.

use super::*;
use crate::hub::window::attach::Attachment;

const TOPICS: [&str; 6] = ["a.1", "a.2", "b.1", "b.2", "c", "d"];
const ASKED: [&[&str]; 7] =
    [&["a.1"], &["a.1", "c"], &["a.*"], &["*.1", "*.2"], &[">"], &["b.1", "b.*"], &["d", "never"]];

const ROUNDS: u64 = 80;
const STEPS: usize = 400;

/// A reader in its phases.
enum Actor<'a> {
    Searching(Attaching<'a>),
    Reading(Attachment, Slot),
    /// The reader has left its feed, but its feed has not left the topics yet.
    Leaving(Arc<Feed>, Vec<Arc<TopicRing>>),
}

struct Scene<'a> {
    window: &'a Window,
    random: fastrand::Rng,
    actors: Vec<Actor<'a>>,
    swept: usize,
    /// The last position of each topic that still counts.
    last: std::collections::BTreeMap<&'static str, u64>,
    epochs: u64,
}

impl Scene<'_> {
    fn step(&mut self) {
        match self.random.u8(..20) {
            0..3 => self.subscribe(),
            3..11 if !self.actors.is_empty() => self.go_on(),
            11..15 => self.swept = self.window.sweep_some(self.swept, 2).unwrap_or(0),
            15..19 => self.publish(),
            _ if self.random.u8(..4) == 0 => self.fork(),
            _ => {}
        }
        self.check();
    }

    fn subscribe(&mut self) {
        let asked = ASKED[self.random.usize(..ASKED.len())];
        let patterns: Vec<_> = asked.iter().map(|text| Pattern::new(*text).expect("a pattern")).collect();
        let reader = Arc::new(Reader::new(0));
        self.actors.push(Actor::Searching(Attaching::begin_in_steps(
            self.window,
            patterns.into(),
            reader,
            2,
        )));
    }

    /// Runs one step of a random reader.
    fn go_on(&mut self) {
        let place = self.random.usize(..self.actors.len());
        let actor = self.actors.swap_remove(place);
        let actor = match actor {
            Actor::Searching(attaching) if self.random.u8(..10) == 0 => {
                drop(attaching);
                None
            }
            Actor::Searching(mut attaching) => Some(match attaching.step() {
                Some(attached) => {
                    self.check_evicted(&attached);
                    Actor::Reading(attached, Slot::default())
                }
                None => Actor::Searching(attaching),
            }),
            Actor::Reading(attached, mut slot) if self.random.bool() => {
                // The reader has taken everything.
                attached.feed.lock().wait(&mut slot, Waker::noop());
                Some(Actor::Reading(attached, slot))
            }
            Actor::Reading(attached, mut slot) => {
                attached.feed.lock().waiters.cancel(&mut slot);
                attached.feed.lock().remove_reader(&attached.reader);
                let rings = self.window.unregister(&attached.feed);
                rings.map(|rings| Actor::Leaving(attached.feed, rings))
            }
            Actor::Leaving(feed, mut rings) => {
                let some = rings.split_off(rings.len().saturating_sub(2));
                self.window.let_go(&feed, &some);
                (!rings.is_empty()).then_some(Actor::Leaving(feed, rings))
            }
        };
        self.actors.extend(actor);
    }

    fn publish(&mut self) {
        let names = match self.random.u8(..4) {
            0 => vec![TOPICS[self.random.usize(..3)], TOPICS[self.random.usize(3..6)]],
            _ => vec![TOPICS[self.random.usize(..6)]],
        };
        let kind = if self.random.u8(..5) == 0 { EntryKind::Finish } else { EntryKind::Event };
        self.window.tell(&names, kind, "x");
        for name in names {
            self.last.insert(name, self.window.head());
        }
    }

    fn fork(&mut self) {
        let begins = self.random.u64(1..=self.window.head() + 1);
        self.epochs += 1;
        let is_rewritten = begins <= self.window.head();
        assert_eq!(self.window.fork(EpochRow { epoch: Epoch::from_bits(self.epochs), begins }), is_rewritten);
        // The model does not remember the records before the fork; their positions are at most the one before
        // the fork.
        self.last.values_mut().for_each(|last| *last = (*last).min(begins - 1));
        self.last.retain(|_, last| *last > 0);
    }

    /// Everything is evicted at once, so a reader must know of the last record of each topic.
    fn check_evicted(&self, attached: &Attachment) {
        assert!(
            attached.view.evicted <= attached.view.head,
            "{} of {}",
            attached.view.evicted,
            attached.view.head
        );
        // The first poll finds what a ring evicted after the search visited it.
        let evicted = attached.view.evicted.max(attached.feed.lock().backlog.evicted());
        let matching = self.last.iter().filter(|(name, _)| attached.feed.matches(&topics(&[name])[0]));
        for (name, last) in matching {
            // After a fork a topic's last record may be older.
            assert!(self.epochs > 1 || evicted >= *last, "{name} was evicted up to {last}, not {evicted}");
        }
    }

    /// Every reader that has its feed is found by each of its topics, and its feed has the topic's ring.
    fn check(&self) {
        self.window.assert_sums();
        let mut readers = std::collections::BTreeMap::<&str, usize>::new();
        for attached in self.actors.iter().filter_map(|actor| match actor {
            Actor::Reading(attached, _) => Some(attached),
            _ => None,
        }) {
            for name in TOPICS {
                let topic = &topics(&[name])[0];
                if attached.feed.matches(topic) {
                    *readers.entry(name).or_default() += 1;
                    let ring = self.window.lock().topics.get(topic).cloned();
                    let Some(ring) = ring else { continue };
                    let has_ring =
                        attached.feed.lock().backlog.rings.iter().any(|known| Arc::ptr_eq(known, &ring));
                    assert!(has_ring, "a reader of {:?} lost {name}", attached.feed.patterns);
                }
            }
        }
        for (name, count) in readers {
            let found = self.window.readers_of(&topics(&[name]));
            assert!(found >= count, "{found} of {count} readers of {name} would get an event");
        }
    }
}

#[test]
fn g4_no_reader_is_lost_in_any_order() {
    let base = fastrand::u64(..1 << 32);
    for seed in base..base + ROUNDS {
        println!("seed {seed}");
        let window = window(Retention::default().events(0), usize::MAX, true);
        let random = fastrand::Rng::with_seed(seed);
        let mut scene = Scene {
            window: &window,
            random,
            actors: Vec::new(),
            swept: 0,
            last: Default::default(),
            epochs: 1,
        };
        for _ in 0..STEPS {
            scene.step();
        }
        // Every remaining reader can leave, and then nothing is left.
        while !scene.actors.is_empty() {
            scene.go_on();
        }
        window.sweep();
        assert_eq!(window.feeds().count(), 0);
        let state = window.lock();
        assert!(state.topics().all(|ring| state.topic_feeds.of(ring).is_empty()));
        assert!(state.topics().all(|ring| ring.lock().finished.is_some()), "an idle topic was not forgotten");
    }
}
