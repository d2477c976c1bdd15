//! Torture for the queues: a coroutine that waits is unwound by force, or abandoned where it waits,
//! at each point where anything of `sync` suspends. What it waited for then comes to those who
//! queue behind it, and nothing is lost.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use coroutine::sync::{Condvar, Mutex, RwLock, Semaphore, channel};
use coroutine::{Ended, spawn, yield_now};
use support::{Watchdog, run_with, until};

/// Something to wait for.
struct Case {
    /// Waits, and gives back what it got.
    wait: Arc<dyn Fn() + Send + Sync>,
    /// Lets one get what is waited for.
    release: Box<dyn FnOnce()>,
}

/// What outlives the test, since a guard of it is given to a closure.
fn leaked<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn mutex() -> Case {
    let mutex = leaked(Mutex::new(()));
    let held = mutex.lock();
    Case { wait: Arc::new(|| drop(mutex.lock())), release: Box::new(|| drop(held)) }
}

fn reader() -> Case {
    let lock = leaked(RwLock::new(()));
    let held = lock.write();
    Case { wait: Arc::new(|| drop(lock.read())), release: Box::new(|| drop(held)) }
}

fn writer() -> Case {
    let lock = leaked(RwLock::new(()));
    let held = lock.read();
    Case { wait: Arc::new(|| drop(lock.write())), release: Box::new(|| drop(held)) }
}

fn semaphore() -> Case {
    let semaphore = leaked(Semaphore::new(0));
    let wait = || drop(semaphore.acquire().unwrap());
    Case { wait: Arc::new(wait), release: Box::new(|| semaphore.release(1)) }
}

fn semaphore_with_a_limit() -> Case {
    let semaphore = leaked(Semaphore::new(0));
    let wait = || drop(semaphore.acquire_timeout(Duration::from_secs(3600)).unwrap());
    Case { wait: Arc::new(wait), release: Box::new(|| semaphore.release(1)) }
}

fn condition() -> Case {
    let shared = leaked((Mutex::new(false), Condvar::new()));
    let wait = || shared.1.wait_while(shared.0.lock(), |ready| !*ready).1.unwrap();
    let release = || {
        *shared.0.lock() = true;
        shared.1.notify_one();
    };
    Case { wait: Arc::new(wait), release: Box::new(release) }
}

fn receiver() -> Case {
    let (sender, receiver) = channel(1);
    let wait = move || assert_eq!(receiver.recv(), Ok(7));
    Case { wait: Arc::new(wait), release: Box::new(move || sender.send(7).unwrap()) }
}

fn sender() -> Case {
    let (sender, receiver) = channel(1);
    sender.send(7).unwrap();
    let wait = move || sender.send(8).unwrap();
    let release = move || {
        assert_eq!(receiver.recv(), Ok(7));
        // What comes then is the value of the one who got its turn.
        until(|| receiver.try_recv() == Ok(8));
        drop(receiver);
    };
    Case { wait: Arc::new(wait), release: Box::new(release) }
}

const CASES: [fn() -> Case; 8] =
    [mutex, reader, writer, semaphore, semaphore_with_a_limit, condition, receiver, sender];

/// Has `body` wait in a coroutine of a worker that ends, then something else wait behind what is
/// left of it.
fn torture(case: Case, body: impl FnOnce(Arc<dyn Fn() + Send + Sync>) + Send + 'static) -> Ended {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let wait = Arc::clone(&case.wait);
    let ((), ended) = run_with(Duration::ZERO, move || {
        spawn(move || body(wait));
        yield_now();
        yield_now();
    });
    let behind = thread::Builder::new().name("waits-behind".into()).spawn(move || (case.wait)());
    until(|| behind.as_ref().unwrap().is_finished() || is_asleep("waits-behind"));
    (case.release)();
    behind.unwrap().join().unwrap();
    ended
}

/// Whether the thread of this name sleeps in the kernel.
fn is_asleep(name: &str) -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    stats.into_iter().any(|stat| stat.contains(&format!("({name}) S")))
}

#[test]
fn after_an_unwinding_by_force() {
    for case in CASES {
        let ended = torture(case(), |wait| wait());
        assert_eq!(ended, Ended { cancelled: 1, forced: 1, abandoned: 0 });
    }
}

#[test]
fn after_a_coroutine_was_abandoned_where_it_waits() {
    for case in CASES {
        let ended = torture(case(), |wait| {
            loop {
                let _ = catch_unwind(AssertUnwindSafe(&*wait));
            }
        });
        assert_eq!(ended, Ended { cancelled: 1, forced: 1, abandoned: 1 });
    }
}

#[test]
fn while_others_wait_on_a_second_worker() {
    // Half of those who wait in one queue belong to a worker that ends under them.
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    for round in 0..20 {
        let semaphore = Arc::new(Semaphore::new(0));
        let (ready, is_ready) = channel(16);
        let theirs = Arc::clone(&semaphore);
        let staying = thread::spawn(move || {
            coroutine::run(move || {
                let waiting = [(); 8].map(|()| {
                    let (semaphore, ready) = (Arc::clone(&theirs), ready.clone());
                    spawn(move || {
                        ready.send(()).unwrap();
                        drop(semaphore.acquire().unwrap());
                    })
                });
                waiting.into_iter().for_each(|waiting| waiting.join().unwrap());
            })
            .unwrap();
        });
        let theirs = Arc::clone(&semaphore);
        let ((), ended) = run_with(Duration::ZERO, move || {
            for _ in 0..8 {
                let semaphore = Arc::clone(&theirs);
                spawn(move || drop(semaphore.acquire().unwrap()));
            }
            is_ready.iter().take(8).for_each(drop);
            yield_now();
            // Some are told of a permit, and end before they can use it.
            theirs.release(round % 4);
        });
        assert_eq!(ended.abandoned, 0);
        semaphore.release(4 - round % 4);
        staying.join().unwrap();
        assert_eq!(semaphore.available(), 4, "in round {round}");
    }
}
