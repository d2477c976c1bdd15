//! What came of a load: times and errors.
//!
//! Times are kept in a histogram of nanoseconds with three exact digits (hdrhistogram), twice: from
//! the moment a question was due and from the moment it was sent. Errors are counted by name.

use std::collections::BTreeMap;
use std::time::Instant;

use hdrhistogram::Histogram;

/// An hour, in nanoseconds. A wait that is longer counts as this.
const LONGEST: u64 = 3_600_000_000_000;

/// Digits that are exact.
const DIGITS: u8 = 3;

/// Times and errors of some connections.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) from_due: Histogram<u64>,
    pub(super) from_sent: Histogram<u64>,
    /// How late questions were sent.
    pub(super) lateness: Histogram<u64>,
    pub(super) errors: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn new() -> Tally {
        let empty =
            || Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("the bounds are far apart");
        Tally { from_due: empty(), from_sent: empty(), lateness: empty(), errors: BTreeMap::new() }
    }

    /// An answer that came now to what was sent then, and had been due before, if it had a moment.
    pub(super) fn answer(&mut self, due: Option<Instant>, sent: Instant, now: Instant) {
        let nanos = |from: Instant, to: Instant| {
            u64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(LONGEST)
        };
        self.from_sent.saturating_record(nanos(sent, now));
        if let Some(due) = due {
            self.from_due.saturating_record(nanos(due, now));
            self.lateness.saturating_record(nanos(due, sent));
        }
    }

    pub(super) fn error(&mut self, name: &str, count: u64) {
        match self.errors.get_mut(name) {
            Some(errors) => *errors += count,
            None => drop(self.errors.insert(name.to_owned(), count)),
        }
    }

    /// Adds those of other connections.
    pub(super) fn add(&mut self, other: &Tally) {
        let sums = [
            (&mut self.from_due, &other.from_due),
            (&mut self.from_sent, &other.from_sent),
            (&mut self.lateness, &other.lateness),
        ];
        for (sum, more) in sums {
            sum.add(more).expect("all have the same bounds");
        }
        for (name, count) in &other.errors {
            self.error(name, *count);
        }
    }

    pub(super) fn answers(&self) -> u64 {
        self.from_sent.len()
    }

    pub(super) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn tallies_add_up() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let (mut one, mut two) = (Tally::new(), Tally::new());
        one.answer(Some(at(0)), at(30), at(40));
        two.answer(None, at(0), at(10));
        two.error("no answer", 2);
        one.error("no answer", 1);
        one.add(&two);
        assert_eq!((one.answers(), one.error_count(), one.from_due.len()), (2, 3, 1));
        let millis = |histogram: &Histogram<u64>| (histogram.max() as f64 / 1e6).round() as u64;
        let all = [&one.from_due, &one.from_sent, &one.lateness].map(millis);
        assert_eq!(all, [40, 10, 30]);
    }
}
