//! No notification is lost: whoever waits for a change sees it.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use super::explore;
use crate::parker::Parker;
use crate::sync::{Condvar, Mutex, WaitError};

#[test]
fn a_change_is_seen_however_the_threads_meet() {
    explore(3, || {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            *other.0.lock() = true;
            other.1.notify_one();
        });
        let (ready, waited) = shared.1.wait_while(shared.0.lock(), |ready| !*ready);
        assert_eq!((*ready, waited), (true, Ok(())));
        drop(ready);
        thread.join().unwrap();
    });
}

#[test]
fn a_waiter_that_times_out_takes_no_notification_along() {
    explore(2, || {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let other = Arc::clone(&shared);
        let impatient = thread::spawn(move || {
            let guard = other.0.lock();
            match other.1.wait_timeout_while(guard, Duration::ZERO, |ready| !*ready).1 {
                Ok(()) => other.1.notify_one(),
                Err(why) => assert_eq!(why, WaitError::TimedOut),
            }
        });
        let other = Arc::clone(&shared);
        let patient = thread::spawn(move || {
            other.1.wait_while(other.0.lock(), |ready| !*ready).1.unwrap();
        });
        *shared.0.lock() = true;
        shared.1.notify_one();
        impatient.join().unwrap();
        patient.join().unwrap();
    });
}

#[test]
fn a_waiter_that_is_unwound_passes_the_notification_on() {
    explore(3, || {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let other = Arc::clone(&shared);
        let waiting = thread::spawn(move || {
            other.1.wait_while(other.0.lock(), |ready| !*ready).1.unwrap();
        });
        // In the queue before the change, possibly before the other one, and gone after it.
        let doomed = shared.1.queue_up(&Parker::new());
        *shared.0.lock() = true;
        shared.1.notify_one();
        drop(doomed);
        waiting.join().unwrap();
    });
}
