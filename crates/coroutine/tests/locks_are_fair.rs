//! Nobody starves: who waits gets its turn, however busy the others are.
//!
//! On one worker the order of things is certain, so that turns can be counted there.

mod callers;
mod support;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use callers::Mix;
use coroutine::sync::{Mutex, RwLock, Semaphore, channel};
use coroutine::{spawn, yield_now};
use support::{Watchdog, run};

const PATIENCE: Duration = Duration::from_secs(60);

/// How often a waiter that was woken may be overtaken, and the round in which it came.
const ROUNDS_AT_MOST: usize = 4 + 1;

#[test]
fn who_takes_the_lock_again_at_once_gives_way_in_the_end() {
    let rounds = run(|| {
        let shared = Arc::new((Mutex::new(()), AtomicUsize::new(0), AtomicUsize::new(0)));
        let waiting = Arc::clone(&shared);
        let held = shared.0.lock();
        let waiter = spawn(move || {
            drop(waiting.0.lock());
            waiting.2.store(1, SeqCst);
            waiting.1.load(SeqCst)
        });
        yield_now();
        drop(held);
        while shared.2.load(SeqCst) == 0 {
            // Always held when another one runs.
            let _held = shared.0.lock();
            shared.1.fetch_add(1, SeqCst);
            yield_now();
        }
        waiter.join().unwrap()
    });
    assert!(rounds <= ROUNDS_AT_MOST, "the waiter was overtaken {rounds} times");
}

#[test]
fn a_writer_is_not_kept_out_by_readers_that_relieve_each_other() {
    run(|| {
        let shared = Arc::new((RwLock::new(()), AtomicUsize::new(0)));
        let readers = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            spawn(move || {
                while shared.1.load(SeqCst) == 0 {
                    let _held = shared.0.read();
                    yield_now();
                    yield_now();
                }
            })
        });
        yield_now();
        let held = shared.0.write();
        shared.1.store(1, SeqCst);
        drop(held);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn readers_are_not_kept_out_by_writers_that_relieve_each_other() {
    run(|| {
        let shared = Arc::new((RwLock::new(()), AtomicUsize::new(0)));
        let writers = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            spawn(move || {
                while shared.1.load(SeqCst) == 0 {
                    let _held = shared.0.write();
                    yield_now();
                }
            })
        });
        yield_now();
        let held = shared.0.read();
        shared.1.store(1, SeqCst);
        drop(held);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    });
}

#[test]
fn turns_come_in_the_order_of_coming() {
    let order = run(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let (sender, receiver) = channel(16);
        for number in 0..16 {
            let (semaphore, sender) = (Arc::clone(&semaphore), sender.clone());
            spawn(move || {
                let _permit = semaphore.acquire().unwrap();
                sender.send(number).unwrap();
            });
        }
        drop(sender);
        yield_now();
        semaphore.release(1);
        receiver.iter().collect::<Vec<_>>()
    });
    assert_eq!(order, Vec::from_iter(0..16));
}

#[test]
fn one_who_wants_a_channel_gets_it_beside_busy_ones() {
    let _watchdog = Watchdog::new(PATIENCE);
    // All but one send without a pause. That one has something to say as well.
    let (sender, receiver) = channel(2);
    let reader = std::thread::spawn(move || {
        let quiet = receiver.iter().filter(|number| *number == 0).take(20).count();
        drop(receiver);
        quiet
    });
    Mix::ALL.run(move |number| match number {
        0 => (0..20).for_each(|_| sender.send(0).unwrap()),
        number => while sender.send(number).is_ok() {},
    });
    assert_eq!(reader.join().unwrap(), 20);
}

#[test]
fn a_channel_that_is_never_empty_leaves_time_for_others() {
    let left = run(|| {
        let (sender, receiver) = channel(1000);
        (0..1000).for_each(|number| sender.send(number).unwrap());
        drop(sender);
        let other = spawn(|| ());
        receiver.iter().take_while(|_| !other.is_finished()).for_each(drop);
        receiver.iter().count()
    });
    assert!(left > 0, "the other coroutine ran after the last value only");
}
