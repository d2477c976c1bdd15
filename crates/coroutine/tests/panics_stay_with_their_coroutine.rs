//! A panic ends its own coroutine and is told to its join handle. Whoever makes calls while a panic
//! unwinds is not suspended: the call is tried once, and fails if it would have to wait.

mod support;

use std::cell::Cell;
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::panicking;

use coroutine::{is_cancel, spawn, yield_now};
use socket::Socket;
use support::{pair, run};

#[test]
fn the_handle_hears_it() {
    let payload = run(|| spawn(|| panic!("a defect")).join().unwrap_err());
    assert!(!is_cancel(&*payload));
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"a defect"));
}

#[test]
fn without_a_handle_the_others_go_on() {
    let sum = run(|| {
        drop(spawn(|| panic!("nobody hears this but the hook")));
        spawn(|| 1 + 1).join().unwrap()
    });
    assert_eq!(sum, 2);
}

#[test]
fn that_of_main_reaches_the_caller_after_the_rest_has_ended() {
    let ended = Arc::new(Mutex::new(false));
    let theirs = Arc::clone(&ended);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        run(move || {
            spawn(move || {
                coroutine::sleep(std::time::Duration::MAX);
                *theirs.lock().unwrap() = true;
            });
            yield_now();
            panic!("main");
        })
    }));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"main"));
    assert!(*ended.lock().unwrap());
    assert!(!coroutine::in_coroutine());
}

struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        if !panicking() {
            panic!("in a drop");
        }
    }
}

#[test]
fn a_drop_that_panics_is_a_panic_like_any_other() {
    run(|| {
        assert!(spawn(|| drop(Loud)).join().is_err());
        // The result of one without a handle is dropped by the coroutine.
        drop(spawn(|| Loud));
        // And so is what it never used.
        let loud = Loud;
        let unused = spawn(move || {
            let _kept = &loud;
        });
        assert!(unused.join().is_err());
        // A payload that panics when it is dropped.
        drop(spawn(|| std::panic::panic_any(Loud)));
        yield_now();
        assert_eq!(spawn(|| 7).join().unwrap(), 7);
    });
}

/// Makes calls in its drop, some of which would have to wait.
struct Talkative(Socket);

impl Drop for Talkative {
    fn drop(&mut self) {
        assert!(panicking());
        self.0.send_all(b"bye").unwrap();
        let error = self.0.recv(&mut [0; 1]).unwrap_err();
        assert!(!socket::errors::is_would_block(&error), "{error}");
        yield_now();
        coroutine::sleep(std::time::Duration::from_secs(3600));
        assert!(panicking(), "it has not been suspended in between");
    }
}

#[test]
fn nothing_is_suspended_while_it_panics() {
    run(|| {
        let (left, right) = pair();
        let lock = Arc::new(Mutex::new(0));
        let theirs = Arc::clone(&lock);
        let bystander = spawn(move || {
            for _ in 0..10 {
                *theirs.lock().unwrap() += 1;
                assert!(!panicking());
                yield_now();
            }
        });
        let talkative = spawn(move || {
            let _talkative = Talkative(right);
            panic!("with a drop that makes calls");
        });
        assert!(talkative.join().is_err());
        bystander.join().unwrap();
        assert_eq!(*lock.lock().expect("not poisoned"), 10);
        let mut said = [0; 3];
        left.recv_exact(&mut said).unwrap();
        assert_eq!(&said, b"bye");
    });
}

#[test]
fn a_full_buffered_writer_unwinds() {
    run(|| {
        let (left, right) = pair();
        let writer = spawn(move || {
            right.set_timeout(Some(std::time::Duration::ZERO)).unwrap();
            while right.send(&[0; 4096]).is_ok() {}
            right.set_timeout(None).unwrap();
            let mut writer = BufWriter::new(&right);
            writer.write_all(b"has no room").unwrap();
            panic!("before the flush");
        });
        assert!(writer.join().is_err());
        drop(left);
    });
}

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static NAMES: std::cell::RefCell<Vec<String>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Thread-locals are the worker's, and stay right through switches and panics.
#[test]
fn thread_locals_and_panics_interleave() {
    run(|| {
        let handles: Vec<_> = (0..100)
            .map(|n| {
                spawn(move || {
                    for round in 0..20 {
                        COUNT.with(|count| count.set(count.get() + 1));
                        NAMES.with_borrow_mut(|names| names.push(format!("{n} {round}")));
                        let id = std::thread::current().id();
                        yield_now();
                        assert_eq!(id, std::thread::current().id());
                        if n % 3 == 0 && round % 5 == 4 {
                            assert!(catch_unwind(|| panic!("{n}")).is_err());
                        }
                        if n % 7 == 0 && round == 19 {
                            panic!("at the end of {n}");
                        }
                    }
                })
            })
            .collect();
        let failed = handles.into_iter().filter_map(|handle| handle.join().err()).count();
        assert_eq!(failed, 15);
        assert_eq!(COUNT.get(), 2000);
        assert_eq!(NAMES.with_borrow(Vec::len), 2000);
    });
}
