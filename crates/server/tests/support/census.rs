//! What a process has: descriptors, threads, children. Taken before and after, to see that
//! everything was given back. It is of the whole process, so only a test that is alone in its
//! process can take it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What the process has, by name and number, so that what is left over can be named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Each kind of descriptor (`socket`, `anon_inode:[eventfd]`, a path), and how many.
    pub descriptors: BTreeMap<String, usize>,
    /// Each name of a thread, and how many.
    pub threads: BTreeMap<String, usize>,
    /// Children, also those that have ended and were not waited for.
    pub children: Vec<String>,
}

impl Census {
    pub fn take() -> Census {
        Census { descriptors: descriptors(), threads: threads(), children: children() }
    }

    /// Waits until the process has nothing more than at this census. It may have less: a thread
    /// may have been ending when the census was taken.
    pub fn comes_back(&self, after: &str) {
        self.until(after, |now| {
            is_within(&now.descriptors, &self.descriptors)
                && is_within(&now.threads, &self.threads)
                && now.children.iter().all(|child| self.children.contains(child))
        });
    }

    /// The same for descriptors alone.
    pub fn descriptors_come_back(&self, after: &str) {
        self.until(after, |now| is_within(&now.descriptors, &self.descriptors));
    }

    fn until(&self, after: &str, is_back: impl Fn(&Census) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let now = Census::take();
            if is_back(&now) {
                return;
            }
            assert!(Instant::now() < end, "{after}: there was {self:#?}\nand there is {now:#?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How many threads and children there are.
    pub fn hands(&self) -> usize {
        self.threads.values().sum::<usize>() + self.children.len()
    }
}

/// Whether there is no more of anything in `now` than in `then`.
fn is_within(now: &BTreeMap<String, usize>, then: &BTreeMap<String, usize>) -> bool {
    now.iter().all(|(name, count)| then.get(name).is_some_and(|before| count <= before))
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}

fn descriptors() -> BTreeMap<String, usize> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    // What is gone between the two looks was the directory itself.
    let links = entries.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    count(links.map(|link| {
        let link = link.to_string_lossy().into_owned();
        match link.split_once(":[") {
            Some((kind @ ("socket" | "pipe"), _)) => kind.to_owned(),
            _ => link,
        }
    }))
}

fn threads() -> BTreeMap<String, usize> {
    let entries = std::fs::read_dir("/proc/self/task").unwrap();
    let names = entries
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path().join("comm")).ok());
    count(names.map(|name| name.trim_end().to_owned()))
}

fn children() -> Vec<String> {
    let own = std::process::id().to_string();
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let Ok(stat) = std::fs::read_to_string(entry.unwrap().path().join("stat")) else {
            continue;
        };
        // `proc_pid_stat(5)`: pid (name) state parent …; the name may contain anything.
        let Some((name, rest)) = stat.rsplit_once(") ") else { continue };
        if rest.split(' ').nth(1) == Some(&own) {
            children.push(format!("{name}) {}", &rest[..1]));
        }
    }
    children.sort_unstable();
    children
}
