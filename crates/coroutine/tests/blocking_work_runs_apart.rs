//! Work that blocks runs on threads of its own, as many as are needed and not too many, and these
//! go when they are not needed.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use coroutine::{Ended, blocking, is_cancelled, spawn, yield_now};
use support::{Watchdog, run, run_with, until};

/// The threads of the pool are counted, so that one test at a time may have any.
fn alone() -> (MutexGuard<'static, ()>, Watchdog) {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    (guard, Watchdog::new(Duration::from_secs(60)))
}

/// How many threads the pool has.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim() == "blocking").count()
}

#[test]
fn the_worker_goes_on_meanwhile() {
    let _alone = alone();
    let (sender, receiver) = mpsc::channel();
    let (answer, other) = run(|| {
        let here = thread::current().id();
        let work = spawn(move || {
            blocking(move || (receiver.recv().unwrap(), thread::current().id() == here))
        });
        yield_now();
        let other = spawn(move || sender.send(7).unwrap());
        let other = other.join().is_ok();
        (work.join().unwrap(), other)
    });
    assert_eq!((answer, other), ((7, false), true));
    until(|| threads() == 0);
    let here = thread::current().id();
    assert_eq!(blocking(|| thread::current().id()), here, "a plain thread does its own work");
}

#[test]
fn panics_come_back() {
    let _alone = alone();
    run(|| {
        let caught = catch_unwind(|| blocking(|| panic!("in the work")));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"in the work"));
        // And the thread they came from is as good as before.
        assert_eq!(blocking(|| 7), 7);
    });
    until(|| threads() == 0);
}

#[test]
fn threads_are_bounded_and_work_is_not_lost() {
    let _alone = alone();
    // More than the threads and the queue hold together.
    const CALLS: usize = 1500;
    const THREADS: usize = 64;
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let done = Arc::new(AtomicUsize::new(0));
    let begun = Arc::new(AtomicUsize::new(0));
    let (counts, begins) = (Arc::clone(&done), Arc::clone(&begun));
    run(move || {
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let (wait, done) = (Arc::clone(&wait), Arc::clone(&counts));
                let begun = Arc::clone(&begins);
                spawn(move || {
                    blocking(move || {
                        begun.fetch_add(1, SeqCst);
                        // Ends for all when the sender is dropped.
                        let _ = wait.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        done.fetch_add(1, SeqCst);
                    });
                })
            })
            .collect();
        while begun.load(SeqCst) < THREADS {
            yield_now();
        }
        (0..100).for_each(|_| yield_now());
        assert_eq!((threads(), begun.load(SeqCst)), (THREADS, THREADS));
        drop(go_on);
        calls.into_iter().for_each(|call| call.join().unwrap());
    });
    assert_eq!(done.load(SeqCst), CALLS);
    until(|| threads() == 0);
}

#[test]
fn threads_with_nothing_to_do_end() {
    let _alone = alone();
    run(|| {
        blocking(|| assert_eq!(threads(), 1));
        while threads() > 0 {
            coroutine::sleep(Duration::from_millis(10));
        }
        blocking(|| ());
    });
    until(|| threads() == 0);
}

#[test]
fn the_threads_stay_for_the_last_worker() {
    let _alone = alone();
    run(|| {
        blocking(|| ());
        thread::spawn(|| run(|| blocking(|| ()))).join().unwrap();
        assert!(blocking(|| threads() > 0));
    });
    until(|| threads() == 0);
}

#[test]
fn a_cancel_does_not_end_work() {
    let _alone = alone();
    run(|| {
        let (sender, receiver) = mpsc::channel();
        let work = spawn(move || (blocking(move || receiver.recv().unwrap()), is_cancelled()));
        yield_now();
        work.cancel();
        (0..300).for_each(|_| yield_now());
        assert!(!work.is_finished());
        sender.send(7).unwrap();
        assert_eq!(work.join().unwrap(), (7, true));
    });
    until(|| threads() == 0);
}

#[test]
fn an_unwinding_by_force_leaves_the_work_to_itself() {
    let _alone = alone();
    let (sender, receiver) = mpsc::channel();
    let done = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::clone(&done);
    let ((), ended) = run_with(Duration::ZERO, move || {
        spawn(move || {
            blocking(move || theirs.store(receiver.recv().unwrap(), SeqCst));
        });
        yield_now();
        yield_now();
    });
    assert_eq!(ended, Ended { cancelled: 1, forced: 1, abandoned: 0 });
    assert_eq!(done.load(SeqCst), 0);
    sender.send(7).unwrap();
    until(|| done.load(SeqCst) == 7 && threads() == 0);
}

#[test]
fn work_of_a_destructor_holds_up_its_worker() {
    let _alone = alone();

    struct Works(Arc<AtomicUsize>);

    impl Drop for Works {
        fn drop(&mut self) {
            let here = thread::current().id();
            let there = catch_unwind(AssertUnwindSafe(|| blocking(|| thread::current().id())));
            self.0.store(usize::from(there.is_ok_and(|there| there == here)), SeqCst);
        }
    }

    let done = Arc::new(AtomicUsize::new(0));
    let works = Works(Arc::clone(&done));
    run(|| {
        let panicking = spawn(move || {
            let _works = works;
            panic!("as asked");
        });
        panicking.join().unwrap_err();
    });
    assert_eq!(done.load(SeqCst), 1);
    until(|| threads() == 0);
}
