//! The clock by which waits are kept. It moves when the patrol looks, so that to begin a wait costs
//! a load, and no look at a clock of the kernel's.
//!
//! ```text
//!   real time  ──look──────────────────look───────────────look──►
//!   this one     ▼ 5 ··· never beyond ·· 8 (horizon) ▼ 7 ···
//!                └─ a wait of 10 that begins anywhere here may last until 8 + 10
//! ```
//! Two ways to say until when a wait may last, both never early:
//!
//! * by the **horizon**: what this clock shows at the next look, at most. The wait begins before
//!   that look has ended, and from there on this clock is not faster than the real one; so when it
//!   has moved on by the limit, at least that much time has passed. Late by the time between two
//!   looks, beside the patrol's own.
//! * by the **time**: the real one, less what this clock is behind by.
//!
//! A patrol that was kept from looking for long (a busy machine) finds the horizon, not the real
//! time: deadlines are late by that and never early.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use crate::running::TICK;

/// The clock, in two words that forked processes share. Only the patrol moves it.
pub(crate) struct PatrolClock<'a> {
    /// By how much it is behind the real time, in milliseconds.
    pub(crate) lag: &'a AtomicU64,
    pub(crate) horizon: &'a AtomicU64,
}

impl PatrolClock<'_> {
    /// Starts it, at `now`, when the first look is at most `interval` away.
    pub(crate) fn start(&self, now: u64, interval: Option<Duration>) {
        self.lag.store(0, SeqCst);
        self.horizon.store(now + reach(interval), SeqCst);
    }

    /// What it shows, given the real time.
    pub(crate) fn time(&self, now: u64) -> u64 {
        now.saturating_sub(self.lag.load(SeqCst))
    }

    /// The patrol looks, and will do so again after `interval`: what the clock shows now.
    pub(crate) fn look(&self, now: impl Fn() -> u64, interval: Option<Duration>) -> u64 {
        let time = self.time(now()).min(self.horizon.load(SeqCst));
        self.horizon.store(time + reach(interval), SeqCst);
        // In this order: whoever still found the old horizon began its wait before this moment,
        // which on this clock is no later than the look.
        self.lag.fetch_max(now().saturating_sub(time), SeqCst);
        time
    }
}

/// How far it may move until the next look: a little more than it usually will.
fn reach(interval: Option<Duration>) -> u64 {
    let interval = interval.map_or(0, |interval| interval.as_millis() as u64);
    interval + interval / 8 + 2 * TICK
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Option<Duration> = Some(Duration::from_millis(80));

    /// What a wait may last until, when it begins now; both ways.
    fn until(clock: &PatrolClock<'_>, now: u64, limit: u64) -> [u64; 2] {
        [clock.horizon.load(SeqCst) + limit, clock.time(now) + limit]
    }

    #[test]
    fn no_wait_ends_early_however_late_the_patrol_comes() {
        let (lag, horizon) = (AtomicU64::new(0), AtomicU64::new(0));
        let clock = PatrolClock { lag: &lag, horizon: &horizon };
        let mut now = 1_000_000;
        clock.start(now, INTERVAL);
        let mut waits = Vec::new();
        for step in 1..2000_u64 {
            now += step * step % 37;
            waits.push((now, until(&clock, now, 500)));
            if step.is_multiple_of(5) {
                // Now and then it has been asleep for very long, and not only between two looks.
                now += if step.is_multiple_of(35) { 3000 } else { 0 };
                let began = std::cell::Cell::new(now);
                let time = clock.look(|| began.replace(began.get() + step % 3), INTERVAL);
                now = began.get();
                waits.retain(|(begun, untils)| {
                    let over = untils.map(|until| until <= time);
                    assert!(now - begun >= 500 || over == [false; 2], "{begun} {untils:?} {now}");
                    over == [false; 2]
                });
            }
        }
        assert!(waits.len() < 2000, "some came to their end");
    }

    #[test]
    fn a_punctual_patrol_keeps_real_time() {
        let (lag, horizon) = (AtomicU64::new(0), AtomicU64::new(0));
        let clock = PatrolClock { lag: &lag, horizon: &horizon };
        clock.start(5000, INTERVAL);
        for look in 1..100 {
            let now = 5000 + look * 81;
            assert_eq!(clock.look(|| now, INTERVAL), now);
        }
        assert_eq!(clock.time(20_000), 20_000);
    }
}
