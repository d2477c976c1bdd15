//! What came of the questions: a line each, and the summary.
//!
//! A reply is counted once; the second to the same question is shown as a duplicate. Numbers of
//! questions have sixteen bits on the wire and begin again; then the latest question is meant.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::exit::{Exit, Failure, Result};
use crate::json::Object;
use crate::options::Global;
use crate::output::data;

/// How many questions are remembered. An answer that is later than that belongs to nobody.
const REMEMBERED: usize = 4096;

/// Questions and answers.
pub(super) struct Tally<'a> {
    name: &'a str,
    ip: IpAddr,
    global: &'a Global,
    begun: Instant,
    /// Number, moment, whether it was answered.
    asked: Vec<(u16, Instant, bool)>,
    count_asked: u64,
    count_replies: u64,
    duplicates: u64,
    errors: u64,
    times: Times,
}

impl<'a> Tally<'a> {
    pub(super) fn new(name: &'a str, ip: IpAddr, global: &'a Global) -> Tally<'a> {
        Tally {
            name,
            ip,
            global,
            begun: Instant::now(),
            asked: Vec::new(),
            count_asked: 0,
            count_replies: 0,
            duplicates: 0,
            errors: 0,
            times: Times::default(),
        }
    }

    /// The first line: who is asked, with how many bytes if there are any, and how.
    pub(super) fn begin(&self, bytes: Option<usize>, way: &str) -> Result {
        let bytes = bytes.map(|bytes| format!("{bytes} data bytes, ")).unwrap_or_default();
        match self.global.json {
            true => Ok(()),
            false => data(&format!("PING {} ({}): {bytes}{way}\n", self.name, self.ip)),
        }
    }

    pub(super) fn asked(&mut self, seq: u16) {
        if self.asked.len() == REMEMBERED {
            self.asked.remove(0);
        }
        self.count_asked += 1;
        self.asked.push((seq, Instant::now(), false));
    }

    pub(super) fn last_asked(&self) -> Option<Instant> {
        self.asked.last().map(|(_, at, _)| *at)
    }

    pub(super) fn all_answered(&self) -> bool {
        self.asked.iter().all(|(_, _, answered)| *answered)
    }

    pub(super) fn reply(
        &mut self,
        seq: u16,
        from: SocketAddr,
        bytes: Option<usize>,
        hops: Option<u8>,
        word: &str,
    ) -> Result {
        let Some((_, at, answered)) = self.asked.iter_mut().rev().find(|(own, ..)| *own == seq)
        else {
            return Ok(());
        };
        let (time, again) = (at.elapsed(), std::mem::replace(answered, true));
        match again {
            true => self.duplicates += 1,
            false => {
                self.count_replies += 1;
                self.times.add(time);
            }
        }
        if self.global.json {
            let object =
                Object::new("reply").number("seq", seq).text("from", &from.ip().to_string());
            let object = object.number("time_us", time.as_micros()).truth("duplicate", again);
            let object = match hops {
                Some(hops) => object.number("ttl", hops),
                None => object.null("ttl"),
            };
            return data(&object.line());
        }
        let bytes = bytes.map_or("answer".to_owned(), |bytes| format!("{bytes} bytes"));
        let hops = hops.map_or(String::new(), |hops| format!(" ttl={hops}"));
        let name = if bytes == "answer" { "seq" } else { "icmp_seq" };
        let word = if word.is_empty() { String::new() } else { format!(" port={word}") };
        let time = time.as_secs_f64() * 1e3;
        let again = if again { " (DUP!)" } else { "" };
        let from = if bytes == "answer" { from.to_string() } else { from.ip().to_string() };
        data(&format!("{bytes} from {from}: {name}={seq}{hops}{word} time={time:.3} ms{again}\n"))
    }

    /// A question that did not arrive; `None` for one that is not known.
    pub(super) fn lost(&mut self, seq: Option<u16>, why: &str) -> Result {
        self.errors += 1;
        if let Some(one) = self.asked.iter_mut().rev().find(|(own, ..)| Some(*own) == seq) {
            one.2 = true;
        }
        let number = seq.map_or(String::new(), |seq| format!("seq={seq} "));
        match self.global.json {
            true => {
                let object = Object::new("lost").text("reason", why);
                let object = match seq {
                    Some(seq) => object.number("seq", seq),
                    None => object.null("seq"),
                };
                data(&object.line())
            }
            false => data(&format!("{number}{why}\n")),
        }
    }

    /// The summary. Without an answer the answer is no.
    pub(super) fn end(&self) -> Result {
        let (asked, replies) = (self.count_asked, self.count_replies);
        let lost = asked.saturating_sub(replies);
        let percent = (lost * 100).checked_div(asked).unwrap_or(0);
        let [min, avg, max, mdev] = self.times.summary();
        if self.global.json {
            let object = Object::new("summary")
                .text("name", self.name)
                .text("ip", &self.ip.to_string())
                .number("sent", asked)
                .number("received", replies)
                .number("duplicates", self.duplicates)
                .number("errors", self.errors)
                .number("elapsed_us", self.begun.elapsed().as_micros());
            let times = [("min_us", min), ("avg_us", avg), ("max_us", max), ("mdev_us", mdev)];
            let object = times.into_iter().fold(object, |object, (name, seconds)| {
                object.number(name, (seconds * 1e6) as u64)
            });
            data(&object.line())?;
        } else {
            let errors =
                if self.errors > 0 { format!("+{} errors, ", self.errors) } else { String::new() };
            let twice = match self.duplicates {
                0 => String::new(),
                count => format!("+{count} duplicates, "),
            };
            let mut text = format!(
                "\n--- {} ping statistics ---\n{asked} packets transmitted, {replies} received, \
                 {twice}{errors}{percent}% packet loss, time {}ms\n",
                self.name,
                self.begun.elapsed().as_millis()
            );
            if replies > 0 {
                let [min, avg, max, mdev] = [min, avg, max, mdev].map(|seconds| seconds * 1e3);
                text.push_str(&format!(
                    "rtt min/avg/max/mdev = {min:.3}/{avg:.3}/{max:.3}/{mdev:.3} ms\n"
                ));
            }
            data(&text)?;
        }
        if replies == 0 { Err(Failure::quiet(Exit::No)) } else { Ok(()) }
    }
}

/// Sums of times, in seconds.
#[derive(Debug, Default)]
struct Times {
    count: f64,
    sum: f64,
    squares: f64,
    min: Option<f64>,
    max: f64,
}

impl Times {
    fn add(&mut self, time: Duration) {
        let time = time.as_secs_f64();
        self.count += 1.0;
        self.sum += time;
        self.squares += time * time;
        self.min = Some(self.min.map_or(time, |min| min.min(time)));
        self.max = self.max.max(time);
    }

    /// Least, mean, greatest and standard deviation; zeros if there were none.
    fn summary(&self) -> [f64; 4] {
        let count = self.count.max(1.0);
        let mean = self.sum / count;
        let spread = (self.squares / count - mean * mean).max(0.0).sqrt();
        [self.min.unwrap_or(0.0), mean, self.max, spread]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_of_all_times() {
        let mut times = Times::default();
        assert_eq!(times.summary(), [0.0; 4]);
        for millis in [1000, 2000, 3000, 2000] {
            times.add(Duration::from_millis(millis));
        }
        let [min, mean, max, spread] = times.summary();
        assert_eq!((min, mean, max), (1.0, 2.0, 3.0));
        assert!((spread - 0.5_f64.sqrt()).abs() < 1e-9);
    }
}
