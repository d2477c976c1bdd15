//! A coroutine that keeps its worker to itself shows where it stands, in debug builds, and nothing
//! happens to it.

mod support;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use coroutine::{Remote, Settings, Worker};
use support::Watchdog;

/// Computes, allocates and asks for the time until it may end, without giving way.
#[inline(never)]
fn spins_without_end(end: &AtomicBool, turns: &AtomicU64) {
    while !end.load(SeqCst) {
        black_box(vec![1_u8; 1 + turns.fetch_add(1, SeqCst) as usize % 5_000]);
        black_box(std::time::Instant::now());
    }
}

/// Asks until there is an answer: the worker may be anywhere when it is forked, also where its
/// copy holds a lock that nobody opens.
fn ask(remote: &Remote) -> String {
    (0..100).find_map(|_| remote.backtrace()).expect("one of them is told")
}

#[test]
fn its_functions_stand_in_it() {
    let _watchdog = Watchdog::new(Duration::from_secs(300));
    let (end, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (sender, receiver) = mpsc::channel();
    let worker = {
        let (end, turns) = (Arc::clone(&end), Arc::clone(&turns));
        std::thread::spawn(move || {
            let worker = Worker::new(Settings::default()).unwrap();
            sender.send(worker.remote()).unwrap();
            worker.run(move || spins_without_end(&end, &turns)).unwrap();
        })
    };
    let remote = receiver.recv().unwrap();
    while turns.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    if cfg!(debug_assertions) {
        for _ in 0..3 {
            let said = ask(&remote);
            assert!(said.contains("spins_without_end"), "{said}");
            assert!(said.contains("backtraces_of_the_held.rs:"), "with its line: {said}");
            assert!(!said.contains("glimpse"), "without our own frames: {said}");
            assert!(!said.contains("worker::Core"), "and those of the worker: {said}");
        }
    }
    let before = turns.load(SeqCst);
    while turns.load(SeqCst) == before {
        std::thread::yield_now();
    }
    end.store(true, SeqCst);
    worker.join().unwrap();
    assert_eq!(remote.backtrace(), None, "it has ended");
}
