//! A service that runs while a test talks to it, and the watchdog of every test here.
//!
//! Nothing in it checks anything; it fails a test only where the test could not go on.

#![allow(dead_code)] // each test file uses its own part

pub(crate) mod http;

use std::process;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use switchboard::socket::{Address, Deadline, Socket};
use switchboard::{Control, Engine, Server, Service};

/// Longer than any conversation takes on the slowest machine.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A server on a thread of its own.
pub(crate) struct Serving {
    pub(crate) address: Address,
    pub(crate) control: Control,
    thread: JoinHandle<switchboard::Result>,
}

impl Serving {
    /// Serves at `address`, where a port should be 0.
    pub(crate) fn start(service: impl Service, engine: Engine, address: &str) -> Serving {
        let mut server = Server::new().with_engine(engine).with_signals(false);
        server.bind(address, service).expect("an address to bind");
        Serving::run(server)
    }

    /// Serves what is bound already.
    pub(crate) fn run(mut server: Server) -> Serving {
        let (address, control) = (server.addresses().remove(0), server.control());
        Serving { address, control, thread: thread::spawn(move || server.serve_forever()) }
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

/// Ends the test process if it hangs.
pub(crate) fn watchdog() {
    thread::spawn(|| {
        thread::sleep(WATCHDOG);
        eprintln!("watchdog: the test hangs");
        process::abort();
    });
}
