//! When a worker has ended, its descriptors, mappings and threads are gone, whatever its coroutines
//! were doing.
//!
//! One test to this file: it counts what the process has.

mod support;

use std::time::Duration;

use coroutine::{Settings, Worker, blocking, sleep, spawn, yield_now};
use support::{listener, pair, tcp_pair, until};

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

fn everything(grace: Duration) {
    let worker = Worker::new(Settings { grace, ..Settings::default() }).unwrap();
    let remote = worker.remote();
    worker
        .run(move || {
            let (left, right) = tcp_pair();
            spawn(move || right.recv(&mut [0; 1]).map(drop));
            spawn(move || left.send_all(&vec![0; 16 << 20]));
            let (listener, _) = listener();
            spawn(move || listener.accept().map(drop));
            let (one, two) = pair();
            spawn(move || {
                let _open = one;
                sleep(Duration::MAX);
            });
            spawn(move || while two.recv(&mut [0; 1]).is_err() {});
            remote.spawn("remote", || sleep(Duration::MAX)).unwrap();
            assert_eq!(blocking(|| 6 * 7), 42);
            drop(spawn(|| panic!("somewhere")));
            (0..3).for_each(|_| yield_now());
            spawn(|| unreachable!("too late to begin"));
        })
        .map(drop)
        .unwrap();
}

#[test]
fn descriptors_mappings_and_threads_are_as_before() {
    let _watchdog = support::Watchdog::new(Duration::from_secs(60));
    let threads = count("/proc/self/task");
    // What is made once for the process.
    everything(Duration::ZERO);
    // Those that did work that blocks end by themselves.
    until(|| count("/proc/self/task") == threads);
    let before = (count("/proc/self/fd"), mappings());
    for round in 0..20 {
        let grace = if round % 2 == 0 { Duration::ZERO } else { Duration::from_millis(20) };
        everything(grace);
        // A thread that is still ending has a stack that the next one cannot have.
        until(|| count("/proc/self/task") == threads);
    }
    assert_eq!(count("/proc/self/fd"), before.0, "descriptors");
    // AddressSanitizer has mappings of its own.
    assert!(
        mappings() <= before.1 + 4 || cfg!(feature = "asan"),
        "mappings: {} then {}",
        before.1,
        mappings()
    );
}
