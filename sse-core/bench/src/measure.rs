//! Time per operation, by interleaved rounds.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use crate::report::Cell;

/// One thing to be timed: runs its operation this number of times, and returns something that depends on all of them.
pub(crate) struct Case<'a> {
    pub(crate) label: String,
    pub(crate) ours: bool,
    pub(crate) run: Box<dyn FnMut(usize) -> usize + 'a>,
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// How long one case runs in one round, about.
    pub(crate) slice: Duration,
}

impl Effort {
    pub(crate) fn of(quick: bool, rounds: usize) -> Self {
        if quick {
            Self { rounds: 3, slice: Duration::from_micros(200) }
        } else {
            Self { rounds, slice: Duration::from_millis(4) }
        }
    }
}

/// Nanoseconds per operation of each case: every round runs all of them, in turn from another first one, so that what
/// else the machine does meets all alike.
pub(crate) fn interleaved(effort: Effort, cases: &mut [Case<'_>]) -> Vec<Cell> {
    let counts: Vec<usize> = cases.iter_mut().map(|case| calibrated(effort.slice, case)).collect();
    let mut samples = vec![Vec::with_capacity(effort.rounds); cases.len()];
    for round in 0..effort.rounds {
        for place in 0..cases.len() {
            let index = (place + round) % cases.len();
            if let (Some(case), Some(count), Some(samples)) =
                (cases.get_mut(index), counts.get(index), samples.get_mut(index))
            {
                let took = timed(case, *count);
                samples.push(took.as_secs_f64() * 1e9 / *count as f64);
            }
        }
    }
    samples.into_iter().map(Cell::of).collect()
}

/// How many operations take about a slice. The faster of two goes counts: an interruption must not pass for work.
fn calibrated(slice: Duration, case: &mut Case<'_>) -> usize {
    let mut count = 1;
    loop {
        let took = timed(case, count).min(timed(case, count));
        if took >= slice / 2 || count > 1 << 30 {
            let per_slice = slice.as_secs_f64() / took.as_secs_f64().max(1e-9) * count as f64;
            return (per_slice as usize).clamp(1, 1 << 30);
        }
        count *= 2;
    }
}

fn timed(case: &mut Case<'_>, count: usize) -> Duration {
    let start = Instant::now();
    black_box((case.run)(black_box(count)));
    start.elapsed()
}
