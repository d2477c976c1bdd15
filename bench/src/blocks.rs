//! Slices in blocks: how contestants that are compared by time take turns.
//!
//! Unit of measurement is a slice: whatever the cell does for one contestant, with a warm-up of its
//! own; from fresh, or short and again and again where contestants can stand meanwhile
//! (`standing.rs`). In a block every contestant runs twice, in an order that is rotated from block
//! to block and mirrored within the block (A B C, C B A), so that a machine that slowly gets faster
//! or slower treats all alike. Results are medians over blocks of the ratio to the reference
//! of the same block. The reference takes part twice: its ratio to itself is the noise floor, and
//! no difference below that is called one.
//!
//! A slice that was disturbed is dropped and tried again, a few times, since the neighbours of a
//! shared machine come and go; in a run of one block, which judges nothing, it is not. Of an entry
//! that had no quiet slice at all the disturbed ones are shown, marked as such, and the run is not
//! complete.
//!
//! What a slice is and what it measures, the cells know.

use crate::accounting::Machine;
use crate::report::{Report, progress};
use crate::statistics::{Ratio, median};
use serde_json::Value;
use std::io;
use std::thread;
use std::time::Duration;

/// A contestant as it takes part; the reference does so twice, as the first two.
pub(crate) struct Entry<C> {
    pub(crate) name: String,
    pub(crate) contestant: C,
    /// Slices that were measured and must not be used.
    pub(crate) dropped: usize,
    /// Why it takes part no longer.
    pub(crate) failure: Option<String>,
    /// All its slices were disturbed, and had to be used.
    pub(crate) disturbed: bool,
}

impl<C> Entry<C> {
    /// What a reader must know about its slices; none if there is nothing.
    pub(crate) fn remarks(&self) -> Option<String> {
        match (self.disturbed, self.dropped) {
            (true, _) => Some("DISTURBED: no quiet slice".to_owned()),
            (false, 0) => None,
            (false, count) => Some(format!("slices dropped: {count}")),
        }
    }
}

impl<C> Entry<C> {
    /// Starts it; `None` if that fails, or something has before.
    fn begun<T>(
        &mut self,
        report: &Report,
        mut begin: impl FnMut(&C, &Report) -> io::Result<T>,
    ) -> Option<T> {
        let begun = self.failure.is_none().then(|| begin(&self.contestant, report))?;
        begun.map_err(|error| self.failure = Some(error.to_string())).ok()
    }
}

/// The entries for these contestants, of which the first is the reference.
pub(crate) fn entries<C: Clone>(
    contestants: impl IntoIterator<Item = (impl Into<String>, C)>,
) -> Vec<Entry<C>> {
    let entry =
        |name, contestant| Entry { name, contestant, dropped: 0, failure: None, disturbed: false };
    let mut entries = Vec::new();
    for (name, contestant) in contestants {
        let name: String = name.into();
        if entries.is_empty() {
            entries.push(entry(name.clone(), contestant.clone()));
            entries.push(entry(format!("{name} again"), contestant));
        } else {
            entries.push(entry(name, contestant));
        }
    }
    entries
}

/// What one slice came to.
pub(crate) struct Slice<S> {
    pub(crate) sample: S,
    /// Why the sample must not be used.
    pub(crate) fault: Option<&'static str>,
}

/// What all slices came to.
pub(crate) struct Samples<S> {
    /// By block, then by entry.
    blocks: Vec<Vec<Vec<S>>>,
}

/// Runs the blocks, where each slice is from fresh. `slice` measures one contestant once; `json`
/// makes the line of a sample, given the entry's name, the block and the fault. An entry that fails
/// is left out from then on.
pub(crate) fn run<C: Clone, S>(
    count: usize,
    entries: &mut [Entry<C>],
    report: &mut Report,
    mut slice: impl FnMut(&C, &Report) -> io::Result<Slice<S>>,
    json: impl Fn(&S, &str, usize, Option<&str>) -> Value,
) -> io::Result<Samples<S>> {
    let begin = |contestant: &C, _: &Report| Ok(contestant.clone());
    let turn = |contestant: &mut C, report: &Report| slice(contestant, report);
    run_in_turns((count, 1), entries, report, begin, turn, json)
}

/// The same where contestants stand for several turns in a row: `begin` starts one, `turn` measures
/// it. `fresh` is how often they are started and how many turns they then have; what is a block
/// otherwise is a turn of all.
pub(crate) fn run_in_turns<C, T, S>(
    (fresh, turns): (usize, usize),
    entries: &mut [Entry<C>],
    report: &mut Report,
    mut begin: impl FnMut(&C, &Report) -> io::Result<T>,
    mut turn: impl FnMut(&mut T, &Report) -> io::Result<Slice<S>>,
    json: impl Fn(&S, &str, usize, Option<&str>) -> Value,
) -> io::Result<Samples<S>> {
    let none = |entries: &[Entry<C>]| entries.iter().map(|_| Vec::new()).collect::<Vec<Vec<S>>>();
    let (mut blocks, mut disturbed) = (Vec::new(), Vec::new());
    let count = fresh * turns;
    let mut standing: Vec<Option<T>> = Vec::new();
    for block in 0..count {
        if block % turns == 0 {
            // First an end, then a beginning.
            standing.clear();
            progress(&format!("block {} of {count}: all start", block + 1));
            standing.extend(entries.iter_mut().map(|entry| entry.begun(report, &mut begin)));
        }
        let (mut samples, mut spare) = (none(entries), none(entries));
        for at in order(entries.len(), block) {
            let entry = &mut entries[at];
            let Some(stands) = &mut standing[at] else { continue };
            progress(&format!("block {} of {count}: {}", block + 1, entry.name));
            for tried in 0.. {
                match turn(stands, report) {
                    Ok(Slice { fault, sample }) => {
                        report.json(&json(&sample, &entry.name, block, fault))?;
                        if fault.is_none() {
                            samples[at].push(sample);
                            break;
                        }
                        entry.dropped += 1;
                        if fault.is_some_and(|fault| [STOLEN, BUSY].contains(&fault)) {
                            spare[at].push(sample);
                        }
                    }
                    Err(error) => {
                        entry.failure = Some(error.to_string());
                        standing[at] = None;
                        break;
                    }
                }
                if tried == TRIES_MORE || count == 1 {
                    break;
                }
                thread::sleep(PAUSE);
            }
        }
        blocks.push(samples);
        disturbed.push(spare);
    }
    progress("");
    let mut samples = Samples { blocks };
    for (at, entry) in entries.iter_mut().enumerate() {
        if samples.count(at) == 0 {
            for (block, spare) in samples.blocks.iter_mut().zip(&mut disturbed) {
                block[at] = std::mem::take(&mut spare[at]);
            }
            entry.disturbed = samples.count(at) > 0;
        }
    }
    Ok(samples)
}

/// Rotated by the block's number, then mirrored.
fn order(count: usize, block: usize) -> Vec<usize> {
    let forward = (0..count).map(|at| (at + block) % count);
    forward.clone().chain(forward.rev()).collect()
}

impl<S> Samples<S> {
    /// How many slices of an entry can be used.
    pub(crate) fn count(&self, at: usize) -> usize {
        self.blocks.iter().map(|block| block[at].len()).sum()
    }

    /// The median of `field` over an entry's slices.
    ///
    /// # Panics
    ///
    /// When the entry has none.
    pub(crate) fn median(&self, at: usize, field: impl Fn(&S) -> f64) -> f64 {
        median(&self.values(at, field))
    }

    /// `field` of each of an entry's slices.
    pub(crate) fn values(&self, at: usize, field: impl Fn(&S) -> f64) -> Vec<f64> {
        self.blocks.iter().flat_map(|block| &block[at]).map(field).collect()
    }

    /// Whether the cell has what it is for: nobody failed, and everybody has slices that can be
    /// used. What a busy machine took away is said; a quick run, which judges no figures, goes on.
    pub(crate) fn verdict<C>(&self, entries: &[Entry<C>], quick: bool) -> bool {
        let lacks = |at: &usize| {
            let entry = &entries[*at];
            entry.failure.is_none() && (entry.disturbed || self.count(*at) == 0)
        };
        let lacking: Vec<_> = (0..entries.len()).filter(lacks).collect();
        if !lacking.is_empty() {
            let names: Vec<_> = lacking.iter().map(|at| entries[*at].name.as_str()).collect();
            let names = names.join(", ");
            println!("INCOMPLETE: the machine is busy, there was no quiet slice of {names}");
        }
        entries.iter().all(|entry| entry.failure.is_none()) && (lacking.is_empty() || quick)
    }

    /// Per block the mean of the entry's slices over the mean of the reference's; blocks where
    /// either has none are left out.
    pub(crate) fn ratio(&self, at: usize, field: fn(&S) -> f64) -> Option<Ratio> {
        self.ratio_to(0, at, field)
    }

    /// The same with the slices of the entry `base` in place of the reference's.
    pub(crate) fn ratio_to(&self, base: usize, at: usize, field: fn(&S) -> f64) -> Option<Ratio> {
        let mean = |samples: &[S]| -> Option<f64> {
            let sum: f64 = samples.iter().map(field).sum();
            (!samples.is_empty()).then(|| sum / samples.len() as f64)
        };
        let blocks = self.blocks.iter();
        let ratios: Vec<f64> =
            blocks.filter_map(|block| Some(mean(&block[at])? / mean(&block[base])?)).collect();
        Ratio::of(&ratios)
    }

    /// How far the reference is from itself; infinitely far while nobody knows.
    pub(crate) fn floor(&self, field: fn(&S) -> f64) -> f64 {
        self.ratio(1, field).map_or(f64::INFINITY, |ratio| ratio.floor())
    }
}

/// What else went on while a slice was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    /// CPUs that anyone else on the machine used.
    pub(crate) others: f64,
    /// The share of all CPU time that the hypervisor took away, 0 to 1.
    pub(crate) stolen: f64,
}

impl Surroundings {
    /// From `before` until now, a time of `elapsed` in which the slice itself used `own` CPU.
    pub(crate) fn since(
        before: &Machine,
        own: Duration,
        elapsed: Duration,
    ) -> io::Result<Surroundings> {
        Ok(Surroundings::between(before, &Machine::now()?, own, elapsed))
    }

    /// The same until `after`.
    pub(crate) fn between(
        before: &Machine,
        after: &Machine,
        own: Duration,
        elapsed: Duration,
    ) -> Surroundings {
        // On both CPUs a tick can be counted that was not used.
        let others = after.busy_since(before).saturating_sub(own + TWO_TICKS);
        Surroundings {
            others: others.as_secs_f64() / elapsed.as_secs_f64(),
            stolen: after.stolen_since(before),
        }
    }

    /// Why what was measured meanwhile must not be used.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.stolen > STEAL_LIMIT {
            Some(STOLEN)
        } else if self.others > OTHERS_LIMIT {
            Some(BUSY)
        } else {
            None
        }
    }
}

/// How often a slice that was dropped is tried again: a row then takes at most four times as long.
const TRIES_MORE: usize = 3;
/// Before it is: bursts of others last about as long.
const PAUSE: Duration = Duration::from_millis(200);
/// How inexactly the machine's time is known.
const TWO_TICKS: Duration = Duration::from_millis(20);
const STOLEN: &str = "steal above 2 %";
const BUSY: &str = "others used more than 10 % of a CPU";
/// A slice from which the hypervisor took more is dropped.
const STEAL_LIMIT: f64 = 0.02;
/// A slice in which others used more of a CPU is dropped: they push the load or the server aside,
/// batches grow and the cost per message falls, by luck.
const OTHERS_LIMIT: f64 = 0.10;

#[cfg(test)]
mod tests;
