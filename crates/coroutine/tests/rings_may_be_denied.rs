//! Where there is no ring a worker runs on epoll, says why, and does everything it would have done.
//!
//! A filter of a thread's own denies `io_uring_setup(2)` with the answers of a container, of the
//! sysctl, and of older kernels, or one of the two other calls; a child without privileges may lock
//! no memory.

#![allow(unsafe_code)]

mod support;

use std::time::Duration;

use coroutine::{Driven, Driver, Settings, Worker, spawn};
use socket::process::{Exit, Fork};
use socket::{Family, Socket, Type};
use support::{Watchdog, listener};

/// Makes every later `call` of this thread fail with `errno`.
fn deny(call: libc::c_long, errno: i32) {
    let filter = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    // The number of the call, the first word of `struct seccomp_data`.
    let load = filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0);
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let mut program = [
        load,
        filter(equal, 0, 1, call as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: takes integers only.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: the kernel copies the program, which lives until then.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) }, 0);
}

/// Accepts, receives, sends and waits on a new worker of this thread, and answers what it ran on.
fn exercise(driver: Driver) -> Driven {
    let worker = Worker::new(Settings { driver, ..Settings::default() }).unwrap();
    let driven = worker.driver().clone();
    worker
        .run(|| {
            let (listener, address) = listener();
            let server = spawn(move || {
                let (peer, _) = listener.accept().unwrap();
                let mut buffer = [0; 64];
                loop {
                    match peer.recv(&mut buffer).unwrap() {
                        0 => break,
                        count => peer.send_all(&buffer[..count]).unwrap(),
                    }
                }
            });
            let client = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
            client.connect(&address).unwrap();
            let mut answer = [0; 5];
            for _ in 0..100 {
                client.send_all(b"hello").unwrap();
                client.recv_exact(&mut answer).unwrap();
                assert_eq!(&answer, b"hello");
            }
            client.set_timeout(Some(Duration::from_millis(1))).unwrap();
            let error = client.recv(&mut answer).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
            drop(client);
            server.join().unwrap();
        })
        .unwrap();
    driven
}

fn denied_with(errno: i32) -> String {
    denied(libc::SYS_io_uring_setup, errno)
}

fn denied(call: libc::c_long, errno: i32) -> String {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let denied = move || {
        deny(call, errno);
        assert_eq!(exercise(Driver::Epoll).refusal, None, "nobody asked for a ring");
        assert_eq!(Driver::Uring.examine(), exercise(Driver::Uring));
        exercise(Driver::Uring)
    };
    let driven = std::thread::spawn(denied).join().unwrap();
    assert_eq!(driven.driver, Driver::Epoll);
    driven.refusal.unwrap()
}

#[test]
fn a_filter_or_the_sysctl_denies_it() {
    for errno in [libc::EPERM, libc::EACCES] {
        let why = denied_with(errno);
        assert!(why.contains("denied") && why.contains("io_uring_disabled"), "{why}");
    }
}

#[test]
fn a_ring_that_can_be_made_and_not_used_is_none() {
    for call in [libc::SYS_io_uring_enter, libc::SYS_io_uring_register] {
        let why = denied(call, libc::EPERM);
        assert!(why.contains("denied"), "{why}");
    }
}

#[test]
fn a_kernel_does_not_know_it() {
    let why = denied_with(libc::ENOSYS);
    assert!(why.contains("not in this kernel"), "{why}");
}

#[test]
fn a_kernel_knows_less_of_it() {
    let why = denied_with(libc::EINVAL);
    assert!(why.contains("6.1"), "{why}");
}

#[test]
fn descriptors_run_out() {
    assert!(denied_with(libc::EMFILE).contains("open files"));
}

#[test]
fn no_memory_may_be_locked() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let child = || {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the limit outlives the call.
        if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const none) } != 0 {
            return 2;
        }
        // The limit does not bind root. What is not root already stays what it is.
        // SAFETY: takes an integer only.
        let _ = unsafe { libc::setuid(65_534) };
        let driven = exercise(Driver::Uring);
        match (driven.driver, driven.refusal) {
            // Kernels in which rings are not counted.
            (Driver::Uring, None) => 0,
            (Driver::Epoll, Some(why)) if why.contains("RLIMIT_MEMLOCK") => 0,
            (Driver::Epoll, Some(why)) if why.contains("denied") => 0,
            (_, why) => {
                eprintln!("{why:?}");
                1
            }
        }
    };
    assert_eq!(Fork::new().run(child).unwrap().wait().unwrap(), Exit::Code(0));
}
