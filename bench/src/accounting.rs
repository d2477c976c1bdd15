//! CPU time as the kernel counts it: of a server with all its threads and children, and of the
//! machine.
//!
//! Two sources, because each misses something. `/proc/PID/task/*/schedstat` counts nanoseconds but
//! forgets a thread when it ends; it serves where threads live as long as the slice.
//! `/proc/PID/stat` remembers ended threads but counts in clock ticks (10 ms); it serves where
//! threads come and go. Of the machine as a whole `/proc/stat` knows ticks. Sources:
//! proc_pid_stat(5), proc_stat(5), the kernel's Documentation/scheduler/sched-stats.rst.

use std::fs;
use std::io;
use std::time::Duration;

/// Nanoseconds on the CPU for each thread of a process and of its descendants.
#[derive(Debug)]
pub(crate) struct Threads(Vec<(u32, u64)>);

impl Threads {
    pub(crate) fn of(pid: u32) -> io::Result<Threads> {
        let mut threads = Vec::new();
        for process in family(pid)? {
            // None, when a child ended in between.
            for thread in tasks(process).unwrap_or_default() {
                let path = format!("/proc/{process}/task/{thread}/schedstat");
                // A thread that ends in between is missed here and noticed by `since`.
                if let Ok(text) = fs::read_to_string(path) {
                    threads.push((thread, nanoseconds(&text)?));
                }
            }
        }
        Ok(Threads(threads))
    }

    /// Whether there are so many that reading them all takes a part of a slice, in which they go
    /// on.
    pub(crate) fn are_many(&self) -> bool {
        self.0.len() > MANY
    }

    /// CPU time spent since `before`; `None` when a thread ended meanwhile and took its count
    /// along.
    pub(crate) fn since(&self, before: &Threads) -> Option<Duration> {
        let lives = |thread: &u32| self.0.iter().any(|(other, _)| other == thread);
        let sum = |threads: &Threads| threads.0.iter().map(|(_, time)| time).sum::<u64>();
        before
            .0
            .iter()
            .all(|(thread, _)| lives(thread))
            .then(|| Duration::from_nanos(sum(self) - sum(before)))
    }
}

/// CPU time of a process and its descendants, to the clock tick; ended threads are included, and
/// ended children that were waited for.
pub(crate) fn process_cpu(pid: u32) -> io::Result<Duration> {
    let mut ticks = 0;
    for process in family(pid)? {
        // A child that ended in between is in its parent's count, or about to be.
        if let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) {
            ticks += process_ticks(&stat)?;
        }
    }
    Ok(ticks_to_duration(ticks))
}

/// The machine's clock ticks since it started, over all CPUs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Machine {
    /// Ticks in which some code of this machine ran.
    busy: u64,
    /// Ticks a CPU was ready to run and the hypervisor gave its time to someone else.
    stolen: u64,
    total: u64,
}

impl Machine {
    pub(crate) fn now() -> io::Result<Machine> {
        Machine::parse(&fs::read_to_string("/proc/stat")?)
    }

    /// The share of all CPU time that the hypervisor took away, 0 to 1.
    pub(crate) fn stolen_since(&self, before: &Machine) -> f64 {
        (self.stolen - before.stolen) as f64 / (self.total - before.total).max(1) as f64
    }

    /// CPU time used by anyone on this machine.
    pub(crate) fn busy_since(&self, before: &Machine) -> Duration {
        ticks_to_duration(self.busy - before.busy)
    }

    fn parse(stat: &str) -> io::Result<Machine> {
        let line = stat.lines().next().unwrap_or_default();
        let fields: Vec<u64> =
            line.split_ascii_whitespace().skip(1).map_while(|field| field.parse().ok()).collect();
        // What follows, the time of guests, is contained in the first two.
        let [user, nice, system, idle, iowait, irq, softirq, stolen, ..] = fields[..] else {
            return Err(io::Error::other("/proc/stat begins with an unknown line"));
        };
        let busy = user + nice + system + irq + softirq;
        Ok(Machine { busy, stolen, total: busy + idle + iowait + stolen })
    }
}

/// The process and all its descendants.
pub(crate) fn family(pid: u32) -> io::Result<Vec<u32>> {
    let mut processes = vec![pid];
    let mut at = 0;
    while at < processes.len() {
        let process = processes[at];
        let threads = match tasks(process) {
            // A child may have ended in between, the server itself must not.
            Err(_) if at > 0 => Vec::new(),
            threads => threads?,
        };
        for thread in threads {
            let children = fs::read_to_string(format!("/proc/{process}/task/{thread}/children"));
            // Without CONFIG_PROC_CHILDREN only the process itself is counted.
            let children = children.unwrap_or_default();
            processes
                .extend(children.split_ascii_whitespace().filter_map(|c| c.parse::<u32>().ok()));
        }
        at += 1;
    }
    Ok(processes)
}

fn tasks(pid: u32) -> io::Result<Vec<u32>> {
    let names = fs::read_dir(format!("/proc/{pid}/task"))?;
    Ok(names.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// The first field of a schedstat file.
fn nanoseconds(schedstat: &str) -> io::Result<u64> {
    let first = schedstat.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    first.ok_or_else(|| io::Error::other("schedstat does not begin with a number"))
}

/// utime, stime and the same of children that were waited for (fields 14 to 17) of a stat file; the
/// name in field 2 may hold blanks and brackets.
fn process_ticks(stat: &str) -> io::Result<u64> {
    let unknown = || io::Error::other("/proc/PID/stat has an unknown form");
    let (_, rest) = stat.rsplit_once(')').ok_or_else(unknown)?;
    let fields = rest.split_ascii_whitespace().skip(11).take(4);
    let fields: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    if fields.len() == 4 { Ok(fields.iter().sum()) } else { Err(unknown()) }
}

fn ticks_to_duration(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

const MANY: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Instant;

    #[test]
    fn a_process_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 30 12 5 3 20 0 1 0 5";
        assert_eq!(process_ticks(stat).unwrap(), 50);
        assert!(process_ticks("7 (cut off) S 1").is_err());
    }

    #[test]
    fn steal_is_a_share_of_all_time() {
        let before = Machine::parse("cpu  100 0 50 800 10 0 5 1 7 0\ncpu0 1").unwrap();
        let after = Machine::parse("cpu  140 0 70 830 10 0 5 11 9 0\ncpu0 1").unwrap();
        assert_eq!(after.stolen_since(&before), 0.1);
        let sixty_ticks = ticks_to_duration(60);
        assert_eq!(after.busy_since(&before), sixty_ticks);
        assert!(Machine::parse("intr 1 2 3").is_err());
    }

    #[test]
    fn a_thread_that_ended_makes_the_difference_unknown() {
        let before = Threads(vec![(1, 100), (2, 50)]);
        let grown = Threads(vec![(1, 160), (2, 50), (3, 7)]);
        assert_eq!(grown.since(&before), Some(Duration::from_nanos(67)));
        assert_eq!(Threads(vec![(1, 400)]).since(&before), None);
    }

    #[test]
    fn both_sources_see_the_work_of_a_child() {
        let mut child = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let before = Threads::of(child.id()).unwrap();
        let begun = process_cpu(child.id()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while process_cpu(child.id()).unwrap() - begun < Duration::from_millis(100) {
            assert!(Instant::now() < deadline, "a busy process has used no CPU");
        }
        let spent = Threads::of(child.id()).unwrap().since(&before);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(spent.unwrap() >= Duration::from_millis(50), "{spent:?}");
    }
}
