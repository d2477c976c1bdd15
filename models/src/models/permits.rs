//! Permits are neither lost nor made, whoever leaves when.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;
use socket::Deadline;

use super::explore;
use crate::parker::{Heed, Parker};
use crate::sync::{Gate, Semaphore, WaitError};

#[test]
fn a_waiter_that_times_out_loses_no_permit() {
    explore(3, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = Arc::clone(&semaphore);
        let impatient = thread::spawn(move || {
            let permit = other.acquire_timeout(Duration::ZERO);
            assert!(permit.is_ok() || matches!(permit, Err(WaitError::TimedOut)));
        });
        let other = Arc::clone(&semaphore);
        let patient = thread::spawn(move || drop(other.acquire().unwrap()));
        drop(semaphore.acquire().unwrap());
        impatient.join().unwrap();
        patient.join().unwrap();
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn two_permits_serve_three() {
    explore(2, || {
        let semaphore = Arc::new(Semaphore::new(2));
        let threads = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || drop(semaphore.acquire().unwrap()))
        });
        drop(semaphore.acquire().unwrap());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(semaphore.available(), 2);
    });
}

#[test]
fn permits_that_are_added_wake_all_who_can_have_one() {
    explore(2, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let threads = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.acquire().unwrap().forget())
        });
        semaphore.release(1);
        semaphore.release(1);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(semaphore.available(), 0);
    });
}

/// What an unwinding leaves of a wait: a place that was taken, and dropped some time later.
fn unwound(gate: &Gate, count: usize) {
    match gate.queue_up(count, &Parker::new()).unwrap() {
        Some(place) => {
            thread::yield_now();
            drop(place);
        }
        None => gate.release(count),
    }
}

#[test]
fn a_waiter_that_is_unwound_loses_no_permit() {
    explore(3, || {
        let gate = Arc::new(Gate::new(0));
        let other = Arc::clone(&gate);
        let doomed = thread::spawn(move || unwound(&other, 1));
        let other = Arc::clone(&gate);
        let waiting =
            thread::spawn(move || other.acquire(1, Deadline::Never, Heed::Nothing).unwrap());
        gate.release(1);
        doomed.join().unwrap();
        waiting.join().unwrap();
        assert_eq!(gate.free(), 0);
    });
}

#[test]
fn one_who_wants_all_and_is_unwound_lets_the_others_pass() {
    explore(2, || {
        let gate = Arc::new(Gate::new(2));
        assert!(gate.try_acquire(1));
        let other = Arc::clone(&gate);
        let doomed = thread::spawn(move || unwound(&other, 2));
        let other = Arc::clone(&gate);
        let waiting =
            thread::spawn(move || other.acquire(1, Deadline::Never, Heed::Nothing).unwrap());
        doomed.join().unwrap();
        // It does not depend on what is still held.
        waiting.join().unwrap();
        gate.release(2);
        assert_eq!(gate.free(), 2);
    });
}
