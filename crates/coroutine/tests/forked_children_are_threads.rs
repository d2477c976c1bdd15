//! A child forked in the middle of a worker uninstalls the driver, and from then on is a plain
//! thread whose calls block, or a worker of its own; the parent's coroutines go on undisturbed.

#![allow(unsafe_code)]

mod support;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use coroutine::{blocking, in_coroutine, spawn, yield_now};
use socket::Socket;
use socket::process::{Exit, Fork};
use support::{Watchdog, listener, pair, run, tcp_pair};

/// What the child does; its answer is its exit status.
fn child(ours: &Socket) -> i32 {
    if in_coroutine() || !coroutine::list().is_empty() {
        return 1;
    }
    let mut byte = [0];
    // Blocks in the kernel: there is nobody else to run.
    match ours.recv(&mut byte) {
        Ok(1) if byte[0] == b'?' => {}
        _ => return 2,
    }
    if ours.send_all(b"!").is_err() {
        return 3;
    }
    // What is spawned is a thread.
    if !matches!(spawn(in_coroutine).join(), Ok(false)) {
        return 4;
    }
    // And it may become a worker of its own.
    match coroutine::run(|| spawn(in_coroutine).join()) {
        Ok(Ok(true)) => 0,
        _ => 5,
    }
}

/// On a ring, a child that does not uninstall the driver is a plain thread from its first call
/// that waits: the ring is its parent's.
#[test]
fn a_child_that_keeps_the_driver_keeps_its_hands_off_the_ring() {
    if coroutine::Driver::Auto.examine().driver != coroutine::Driver::Uring {
        return;
    }
    run(|| {
        let (ours, theirs) = pair();
        // SAFETY: the child makes calls on its socket only, and leaves by `_exit`.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            // SAFETY: takes integers. It has its end of the pair that it reads from, too.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let mut byte = [0];
            let soon = socket::Deadline::After(Duration::from_millis(1));
            let waited = theirs.recv_by(&mut byte, soon).is_err() && !in_coroutine();
            let told = theirs.send_all(b"!").is_ok();
            let heard = matches!(theirs.recv(&mut byte), Ok(1));
            let status = i32::from(!(waited && told && heard));
            // SAFETY: ends the process without running what the parent runs at its end.
            unsafe { libc::_exit(status) };
        }
        drop(theirs);
        spawn(yield_now).join().unwrap();
        assert_eq!(ours.recv(&mut [0; 1]).unwrap(), 1);
        ours.send_all(b"?").unwrap();
        assert_eq!(ours.recv(&mut [0; 1]).unwrap(), 0);
        let mut status = 0;
        // SAFETY: `status` is room for what the call writes.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert_eq!(status, 0, "the child's exit status");
    });
}

#[test]
fn a_child_blocks_as_a_thread_and_the_parent_goes_on() {
    run(|| {
        let (left, right) = tcp_pair();
        let echo = spawn(move || {
            let mut byte = [0];
            while right.recv(&mut byte).unwrap() == 1 {
                right.send_all(&byte).unwrap();
            }
        });
        let (ours, theirs) = pair();
        // Registered and waited for before the fork.
        let theirs = spawn(move || {
            assert_eq!(theirs.recv(&mut [0; 1]).unwrap(), 1);
            theirs
        });
        yield_now();
        ours.send_all(b"x").unwrap();
        let theirs = theirs.join().unwrap();
        // It uninstalls the driver, and finds no lock that another test has.
        let fork = Fork::new().with_socket(&theirs).ending_with_parent(None, Duration::ZERO);
        let mut child = fork.run(|| child(&theirs)).unwrap();
        drop(theirs);
        for _ in 0..100 {
            left.send_all(b"z").unwrap();
            assert_eq!(left.recv(&mut [0; 1]).unwrap(), 1);
        }
        ours.send_all(b"?").unwrap();
        let mut answer = [0];
        assert_eq!(ours.recv(&mut answer).unwrap(), 1);
        assert_eq!(&answer, b"!");
        assert_eq!(child.wait().unwrap(), Exit::Code(0));
        drop(left);
        echo.join().unwrap();
    });
}

/// A worker's life from beginning to end: starts, accepts on a file that blocks, gives work away.
fn live() -> std::io::Result<()> {
    let (listener, address) = listener();
    coroutine::run(move || {
        let client = spawn(move || {
            let client =
                Socket::new(socket::Family::INET, socket::Type::STREAM, Default::default())?;
            client.connect(&address)
        });
        listener.accept()?;
        assert_eq!(blocking(|| 7), 7);
        client.join().expect("it does not panic")
    })?
}

/// Other threads of the parent start and end workers all the time, and hold what locks there are
/// when the child is forked.
#[test]
fn a_child_forked_among_workers_can_be_one() {
    let _watchdog = Watchdog::new(Duration::from_secs(180));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    live().unwrap()
                }
            });
        }
        for _ in 0..200 {
            let fork = Fork::new().ending_with_parent(None, Duration::ZERO);
            let child = fork.run(|| i32::from(live().is_err()));
            assert!(child.unwrap().wait().unwrap().success());
        }
        over.store(true, SeqCst);
    });
}
