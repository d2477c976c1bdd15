//! A cancel ends the waits that have an error to answer with, and leaves alone those that have
//! none; a coroutine that is unwinding is never suspended.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use coroutine::sync::{Condvar, Mutex, RwLock, Semaphore, SendError, WaitError, channel};
use coroutine::{is_cancelled, sleep, spawn, yield_now};
use support::{Watchdog, run};

const PATIENCE: Duration = Duration::from_secs(60);

/// Lets `wait` begin in a coroutine, cancels that, and answers what the wait answered.
fn cancelled<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    let waiting = spawn(wait);
    yield_now();
    yield_now();
    assert!(!waiting.is_finished());
    waiting.cancel();
    waiting.join().unwrap()
}

#[test]
fn channels_and_permits_are_not_waited_for() {
    run(|| {
        let (sender, receiver) = channel(1);
        let other = receiver.clone();
        assert_eq!(cancelled(move || other.recv()), Err(WaitError::Cancelled));
        sender.send(1).unwrap();
        let full = sender.clone();
        let why = WaitError::Cancelled;
        assert_eq!(cancelled(move || full.send(2)), Err(SendError { value: 2, why }));
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1]);

        let semaphore = Arc::new(Semaphore::new(0));
        let other = Arc::clone(&semaphore);
        let answer = cancelled(move || other.acquire().map(drop));
        assert_eq!(answer, Err(WaitError::Cancelled));
        semaphore.release(1);
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn what_is_there_is_still_had() {
    run(|| {
        let (sender, receiver) = channel(2);
        let answers = cancelled(move || {
            sleep(Duration::from_secs(3600));
            assert!(is_cancelled());
            sender.send(1).unwrap();
            [receiver.recv(), receiver.recv()]
        });
        assert_eq!(answers, [Ok(1), Err(WaitError::Cancelled)]);
    });
}

#[test]
fn a_condition_gives_the_lock_back() {
    run(|| {
        let shared = Arc::new((Mutex::new(5), Condvar::new()));
        let other = Arc::clone(&shared);
        let answer = cancelled(move || {
            let (value, waited) = other.1.wait_while(other.0.lock(), |value| *value == 5);
            assert!(other.0.try_lock().is_none(), "the lock is not held");
            // Later waits do not begin.
            let (value, again) = other.1.wait(value);
            (*value, waited, again)
        });
        let why = Err(WaitError::Cancelled);
        assert_eq!(answer, (5, why, why));
        assert!(shared.0.try_lock().is_some());
        shared.1.notify_all();
    });
}

#[test]
fn locks_are_waited_for_all_the_same() {
    run(|| {
        let (mutex, lock) = (Arc::new(Mutex::new(1)), Arc::new(RwLock::new(2)));
        let (held, written) = (mutex.lock(), lock.write());
        let (theirs, other) = (Arc::clone(&mutex), Arc::clone(&lock));
        let waiting = spawn(move || {
            let sum = *theirs.lock() + *other.read();
            *other.write() += sum;
            (sum, is_cancelled())
        });
        yield_now();
        waiting.cancel();
        (0..300).for_each(|_| yield_now());
        assert!(!waiting.is_finished());
        drop(held);
        yield_now();
        assert!(!waiting.is_finished());
        drop(written);
        assert_eq!(waiting.join().unwrap(), (3, true));
        assert_eq!(*lock.read(), 5);
    });
}

/// Runs its work when it is dropped.
struct AtTheEnd<F: FnMut()>(F);

impl<F: FnMut()> Drop for AtTheEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_destructor_of_an_unwinding_coroutine_is_told_that_it_may_not_wait() {
    let count = run(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&count);
        let panicking = spawn(move || {
            let _end = AtTheEnd(|| {
                let (sender, receiver) = channel(1);
                assert_eq!(receiver.recv(), Err(WaitError::WouldBlock));
                sender.send(1).unwrap();
                assert_eq!(sender.send(2).unwrap_err().why, WaitError::WouldBlock);
                let semaphore = Semaphore::new(0);
                assert_eq!(semaphore.acquire().err(), Some(WaitError::WouldBlock));
                let mutex = Mutex::new(());
                let (_held, waited) = Condvar::new().wait(mutex.lock());
                assert_eq!(waited, Err(WaitError::WouldBlock));
                assert!(mutex.try_lock().is_none(), "the lock is not held");
                theirs.fetch_add(1, SeqCst);
            });
            panic!("as asked");
        });
        let other = spawn(thread::panicking);
        panicking.join().unwrap_err();
        assert!(!other.join().unwrap(), "a panic was seen by another coroutine");
        count.load(SeqCst)
    });
    assert_eq!(count, 1);
}

#[test]
fn a_destructor_gets_the_lock_that_another_thread_frees() {
    let _watchdog = Watchdog::new(PATIENCE);
    let mutex = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&mutex);
    let (is_held, held) = channel(1);
    let (go_on, asked) = channel::<()>(1);
    let thread = thread::spawn(move || {
        let mut value = theirs.lock();
        is_held.send(()).unwrap();
        asked.recv().unwrap();
        *value = 5;
    });
    held.recv().unwrap();
    let seen = run(move || {
        let seen = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&seen);
        let panicking = spawn(move || {
            let _end = AtTheEnd(|| {
                go_on.send(()).unwrap();
                theirs.store(*mutex.lock(), SeqCst);
            });
            panic!("as asked");
        });
        panicking.join().unwrap_err();
        seen.load(SeqCst)
    });
    thread.join().unwrap();
    assert_eq!(seen, 5);
}

#[test]
fn a_destructor_that_waits_for_its_own_worker_ends_the_process() {
    const NAME: &str = "a_destructor_that_waits_for_its_own_worker_ends_the_process";
    if std::env::var("ROLE").is_ok_and(|role| role == NAME) {
        run(|| {
            let mutex = Arc::new(Mutex::new(()));
            let _held = mutex.lock();
            let theirs = Arc::clone(&mutex);
            let panicking = spawn(move || {
                let _end = AtTheEnd(|| drop(theirs.lock()));
                panic!("as asked");
            });
            let _ = panicking.join();
        });
        return;
    }
    let _watchdog = Watchdog::new(PATIENCE);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
        .env("ROLE", NAME)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("waits for a lock that is not coming free"), "{said}");
}

#[test]
fn a_panic_leaves_the_lock_free_and_not_poisoned() {
    let _watchdog = Watchdog::new(PATIENCE);
    let mutex = Arc::new(Mutex::new(1));
    let other = Arc::clone(&mutex);
    let caught = catch_unwind(AssertUnwindSafe(move || {
        let _held = other.lock();
        panic!("as asked");
    }));
    caught.unwrap_err();
    assert_eq!(*mutex.try_lock().expect("it is free"), 1);
}
