use std::collections::HashMap;

/// The numbers that a reader received, which must be all published ones, in order, each once.
#[derive(Debug, Default)]
pub struct Ledger {
    got: Vec<u64>,
    gaps: usize,
}

impl Ledger {
    /// Records the data of an event.
    pub fn enter(&mut self, data: &str) {
        self.got.push(data.parse().unwrap_or_else(|_| panic!("no number: {data:?}")));
    }

    /// Records a gap; there must be none.
    pub fn enter_gap(&mut self) {
        self.gaps += 1;
    }

    /// Number of events received.
    #[must_use]
    pub fn len(&self) -> usize {
        self.got.len()
    }

    /// Whether no event was received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.got.is_empty()
    }

    /// Fails unless it holds 0 up to `count`, in order, each once, and no gap.
    pub fn assert_whole(&self, count: u64) {
        if let Err(wrong) = self.check(count) {
            panic!("{wrong}");
        }
    }

    fn check(&self, count: u64) -> Result<(), String> {
        let mut times: HashMap<u64, usize> = HashMap::new();
        for number in &self.got {
            *times.entry(*number).or_default() += 1;
        }
        let lost: Vec<_> = (0..count).filter(|number| !times.contains_key(number)).take(10).collect();
        let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).take(10).collect();
        match () {
            () if !lost.is_empty() => Err(format!("lost {lost:?} and perhaps more, of {count}")),
            () if !twice.is_empty() => Err(format!("more than once: {twice:?}")),
            () if !self.got.is_sorted() => Err("out of order".to_owned()),
            () if self.got.len() as u64 != count => Err(format!("{} instead of {count}", self.got.len())),
            () if self.gaps > 0 => Err(format!("{} gaps", self.gaps)),
            () => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ledger;

    #[test]
    fn it_sees_what_is_wrong() {
        let ledger = |numbers: &[&str]| {
            let mut ledger = Ledger::default();
            numbers.iter().for_each(|number| ledger.enter(number));
            ledger
        };
        for wrong in [&["0", "2"][..], &["0", "1", "1", "2"], &["1", "0", "2"], &["0", "1", "2", "3"], &[]] {
            assert!(ledger(wrong).check(3).is_err(), "{wrong:?} passed");
        }
        let mut whole = ledger(&["0", "1", "2"]);
        assert_eq!(whole.check(3), Ok(()));
        whole.enter_gap();
        assert!(whole.check(3).is_err());
    }
}
