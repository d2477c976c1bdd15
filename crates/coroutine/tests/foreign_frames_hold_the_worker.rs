//! What C calls back waits as the thread: no coroutine is suspended above its frames.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use coroutine::sync::Mutex;
use coroutine::{in_coroutine, sleep, spawn, without_switching, yield_now};
use support::{pair, run};

/// Counts how often another coroutine has run, which is ready all the time.
fn with_another(work: impl FnOnce(&AtomicU32)) {
    let (turns, over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (counted, ends) = (Arc::clone(&turns), Arc::clone(&over));
    let other = spawn(move || {
        while !ends.load(SeqCst) {
            counted.fetch_add(1, SeqCst);
            yield_now();
        }
    });
    yield_now();
    work(&turns);
    over.store(true, SeqCst);
    other.join().unwrap();
}

#[test]
fn a_receive_waits_for_another_thread_and_nobody_runs_meanwhile() {
    run(|| {
        with_another(|turns| {
            let (left, right) = pair();
            let (go, gone) = mpsc::channel();
            let peer = std::thread::spawn(move || {
                gone.recv().unwrap();
                left.send_all(b"well").unwrap();
                left
            });
            let mut answer = [0; 4];
            let before = turns.load(SeqCst);
            without_switching(|| {
                assert!(!in_coroutine());
                go.send(()).unwrap();
                right.recv_exact(&mut answer).unwrap();
                sleep(Duration::from_millis(1));
                yield_now();
            });
            assert_eq!((turns.load(SeqCst), &answer), (before, b"well"));
            assert!(in_coroutine());
            yield_now();
            assert!(turns.load(SeqCst) > before, "it does not run any more");
            // The same socket, waited for by the coroutine again.
            let left = peer.join().unwrap();
            let sender = spawn(move || left.send_all(b"more").unwrap());
            right.recv_exact(&mut answer).unwrap();
            sender.join().unwrap();
            assert_eq!(&answer, b"more");
        });
    });
}

#[test]
fn a_lock_that_a_thread_holds_is_waited_for() {
    run(|| {
        let lock = Arc::new(Mutex::new(0));
        let (held, holds) = mpsc::channel();
        let (other, go) = (Arc::clone(&lock), mpsc::channel::<()>());
        let thread = std::thread::spawn(move || {
            let mut guard = other.lock();
            held.send(()).unwrap();
            go.1.recv().unwrap();
            *guard = 1;
        });
        holds.recv().unwrap();
        with_another(|turns| {
            let before = turns.load(SeqCst);
            without_switching(|| {
                go.0.send(()).unwrap();
                assert_eq!(*lock.lock(), 1);
            });
            assert_eq!(turns.load(SeqCst), before);
        });
        thread.join().unwrap();
    });
}

#[test]
fn a_panic_gives_the_coroutine_back_what_it_had() {
    run(|| {
        let panicked =
            catch_unwind(AssertUnwindSafe(|| without_switching(|| panic!("on purpose"))));
        assert!(panicked.is_err());
        assert!(in_coroutine());
        let (left, right) = pair();
        let sender = spawn(move || left.send_all(b"well").unwrap());
        right.recv_exact(&mut [0; 4]).unwrap();
        sender.join().unwrap();
    });
}

#[test]
fn on_a_thread_it_is_nothing() {
    assert_eq!(without_switching(|| 7), 7);
    assert!(!in_coroutine());
}
