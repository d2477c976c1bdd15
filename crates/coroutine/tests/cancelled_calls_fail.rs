//! Cancelling a coroutine makes the call it waits in fail, and each later one at once; its code
//! ends itself by ordinary errors. Nothing else is disturbed.

mod support;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use coroutine::{JoinHandle, is_cancel, is_cancelled, sleep, spawn, yield_now};
use socket::{Deadline, Interest, seam};
use support::{listener, pair, run, run_with};

/// Cancels what `body` waits in, and answers its result.
fn cancelled<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    run(|| {
        let waiting = spawn(body);
        yield_now();
        assert!(!waiting.is_finished(), "it has to wait first");
        waiting.cancel();
        waiting.join().unwrap()
    })
}

#[test]
fn every_blocked_call_fails() {
    let (_left, right) = pair();
    let (receiver, sender) = (right.try_clone().unwrap(), right.try_clone().unwrap());
    let any = right.try_clone().unwrap();
    let (listener, _address) = listener();
    let errors = [
        cancelled(move || receiver.recv(&mut [0; 1]).unwrap_err()),
        cancelled(move || right.recv_by(&mut [0; 1], Deadline::After(Duration::MAX)).unwrap_err()),
        cancelled(move || sender.send_all(&vec![0; 16 << 20]).unwrap_err()),
        cancelled(move || listener.accept().unwrap_err()),
        cancelled(move || {
            let mut watches = [any.watch(Interest::READ)];
            seam::wait_any(&mut watches, Deadline::Never).unwrap_err()
        }),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        assert_eq!(error.to_string(), "cancelled");
    }
}

#[test]
fn sleeps_and_joins_end() {
    cancelled(|| sleep(Duration::MAX));
    let joined = cancelled(|| spawn(|| sleep(Duration::MAX)).join());
    assert!(is_cancel(&*joined.unwrap_err()));
}

#[test]
fn later_calls_fail_without_being_made() {
    let (left, right) = pair();
    left.send_all(b"there is something to read").unwrap();
    let later = cancelled(move || {
        sleep(Duration::MAX);
        assert!(is_cancelled());
        sleep(Duration::MAX);
        (right.recv(&mut [0; 8]).unwrap_err(), right.send(b"x").unwrap_err(), right)
    });
    assert_eq!(later.0.kind(), ErrorKind::ConnectionAborted);
    assert_eq!(later.1.kind(), ErrorKind::ConnectionAborted);
    assert_eq!(later.2.recv(&mut [0; 8]).unwrap(), 8, "nothing of it has been read");
}

#[test]
fn one_that_ignores_errors_does_not_keep_the_worker() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    run(move || {
        let (left, right) = pair();
        let stubborn: JoinHandle<()> = spawn(move || {
            while counted.fetch_add(1, SeqCst) < 10_000 {
                let _ = right.recv(&mut [0; 1]);
            }
        });
        yield_now();
        stubborn.cancel();
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = spawn(move || {
            while !is_cancelled() {
                counted.fetch_add(1, SeqCst);
                yield_now();
            }
        });
        stubborn.join().unwrap();
        assert!(turns.load(SeqCst) > 10, "the other one had its turns");
        other.cancel();
        other.join().unwrap();
        drop(left);
    });
    assert!(tries.load(SeqCst) >= 10_000);
}

#[test]
fn what_is_alive_when_main_returns_is_cancelled_and_ends_itself() {
    let (kinds, ended) = run_with(Duration::from_secs(30), || {
        let kinds = Arc::new(std::sync::Mutex::new(Vec::new()));
        for _ in 0..3 {
            let (left, right) = pair();
            let kinds = Arc::clone(&kinds);
            spawn(move || {
                let _open = left;
                let error = right.recv(&mut [0; 1]).unwrap_err();
                kinds.lock().unwrap().push(error.kind());
                // Born cancelled: it is too late for more than an end.
                spawn(move || right.recv(&mut [0; 1]).unwrap_err()).join().unwrap_err();
            });
        }
        yield_now();
        kinds
    });
    assert_eq!(*kinds.lock().unwrap(), [ErrorKind::ConnectionAborted; 3]);
    assert_eq!((ended.cancelled, ended.forced, ended.abandoned), (3, 0, 0));
}

#[test]
fn cancelling_from_another_thread_wakes() {
    let error = run(|| {
        let (left, right) = pair();
        let waiting = spawn(move || right.recv(&mut [0; 1]).unwrap_err());
        yield_now();
        let (waiting, thread) = (Arc::new(waiting), Arc::new(()));
        let theirs = Arc::clone(&waiting);
        let canceller = std::thread::spawn(move || {
            theirs.cancel();
            drop(thread);
        });
        support::until(|| waiting.is_finished());
        canceller.join().unwrap();
        drop(left);
        Arc::into_inner(waiting).unwrap().join().unwrap()
    });
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
}
