//! What the suites share: a watchdog, a worker, and counts of what the process has open.

#![allow(dead_code, unreachable_pub)] // each test file uses its own part

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use coroutine::{Ended, Settings, Worker};
use socket::{Family, Socket, Type};

/// Aborts the test process if it lives longer than `limit`.
pub struct Watchdog(Arc<AtomicBool>);

impl Watchdog {
    pub fn new(limit: Duration) -> Watchdog {
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&done);
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        std::thread::spawn(move || {
            let end = Instant::now() + limit;
            while Instant::now() < end {
                if seen.load(SeqCst) {
                    return;
                }
                std::thread::park_timeout(Duration::from_millis(100));
            }
            // Past what a test captures, and past locks that may be what hangs.
            let stderr = std::io::stderr().as_fd().try_clone_to_owned();
            let _ = stderr.and_then(|stderr| {
                writeln!(File::from(stderr), "watchdog: {name} took longer than {limit:?}")
            });
            std::process::abort();
        });
        Watchdog(done)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Runs `main` on a worker that gives cancelled coroutines `grace`, under a watchdog.
pub fn run_with<T: 'static>(grace: Duration, main: impl FnOnce() -> T + 'static) -> (T, Ended) {
    let _watchdog = Watchdog::new(Duration::from_secs(180));
    let settings = Settings { grace, ..Settings::default() };
    Worker::new(settings).unwrap().run(main).unwrap()
}

/// Runs `main` on a worker, under a watchdog.
pub fn run<T: 'static>(main: impl FnOnce() -> T + 'static) -> T {
    run_with(Duration::from_secs(10), main).0
}

/// Two connected Unix stream sockets.
pub fn pair() -> (Socket, Socket) {
    Socket::pair(Family::UNIX, Type::STREAM, Default::default()).unwrap()
}

/// Two connected TCP sockets.
pub fn tcp_pair() -> (Socket, Socket) {
    Socket::pair(Family::INET, Type::STREAM, Default::default()).unwrap()
}

/// A TCP listener on loopback, and its address.
pub fn listener() -> (Socket, socket::SockAddr) {
    let listener = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(128).unwrap();
    let address = listener.getsockname().unwrap();
    (listener, address)
}

/// Gives way until `done`.
pub fn until(done: impl Fn() -> bool) {
    while !done() {
        coroutine::yield_now();
    }
}
