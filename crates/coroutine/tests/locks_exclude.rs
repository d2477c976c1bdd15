//! A lock keeps its promise between threads and coroutines of several workers at once: one writer,
//! or readers, or so many permits.

mod callers;
mod support;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use callers::Mix;
use coroutine::sync::{Condvar, Mutex, RwLock, Semaphore};
use coroutine::yield_now;
use support::Watchdog;

const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: usize = 500;

/// Fails if more than so many are inside at once.
#[derive(Default)]
struct Inside(AtomicUsize);

impl Inside {
    fn visit(&self, most: usize, work: impl FnOnce()) {
        assert!(self.0.fetch_add(1, SeqCst) < most);
        work();
        self.0.fetch_sub(1, SeqCst);
    }
}

#[test]
fn a_mutex_has_one_holder() {
    let _watchdog = Watchdog::new(PATIENCE);
    for mix in Mix::EACH {
        let shared = Arc::new((Mutex::new(0), Inside::default()));
        let theirs = Arc::clone(&shared);
        mix.run(move |number| {
            for round in 0..ROUNDS {
                let mut count = theirs.0.lock();
                theirs.1.visit(1, || {
                    let before = *count;
                    if (round + number) % 8 == 0 {
                        yield_now();
                    }
                    *count = before + 1;
                });
            }
        });
        assert_eq!(*shared.0.try_lock().expect("nobody is left"), mix.count() * ROUNDS);
    }
}

#[test]
fn a_writer_is_alone_and_readers_are_not() {
    let _watchdog = Watchdog::new(PATIENCE);
    for mix in Mix::EACH {
        let shared = Arc::new((RwLock::new((0_usize, 0_usize)), Inside::default()));
        let theirs = Arc::clone(&shared);
        mix.run(move |number| {
            for round in 0..ROUNDS {
                if (round + number) % 4 == 0 {
                    let mut pair = theirs.0.write();
                    theirs.1.visit(1, || {
                        pair.0 += 1;
                        yield_now();
                        pair.1 += 1;
                    });
                } else {
                    let pair = theirs.0.read();
                    let before = *pair;
                    assert_eq!(before.0, before.1);
                    yield_now();
                    assert_eq!(*pair, before);
                }
            }
        });
        let pair = *shared.0.try_write().expect("nobody is left");
        assert_eq!(pair, (mix.count() * ROUNDS / 4, mix.count() * ROUNDS / 4));
    }
}

#[test]
fn a_semaphore_lets_so_many_in() {
    let _watchdog = Watchdog::new(PATIENCE);
    for mix in Mix::EACH {
        let shared = Arc::new((Semaphore::new(3), Inside::default()));
        let theirs = Arc::clone(&shared);
        mix.run(move |number| {
            for round in 0..ROUNDS {
                // Some do not wait as long as it takes, and go without.
                let permit = match (round + number) % 5 {
                    0 => theirs.0.acquire_timeout(Duration::from_micros(20)).ok(),
                    1 => theirs.0.try_acquire(),
                    _ => Some(theirs.0.acquire().unwrap()),
                };
                if permit.is_some() {
                    theirs.1.visit(3, yield_now);
                }
            }
        });
        assert_eq!(shared.0.available(), 3);
    }
}

#[test]
fn a_condition_wakes_each_who_waits() {
    let _watchdog = Watchdog::new(PATIENCE);
    for mix in Mix::EACH {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let callers = mix.count();
        // Each adds one when it is its turn, and tells all: as many turns as callers, each waited
        // for by all who come later.
        mix.run(move |number| {
            for round in 0..ROUNDS / 50 {
                let turn = round * callers + number;
                let (mut next, waited) = shared.1.wait_while(shared.0.lock(), |next| *next != turn);
                waited.unwrap();
                *next += 1;
                shared.1.notify_all();
            }
        });
    }
}
