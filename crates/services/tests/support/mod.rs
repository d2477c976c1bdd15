//! A service that runs while a test talks to it, and the watchdog of every test here.
//!
//! Nothing in it checks anything; it fails a test only where the test could not go on.

#![allow(dead_code)] // each test file uses its own part

pub(crate) mod http;

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use switchboard::socket::{Address, Deadline, Socket};
use switchboard::{Control, Engine, Event, Server, Service};

/// Longer than any conversation takes on the slowest machine.
const WATCHDOG: Duration = Duration::from_secs(180);

/// A server on a thread of its own.
pub(crate) struct Serving {
    pub(crate) address: Address,
    pub(crate) control: Control,
    /// Whether everybody has heard that it is to stop, if it was [started](Serving::start) here.
    pub(crate) drains: Arc<AtomicBool>,
    thread: JoinHandle<switchboard::Result>,
}

impl Serving {
    /// Serves at `address`, where a port should be 0.
    pub(crate) fn start(service: impl Service, engine: Engine, address: &str) -> Serving {
        let drains = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&drains);
        let mut server = Server::new().with_engine(engine).with_signals(false).with_events(
            move |event: &Event<'_>| {
                told.fetch_or(matches!(event, Event::DrainBegan { .. }), SeqCst);
            },
        );
        server.bind(address, service).expect("an address to bind");
        Serving { drains, ..Serving::run(server) }
    }

    /// Serves what is bound already.
    pub(crate) fn run(mut server: Server) -> Serving {
        let (address, control) = (server.addresses().remove(0), server.control());
        let thread = thread::spawn(move || server.serve_forever());
        Serving { address, control, drains: Arc::default(), thread }
    }

    /// The row's service with these settings, on threads and a free port of loopback.
    pub(crate) fn of(name: &str, settings: &[&str], scheme: &str) -> Serving {
        Serving::start(made(name, settings), Engine::Threads, &format!("{scheme}://127.0.0.1:0"))
    }

    /// The same over HTTP, on this engine.
    pub(crate) fn http(name: &str, settings: &[&str], engine: Engine) -> Serving {
        Serving::start(made(name, settings), engine, "http://127.0.0.1:0")
    }

    /// What comes before a path: scheme, host and port.
    pub(crate) fn url(&self) -> String {
        self.address.to_string()
    }

    /// Connects as a client would; answers are waited for, but not for ever.
    pub(crate) fn client(&self) -> Socket {
        let endpoint = self.address.resolve().expect("a numeric address").remove(0);
        let client = Socket::connected(&endpoint, Deadline::After(WATCHDOG)).expect("a listener");
        client.set_timeout(Some(WATCHDOG / 2)).expect("any socket has a timeout");
        client
    }

    /// Asks it to stop and waits until it has; everything must have finished by itself.
    pub(crate) fn stop(self) {
        self.control.shutdown();
        self.thread.join().expect("the server does not panic").expect("nothing is cut off");
    }
}

/// The row's service with these settings.
fn made(name: &str, settings: &[&str]) -> Box<dyn Service> {
    let row = services::find(name).expect("a service of that name");
    let settings = services::Settings::read(row.settings, settings).expect("its settings");
    (row.make)(&settings).expect("settings that it takes")
}

/// Ends the test process if the test is not over in time.
pub(crate) struct Watchdog(#[allow(dead_code)] mpsc::Sender<()>);

pub(crate) fn watchdog() -> Watchdog {
    let (over, told) = mpsc::channel();
    let test = thread::current().name().unwrap_or("a test").to_owned();
    thread::spawn(move || {
        if told.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Past what a test captures, and past locks that may be what hangs.
            let stderr = std::io::stderr().as_fd().try_clone_to_owned();
            let _ =
                stderr.and_then(|stderr| writeln!(File::from(stderr), "watchdog: {test} hangs"));
            process::abort();
        }
    });
    Watchdog(over)
}
