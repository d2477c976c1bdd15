//! A coroutine that keeps its worker to itself shows where it stands, in debug builds, and nothing
//! happens to it.

#![allow(unsafe_code)]

mod support;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
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

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".type spins_in_assembly, @function",
    "spins_in_assembly: cmp byte ptr [rdi], 0",
    "je spins_in_assembly",
    "ret",
    ".size spins_in_assembly, . - spins_in_assembly",
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".type spins_in_assembly, %function",
    "spins_in_assembly: ldrb w1, [x0]",
    "cbz w1, spins_in_assembly",
    "ret",
    ".size spins_in_assembly, . - spins_in_assembly",
);

unsafe extern "C" {
    /// Waits until `end` is not zero. Nothing says how to unwind it.
    fn spins_in_assembly(end: *const AtomicBool);
}

/// A worker that is kept by what it runs.
struct Kept {
    end: Arc<AtomicBool>,
    remote: Remote,
    worker: JoinHandle<()>,
}

impl Kept {
    /// By `body`, which says that it has begun and ends when it is told to.
    fn by(body: impl FnOnce(&AtomicBool, &dyn Fn()) + Send + 'static) -> Kept {
        let end = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = mpsc::channel();
        let theirs = Arc::clone(&end);
        let worker = thread::spawn(move || {
            let worker = Worker::new(Settings::default()).unwrap();
            let remote = worker.remote();
            worker.run(move || body(&theirs, &|| sender.send(remote.clone()).unwrap())).unwrap();
        });
        Kept { end, remote: receiver.recv().unwrap(), worker }
    }

    /// Asks until there is an answer with `part` in it: the worker may be anywhere when it is
    /// forked, also where its copy holds a lock that nobody opens or nothing says how to unwind.
    fn ask(&self, part: &str) -> String {
        let answers = (0..100).filter_map(|_| self.remote.backtrace());
        answers
            .inspect(|said| assert!(!said.contains("glimpse"), "without our own frames: {said}"))
            .find(|said| said.contains(part))
            .expect("one of them is told")
    }

    fn end(self) {
        self.end.store(true, SeqCst);
        self.worker.join().unwrap();
        assert_eq!(self.remote.backtrace(), None, "it has ended");
    }
}

#[test]
fn its_functions_stand_in_it() {
    let _watchdog = Watchdog::new(Duration::from_secs(300));
    let turns = Arc::new(AtomicU64::new(0));
    let theirs = Arc::clone(&turns);
    let kept = Kept::by(move |end, begun| {
        begun();
        spins_without_end(end, &theirs);
    });
    while turns.load(SeqCst) == 0 {
        thread::yield_now();
    }
    if cfg!(debug_assertions) {
        for _ in 0..20 {
            let said = kept.ask("spins_without_end");
            assert!(said.contains("backtraces_of_the_held.rs:"), "with its line: {said}");
            assert!(!said.contains("worker::Core"), "and those of the worker: {said}");
        }
    }
    let before = turns.load(SeqCst);
    while turns.load(SeqCst) == before {
        thread::yield_now();
    }
    kept.end();
}

#[test]
fn it_ends_where_nothing_says_how_to_unwind() {
    let _watchdog = Watchdog::new(Duration::from_secs(300));
    let kept = Kept::by(|end, begun| {
        begun();
        // SAFETY: reads the byte, which outlives the call.
        unsafe { spins_in_assembly(end) }
    });
    if cfg!(debug_assertions) {
        let said = kept.ask("spins_in_assembly");
        assert!(!said.contains("backtraces_of_the_held"), "{said}");
    }
    kept.end();
}
