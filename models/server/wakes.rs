//! A latch that is set is seen, and one that was cleared can be set again.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use loom::thread;

use crate::atomic::AtomicUsize;
use crate::explore;
use crate::latch::Latch;

/// Clears, looks, and waits, until two others have said what they had to say.
#[test]
fn nobody_sleeps_beside_a_cause() {
    explore(3, || {
        let shared = Arc::new((Latch::default(), AtomicUsize::default()));
        let others = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.fetch_add(1, SeqCst);
                shared.0.set();
            })
        });
        let (latch, causes) = &*shared;
        loop {
            latch.clear();
            if causes.load(SeqCst) == 2 {
                break;
            }
            latch.wait().unwrap();
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// A clear that meets a set may undo it, but must not make the next one mute.
#[test]
fn a_set_after_a_clear_that_met_another_is_seen() {
    explore(3, || {
        let latch = Arc::new(Latch::default());
        let other = Arc::clone(&latch);
        let other = thread::spawn(move || other.set());
        latch.clear();
        other.join().unwrap();
        latch.set();
        latch.wait().unwrap();
    });
}

#[test]
fn one_that_nobody_clears_stays_set() {
    explore(3, || {
        let latch = Arc::new(Latch::default());
        let others = [(); 2].map(|()| {
            let latch = Arc::clone(&latch);
            thread::spawn(move || latch.set())
        });
        latch.wait().unwrap();
        assert!(latch.is_set());
        latch.wait().unwrap();
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}
