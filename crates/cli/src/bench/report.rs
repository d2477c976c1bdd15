//! The result of a load: a page for people, or one JSON object.
//!
//! In an open loop both times are shown, each with its name. Which of them to believe is not left
//! open: the first is what somebody who asked at that rate would have waited.

use std::time::Duration;

use hdrhistogram::Histogram;
use indicatif::BinaryBytes;
use services::duration;

use super::asker::Question;
use super::machine::{self, Cost};
use super::tally::Tally;
use super::{Pace, Shared};
use crate::exit::{Exit, Failure, Result};
use crate::json::Object;
use crate::options::Global;
use crate::output::{Paint, count, data, note, table};

/// The shares of answers that are told.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// The widest bar of the histogram, in letters.
const BAR_LETTERS: u64 = 40;

/// A client that sends so late in one of a hundred cases says so. It is the kernel's usual tick.
const LATE: Duration = Duration::from_millis(1);

/// What is told.
pub(super) struct Report<'a> {
    pub(super) shared: &'a Shared,
    pub(super) tally: &'a Tally,
    pub(super) elapsed: Option<Duration>,
    pub(super) costs: &'a [Cost],
    pub(super) interrupted: Option<Exit>,
}

impl Report<'_> {
    /// Tells it. Errors, and no answer at all, are the answer no.
    pub(super) fn tell(&self, global: &Global) -> Result {
        match global.json {
            true => data(&self.object())?,
            false => data(&self.page(Paint::stdout(global)))?,
        }
        if !global.json && !global.quiet {
            self.remarks().iter().for_each(|remark| note(&format!("switchboard: {remark}")));
        }
        if let Some(exit) = self.interrupted {
            return Err(Failure::quiet(exit));
        }
        match self.tally.answers() == 0 || self.tally.error_count() > 0 {
            true => Err(Failure::quiet(Exit::No)),
            false => Ok(()),
        }
    }

    /// The time in which was asked: as planned, or as long as it took.
    fn seconds(&self) -> f64 {
        let took = self.elapsed.unwrap_or_default();
        let asked = self.shared.plan.duration.filter(|_| self.interrupted.is_none());
        asked.map_or(took, |asked| asked.min(took)).as_secs_f64().max(1e-9)
    }

    fn rate(&self) -> f64 {
        self.tally.answers() as f64 / self.seconds()
    }

    fn what(&self) -> String {
        match &*self.shared.question {
            Question::Echo(bytes) => format!("{bytes} B messages"),
            Question::Datagram(bytes) => format!("{bytes} B datagrams"),
            Question::Http(_) => "GET over HTTP/1.1".into(),
        }
    }

    fn page(&self, paint: Paint) -> String {
        let plan = &self.shared.plan;
        let pace = match plan.pace {
            Pace::Closed => "closed loop".to_owned(),
            Pace::Open(rate) => format!("open loop at {rate}/s"),
        };
        let pipeline = match plan.pipeline {
            1 => String::new(),
            depth => format!(", {depth} under way on each"),
        };
        let head = format!(
            "{}: {pace}, {}{pipeline}, {}, {} with coroutines",
            plan.address,
            count(plan.connections as u64, "connection"),
            self.what(),
            count(plan.workers as u64, "worker thread")
        );
        let bytes = match &*self.shared.question {
            Question::Http(_) => String::new(),
            _ => {
                let bytes = self.rate() * self.shared.question_bytes() as f64;
                format!(", {}/s each way", BinaryBytes(bytes as u64))
            }
        };
        let mut text = format!("{}\n", paint.bold(&head));
        text.push_str(&format!(
            "{} in {:.1}s: {:.0}/s{bytes}\n\n",
            count(self.tally.answers(), "answer"),
            self.seconds(),
            self.rate()
        ));
        if self.tally.answers() > 0 {
            text.push_str(&self.times(paint));
            text.push('\n');
            text.push_str(&bars(self.telling()));
        }
        text.push_str(&self.errors(paint));
        let (computed, waited) = machine::shares(self.costs);
        let waited = waited.map(|share| format!(", waited for a core {:.0}%", share * 100.0));
        text.push_str(&format!(
            "client   computed {:.0}% of the time of its threads{}\n",
            computed * 100.0,
            waited.unwrap_or_default()
        ));
        text
    }

    /// The times that tell the most.
    fn telling(&self) -> &Histogram<u64> {
        match self.shared.plan.pace {
            Pace::Closed => &self.tally.from_sent,
            Pace::Open(_) => &self.tally.from_due,
        }
    }

    fn times(&self, paint: Paint) -> String {
        let mut heading = vec!["latency".to_owned()];
        heading.extend(QUANTILES.map(|(name, _)| format!("{name:>8}")));
        heading.push(format!("{:>8}", "max"));
        let mut rows = vec![heading];
        let open = self.shared.plan.pace != Pace::Closed;
        let named = [
            ("from the planned moment", &self.tally.from_due, open),
            ("from the actual send", &self.tally.from_sent, true),
        ];
        for (name, times, shown) in named {
            if shown {
                let mut row = vec![name.to_owned()];
                row.extend(
                    QUANTILES.map(|(_, q)| format!("{:>8}", nanos(times.value_at_quantile(q)))),
                );
                row.push(format!("{:>8}", nanos(times.max())));
                rows.push(row);
            }
        }
        table(&rows, paint)
    }

    fn errors(&self, paint: Paint) -> String {
        if self.tally.errors.is_empty() {
            return "errors   none\n".into();
        }
        let mut text = String::new();
        for (name, count) in &self.tally.errors {
            text.push_str(&format!("{} {count} {name}\n", paint.red("errors  ")));
        }
        text
    }

    /// What somebody should know before believing the numbers.
    fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> =
            machine::verdict(self.costs).into_iter().map(str::to_owned).collect();
        let late = Duration::from_nanos(self.tally.lateness.value_at_quantile(0.99));
        if late >= LATE && !self.tally.from_due.is_empty() {
            remarks.push(format!(
                "one question in a hundred was sent {} late or more",
                nanos(late.as_nanos() as u64)
            ));
        }
        if self.tally.errors.contains_key("wrong bytes") {
            remarks.push("what came back is not what was sent: is that an echo server?".into());
        }
        if self.tally.answers() == 0 && self.tally.errors.contains_key("no answer") {
            let wait = duration::show(self.shared.plan.answer_wait);
            remarks.push(format!("nothing was answered within {wait} (--timeout waits longer)"));
        }
        remarks
    }

    fn object(&self) -> String {
        let plan = &self.shared.plan;
        let (computed, waited) = machine::shares(self.costs);
        let share = |share: f64| (share * 100.0).round() as u64;
        let errors = self.tally.errors.iter();
        let object = Object::new("bench")
            .text("address", &plan.address.to_string())
            .text("loop", if plan.pace == Pace::Closed { "closed" } else { "open" })
            .number("connections", plan.connections as u64)
            .number("workers", plan.workers as u64)
            .number("pipeline", plan.pipeline as u64)
            .number("question_bytes", self.shared.question_bytes() as u64)
            .number("answers", self.tally.answers())
            .number("elapsed_us", (self.seconds() * 1e6) as u64)
            .number("per_second", self.rate() as u64);
        let object = match plan.pace {
            Pace::Open(rate) => object
                .number("rate", rate as u64)
                .map("latency_from_planned", fields(&self.tally.from_due))
                .map("lateness", fields(&self.tally.lateness)),
            Pace::Closed => object.null("rate").null("latency_from_planned").null("lateness"),
        };
        let object = object
            .map("latency_from_sent", fields(&self.tally.from_sent))
            .map("errors", errors.map(|(name, count)| (name.as_str(), *count)))
            .number("client_computed_percent", share(computed));
        let object = match waited {
            Some(waited) => object.number("client_waited_percent", share(waited)),
            None => object.null("client_waited_percent"),
        };
        let limit = machine::verdict(self.costs);
        match limit {
            Some(why) => object.text("client_limit", why),
            None => object.null("client_limit"),
        }
        .line()
    }
}

/// The numbers of a histogram, for JSON.
fn fields(times: &Histogram<u64>) -> Vec<(&'static str, u64)> {
    let micros = |nanos: u64| nanos.div_ceil(1000);
    let at = |quantile| micros(times.value_at_quantile(quantile));
    vec![
        ("mean_us", (times.mean() / 1e3).round() as u64),
        ("p50_us", at(0.5)),
        ("p90_us", at(0.9)),
        ("p99_us", at(0.99)),
        ("p999_us", at(0.999)),
        ("max_us", micros(times.max())),
    ]
}

/// How many answers took how long, each line twice as long as the one before.
fn bars(times: &Histogram<u64>) -> String {
    if times.is_empty() {
        return String::new();
    }
    let first = times.min().next_power_of_two().max(1024);
    let steps: Vec<(u64, u64)> = times
        .iter_log(first, 2.0)
        .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
        .collect();
    let most = steps.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let mut text = String::new();
    for (end, count) in steps {
        let letters = (count * BAR_LETTERS).div_ceil(most) as usize;
        let line = format!("  to {:>8} {count:>10} {}", nanos(end), "#".repeat(letters));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    text
}

/// A time with three digits: `12.3us`, `1.20ms`, `2.50s`.
fn nanos(nanos: u64) -> String {
    let (value, unit) = match nanos {
        0..1000 => return format!("{nanos}ns"),
        1000..1_000_000 => (nanos as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (nanos as f64 / 1e6, "ms"),
        _ => (nanos as f64 / 1e9, "s"),
    };
    match value {
        100.0.. => format!("{value:.0}{unit}"),
        10.0.. => format!("{value:.1}{unit}"),
        _ => format!("{value:.2}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let rows = [
            (0, "0ns"),
            (999, "999ns"),
            (1500, "1.50us"),
            (12_340, "12.3us"),
            (123_400, "123us"),
            (1_000_000, "1.00ms"),
            (2_500_000_000, "2.50s"),
            (360_000_000_000, "360s"),
        ];
        for (value, text) in rows {
            assert_eq!(nanos(value), text);
        }
    }

    #[test]
    fn bars_count_every_answer() {
        let mut times = Histogram::new(3).unwrap();
        (1..=1000).for_each(|micros| times.record(micros * 1000).unwrap());
        let text = bars(&times);
        let counts = text.lines().filter_map(|line| line.split_whitespace().nth(2));
        assert_eq!(counts.map(|count| count.parse::<u64>().unwrap()).sum::<u64>(), 1000, "{text}");
        assert!(text.lines().all(|line| line.len() < 80), "{text}");
        assert_eq!(bars(&Histogram::new(3).unwrap()), "");
    }
}
