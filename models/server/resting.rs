//! The patrol sleeps only while there is nothing to look for.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use loom::thread;

use crate::atomic::AtomicUsize;
use crate::explore;
use crate::patrol::Patrol;

/// Looks once more, or sleeps, as the watch of a server does.
fn look(patrol: &Patrol, open: &AtomicUsize) {
    if patrol.rest(|| open.load(SeqCst) > 0) {
        patrol.wake.wait().unwrap();
    }
    patrol.woken();
}

#[test]
fn whatever_opens_wakes_it() {
    explore(3, || {
        let shared = Arc::new((Patrol::default(), AtomicUsize::default()));
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || {
            other.1.fetch_add(1, SeqCst);
            other.0.opened();
        });
        let (patrol, open) = &*shared;
        while open.load(SeqCst) == 0 {
            look(patrol, open);
        }
        other.join().unwrap();
    });
}

/// A handler sets itself a limit just when the patrol goes to sleep, and ends. What opens after
/// that still wakes it.
#[test]
fn one_that_was_woken_for_nothing_can_be_woken_again() {
    explore(3, || {
        let shared = Arc::new((Patrol::default(), AtomicUsize::default(), AtomicUsize::default()));
        shared.1.fetch_add(1, SeqCst);
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || {
            let (patrol, open, ever) = &*other;
            patrol.wake.set();
            open.fetch_sub(1, SeqCst);
            open.fetch_add(1, SeqCst);
            ever.fetch_add(1, SeqCst);
            patrol.opened();
        });
        let (patrol, open, ever) = &*shared;
        while ever.load(SeqCst) == 0 {
            look(patrol, open);
            thread::yield_now();
        }
        other.join().unwrap();
    });
}
