//! A hundred thousand idle coroutines are a handful of mappings and some pages each, and what they
//! used is given back.
//!
//! One test to this file: it measures the process.

mod support;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use coroutine::{sleep, spawn, yield_now};
use support::{run_with, until};

/// AddressSanitizer keeps a second stack of its own for each.
const COUNT: usize = if cfg!(feature = "asan") { 1_000 } else { 100_000 };

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// Memory of the process in bytes, without that of its page tables.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn a_hundred_thousand_are_a_handful_of_mappings_and_pages() {
    let ended = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::clone(&ended);
    let ((), how) = run_with(Duration::from_secs(50), move || {
        let (before, memory) = (mappings(), resident());
        for _ in 0..COUNT {
            let ended = Arc::clone(&theirs);
            drop(spawn(move || {
                sleep(Duration::MAX);
                ended.fetch_add(1, SeqCst);
            }));
        }
        yield_now();
        until(|| coroutine::list().len() == COUNT + 1);
        let added = mappings() - before;
        assert!(added < 100 || cfg!(feature = "asan"), "{added} mappings for {COUNT} coroutines");
        let each = (resident() - memory) / COUNT;
        assert!(each < 16 * 1024 || cfg!(feature = "asan"), "{each} bytes for each");
    });
    assert_eq!(ended.load(SeqCst), COUNT);
    assert_eq!((how.cancelled, how.forced, how.abandoned), (COUNT, 0, 0));
}
