//! How far a transfer has come: a bar at a terminal, elsewhere a line each ten seconds.
//!
//! A transfer that moves no byte for five seconds is called stalled, once, in either form: silence
//! and slowness look the same to somebody who waits, and call for different things.
//!
//! The clock comes from the caller, so that what is said when can be tested without waiting.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use services::duration;

use crate::options::Global;
use crate::output::note;

/// Without a terminal, a line this often.
const LINE_EACH: Duration = Duration::from_secs(10);

/// Not a byte for so long is a stall.
const STALL: Duration = Duration::from_secs(5);

/// A transfer that is shown.
#[derive(Debug)]
pub(crate) struct Progress {
    pace: Pace,
    bar: Option<ProgressBar>,
    silent: bool,
}

impl Progress {
    /// Begins to show `what` (`sent`, `received`) of so many bytes; `None` where nobody knows.
    pub(crate) fn new(what: &'static str, total: Option<u64>, global: &Global) -> Progress {
        let silent = global.quiet || global.json;
        let bar = (!silent && std::io::stderr().is_terminal()).then(|| bar(what, total));
        Progress { pace: Pace::new(what, total, Instant::now()), bar, silent }
    }

    /// One that shows nothing.
    pub(crate) fn none() -> Progress {
        Progress { pace: Pace::new("", None, Instant::now()), bar: None, silent: true }
    }

    /// So many bytes more have moved; zero is for looking at the clock.
    pub(crate) fn moved(&mut self, bytes: u64) {
        let said = self.pace.moved(bytes, Instant::now());
        match (&self.bar, said) {
            (Some(bar), _) => {
                bar.set_position(self.pace.done);
                bar.set_message(match self.pace.stalled {
                    true => format!("stalled for {}", duration::show(self.pace.quiet_for)),
                    false => String::new(),
                });
                bar.tick();
            }
            (None, Some(line)) if !self.silent => note(&line),
            _ => {}
        }
    }

    /// How long not a byte has moved, as of the last look at the clock.
    pub(crate) fn quiet_for(&self) -> Duration {
        self.pace.quiet_for
    }

    /// Everything has moved; something else is waited for.
    pub(crate) fn waits(&self, what: &'static str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what);
        }
    }

    /// So many bytes have moved in all.
    pub(crate) fn done(&self) -> u64 {
        self.pace.done
    }

    /// Since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.pace.begun.elapsed()
    }

    /// It is over: takes the bar away, and what is written next begins a line.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn bar(what: &'static str, total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let style = match total {
        Some(_) => {
            "{prefix} {binary_bytes} of {binary_total_bytes} [{wide_bar}] \
                    {binary_bytes_per_sec}, {eta} left {msg}"
        }
        None => "{prefix} {binary_bytes} {spinner} {binary_bytes_per_sec}, {elapsed} {msg}",
    };
    let style = ProgressStyle::with_template(style).expect("the template is a constant");
    bar.set_style(style.progress_chars("=> "));
    bar.set_prefix(what);
    bar
}

/// What has moved when, and what is to be said about it.
#[derive(Debug)]
struct Pace {
    what: &'static str,
    total: Option<u64>,
    begun: Instant,
    done: u64,
    last_moved: Instant,
    quiet_for: Duration,
    stalled: bool,
    next_line: Instant,
}

impl Pace {
    fn new(what: &'static str, total: Option<u64>, now: Instant) -> Pace {
        Pace {
            what,
            total,
            begun: now,
            done: 0,
            last_moved: now,
            quiet_for: Duration::ZERO,
            stalled: false,
            next_line: now + LINE_EACH,
        }
    }

    /// Notes it, and answers the line that is due.
    fn moved(&mut self, bytes: u64, now: Instant) -> Option<String> {
        self.done += bytes;
        if bytes > 0 {
            self.last_moved = now;
        }
        self.quiet_for = now.saturating_duration_since(self.last_moved);
        let stalls = self.quiet_for >= STALL;
        let begins = stalls && !self.stalled;
        self.stalled = stalls;
        if begins {
            let done = BinaryBytes(self.done);
            return Some(format!(
                "{} {done}, stalled: not a byte for {}",
                self.what,
                duration::show(self.quiet_for)
            ));
        }
        if now < self.next_line {
            return None;
        }
        self.next_line = now + LINE_EACH;
        Some(self.line(now))
    }

    fn line(&self, now: Instant) -> String {
        let elapsed = now.saturating_duration_since(self.begun).as_secs_f64();
        let rate = if elapsed > 0.0 { self.done as f64 / elapsed } else { 0.0 };
        let (what, done, speed) = (self.what, BinaryBytes(self.done), BinaryBytes(rate as u64));
        let Some(total) = self.total.filter(|total| *total > 0) else {
            return format!("{what} {done}, {speed}/s");
        };
        let percent = u128::from(self.done) * 100 / u128::from(total);
        let left = match rate {
            0.0 => "no end in sight".to_owned(),
            _ => {
                let seconds = total.saturating_sub(self.done) as f64 / rate;
                let left = Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(Duration::MAX);
                format!("{} left", duration::show(left))
            }
        };
        format!("{what} {done} of {} ({percent}%), {speed}/s, {left}", BinaryBytes(total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_each_ten_seconds_and_a_stall_is_told_once() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new("sent", Some(4 << 20), start);
        assert_eq!(pace.moved(1 << 20, at(100)), None);
        assert_eq!(pace.moved(0, at(5000)), None);
        let stalled = "sent 1.00 MiB, stalled: not a byte for 5s";
        assert_eq!(pace.moved(0, at(5100)).as_deref(), Some(stalled));
        assert_eq!(pace.moved(0, at(9999)), None);
        let line = "sent 1.00 MiB of 4.00 MiB (25%), 102.40 KiB/s, 30s left";
        assert_eq!(pace.moved(0, at(10_000)).as_deref(), Some(line));
        assert_eq!(pace.moved(1, at(11_000)), None);
        assert!(pace.moved(0, at(16_000)).is_some_and(|line| line.contains("stalled")));
        let mut open = Pace::new("sent", None, start);
        assert_eq!(open.moved(1024, at(20_000)).as_deref(), Some("sent 1.00 KiB, 51 B/s"));
    }
}
