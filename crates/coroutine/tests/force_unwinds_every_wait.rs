//! A coroutine that does not heed its cancel is unwound by force, wherever it waits: what is on its
//! stack is dropped, nothing aborts, and nobody else notices.

mod support;

use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coroutine::{Ended, blocking, is_cancel, sleep, spawn, yield_now};
use socket::{Deadline, Family, Interest, Socket, Type, seam};
use support::{Watchdog, listener, pair, run_with};

/// Counts its own drop.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Lets `body` come to its wait, then ends the worker without grace. Answers how that ended.
fn force(body: impl FnOnce() + Send + 'static) -> Ended {
    let dropped = Arc::new(AtomicUsize::new(0));
    let counted = Counted(Arc::clone(&dropped));
    let ((), ended) = run_with(Duration::ZERO, || {
        spawn(move || {
            let _counted = counted;
            body();
        });
        yield_now();
        yield_now();
    });
    assert_eq!(dropped.load(SeqCst), 1, "what is on the stack is dropped once");
    ended
}

const ONE: Ended = Ended { cancelled: 1, forced: 1, abandoned: 0 };

#[test]
fn in_recv() {
    let (_left, right) = pair();
    assert_eq!(force(move || drop(right.recv(&mut [0; 1]))), ONE);
}

#[test]
fn in_recv_with_a_deadline() {
    let (_left, right) = pair();
    let deadline = Deadline::After(Duration::from_secs(3600));
    assert_eq!(force(move || drop(right.recv_by(&mut [0; 1], deadline))), ONE);
}

#[test]
fn in_send() {
    let (_left, right) = pair();
    assert_eq!(force(move || drop(right.send_all(&vec![0; 16 << 20]))), ONE);
}

#[test]
fn in_accept() {
    let (listener, _) = listener();
    assert_eq!(force(move || drop(listener.accept())), ONE);
}

#[test]
fn in_connect() {
    let listener = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    listener.bind(&socket::UnixAddr::Unnamed.into()).unwrap(); // the kernel chooses a name
    listener.listen(0).unwrap();
    let address = listener.getsockname().unwrap();
    let full = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    full.connect(&address).unwrap();
    let another = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    assert_eq!(force(move || drop(another.connect(&address))), ONE);
}

#[test]
fn in_sleep() {
    assert_eq!(force(|| sleep(Duration::MAX)), ONE);
}

#[test]
fn in_yield() {
    let endless = || {
        loop {
            yield_now();
        }
    };
    assert_eq!(force(endless), ONE);
}

#[test]
fn before_the_beginning() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let counted = Counted(Arc::clone(&dropped));
    let ((), ended) = run_with(Duration::ZERO, move || {
        spawn(move || drop(counted));
    });
    assert_eq!((dropped.load(SeqCst), ended), (1, ONE));
}

#[test]
fn in_join() {
    let ended = force(|| drop(spawn(|| sleep(Duration::MAX)).join()));
    assert_eq!(ended, Ended { cancelled: 2, forced: 2, abandoned: 0 });
}

#[test]
fn in_wait_any() {
    let pairs = [pair(), pair(), pair()];
    let ended = force(move || {
        let mut watches = pairs.each_ref().map(|(_, right)| right.watch(Interest::READ));
        drop(seam::wait_any(&mut watches, Deadline::Never));
    });
    assert_eq!(ended, ONE);
}

#[test]
fn in_wait() {
    let (_left, right) = pair();
    assert_eq!(force(move || drop(right.wait(Interest::READ))), ONE);
}

/// The work itself cannot be ended; it goes on, and its answer goes nowhere.
#[test]
fn in_blocking() {
    let (end, work) = std::sync::mpsc::channel::<()>();
    assert_eq!(force(move || blocking(move || assert!(work.recv().is_err()))), ONE);
    drop(end);
}

#[test]
fn a_buffered_writer_is_dropped_without_waiting() {
    let (_left, right) = pair();
    right.set_timeout(Some(Duration::ZERO)).unwrap();
    while right.send(&[0; 4096]).is_ok() {}
    right.set_timeout(None).unwrap();
    let ended = force(move || {
        let mut writer = BufWriter::new(&right);
        writer.write_all(b"never sent").unwrap();
        drop(right.recv(&mut [0; 1]));
        unreachable!("the wait unwinds");
    });
    assert_eq!(ended, ONE);
}

/// Drops what makes calls, locks a lock, and looks at the thread, while it unwinds.
#[test]
fn other_coroutines_never_see_the_unwinding() {
    let lock = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&lock);
    let (_left, right) = pair();
    struct Nosy(Socket);
    impl Drop for Nosy {
        fn drop(&mut self) {
            assert!(self.0.recv(&mut [0; 1]).is_err());
            sleep(Duration::from_secs(3600));
            yield_now();
        }
    }
    let ((), ended) = run_with(Duration::ZERO, move || {
        for _ in 0..3 {
            let nosy = Nosy(right.try_clone().unwrap());
            let lock = Arc::clone(&theirs);
            spawn(move || {
                let _nosy = nosy;
                let caught = catch_unwind(AssertUnwindSafe(|| sleep(Duration::MAX)));
                assert!(is_cancel(&*caught.unwrap_err()));
                assert!(!std::thread::panicking());
                *lock.lock().unwrap() += 1;
            });
        }
        yield_now();
    });
    assert_eq!((ended.forced, ended.abandoned), (3, 0));
    assert_eq!(*lock.lock().expect("not poisoned"), 3);
}

#[test]
fn one_that_catches_everything_is_abandoned() {
    let (left, right) = pair();
    let kept = Arc::new(AtomicUsize::new(0));
    let counted = Counted(Arc::clone(&kept));
    let ((), ended) = run_with(Duration::ZERO, move || {
        spawn(move || {
            let _counted = counted;
            loop {
                let _ = catch_unwind(AssertUnwindSafe(|| right.recv(&mut [0; 1])));
            }
        });
        spawn(|| {
            loop {
                let _ = catch_unwind(|| sleep(Duration::MAX));
            }
        });
        spawn(|| {
            loop {
                let _ = catch_unwind(yield_now);
            }
        });
        yield_now();
    });
    assert_eq!(ended, Ended { cancelled: 3, forced: 3, abandoned: 3 });
    assert_eq!(kept.load(SeqCst), 0, "what is on its stack stays there");
    left.send_all(b"and stays open").unwrap();
}

#[test]
fn grace_is_for_those_who_use_it() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let ((), ended) = run_with(Duration::from_secs(30), || {
        spawn(|| {
            sleep(Duration::MAX);
            (0..10).for_each(|_| yield_now());
        });
        yield_now();
    });
    assert_eq!(ended, Ended { cancelled: 1, forced: 0, abandoned: 0 });
}
