//! Medians, and how far a median of a few ratios can be trusted.
//!
//! Noise on a shared machine comes in bursts, so nothing here assumes a normal distribution: the
//! interval is a bootstrap of the median (Efron 1979), with a fixed seed so that the same numbers
//! give the same report.

use serde_json::{Value, json};

/// The middle value, or the mean of the two middle ones.
///
/// # Panics
///
/// On an empty slice.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        (sorted[upper - 1] + sorted[upper]) / 2.0
    } else {
        sorted[upper]
    }
}

pub(crate) fn maximum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The median of per-block ratios with its 95 % interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Ratio {
    /// `None` when no block has a ratio.
    pub(crate) fn of(ratios: &[f64]) -> Option<Ratio> {
        if ratios.is_empty() {
            return None;
        }
        let mut random = XorShift(SEED);
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let resample: Vec<f64> =
                    ratios.iter().map(|_| ratios[random.below(ratios.len())]).collect();
                median(&resample)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let at = |share: f64| medians[(share * (RESAMPLES - 1) as f64).round() as usize];
        Some(Ratio { median: median(ratios), low: at(0.025), high: at(0.975) })
    }

    /// How far from 1 the interval reaches: for two copies of one contestant, the noise floor.
    pub(crate) fn floor(&self) -> f64 {
        (self.low - 1.0).abs().max((self.high - 1.0).abs())
    }

    /// Differs from 1 by more than `floor`, with the whole interval on one side of 1.
    pub(crate) fn differs(&self, floor: f64) -> bool {
        (self.median - 1.0).abs() > floor && (self.low > 1.0 || self.high < 1.0)
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "median": self.median, "low": self.low, "high": self.high })
    }
}

/// Marsaglia's xorshift64: enough to draw a few thousand resamples.
struct XorShift(u64);

impl XorShift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound as u64) as usize
    }
}

const RESAMPLES: usize = 2000;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn one_wild_block_does_not_make_a_difference() {
        let ratio = Ratio::of(&[1.0, 1.01, 0.99, 1.0, 5.0]).unwrap();
        assert_eq!(ratio.median, 1.0);
        assert!(!ratio.differs(0.0));
    }

    #[test]
    fn a_steady_difference_counts_only_above_the_floor() {
        let ratio = Ratio::of(&[1.04, 1.05, 1.06, 1.05, 1.05]).unwrap();
        assert!(ratio.low >= 1.04 && ratio.high <= 1.06);
        assert!(ratio.differs(0.02));
        assert!(!ratio.differs(0.10));
    }

    #[test]
    fn the_floor_is_the_far_end_of_the_interval() {
        let ratio = Ratio { median: 1.0, low: 0.97, high: 1.01 };
        assert!((ratio.floor() - 0.03).abs() < 1e-9);
        assert!(Ratio::of(&[]).is_none());
    }

    #[test]
    fn the_same_numbers_give_the_same_interval() {
        let ratios = [0.9, 1.3, 1.1, 0.8, 1.2, 1.05];
        let (one, other) = (Ratio::of(&ratios).unwrap(), Ratio::of(&ratios).unwrap());
        assert_eq!((one.low, one.high), (other.low, other.high));
    }
}
