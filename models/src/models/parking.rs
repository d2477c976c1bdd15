//! A permit is not lost, whenever it is given.

use std::sync::Arc;

use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::{Acquire, Release};
use loom::thread;
use socket::Deadline;

use super::explore;
use crate::parker::{Heed, Parked, Parker};

#[test]
fn an_unpark_before_or_after_the_park_ends_it() {
    explore(3, || {
        let parker = Parker::new();
        let unparker = parker.unparker();
        let ready = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&ready);
        let thread = thread::spawn(move || {
            other.store(1, Release);
            assert!(unparker.unpark());
        });
        while ready.load(Acquire) == 0 {
            assert_eq!(parker.park(Deadline::Never, Heed::Cancel), Parked::Woken);
        }
        thread.join().unwrap();
    });
}

#[test]
fn who_is_unparked_by_two_sees_both_in_the_end() {
    explore(2, || {
        let parker = Parker::new();
        let count = Arc::new(AtomicUsize::new(0));
        let threads = [(); 2].map(|()| {
            let (unparker, count) = (parker.unparker(), Arc::clone(&count));
            thread::spawn(move || {
                count.fetch_add(1, Release);
                unparker.unpark();
            })
        });
        while count.load(Acquire) < 2 {
            parker.park(Deadline::Never, Heed::Cancel);
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
