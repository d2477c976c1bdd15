//! What the suites share: a server on a thread, clients, a watchdog, and the mounting of one test
//! on every engine.
//!
//! A handler may run in a process of its own, so no test looks at memory that a handler wrote: it
//! looks at what came over the wire, at events and counters, and at [`Notes`]. And since such a
//! process inherits every descriptor there is, no test counts on the end that closing one brings:
//! a [`Client`] says goodbye by shutting down.

// Each test file uses its own part.
#![allow(dead_code, unreachable_pub, unused_imports, unused_macros)]

mod cells;
pub mod census;
mod notes;
mod processes;
pub mod python;

use std::fs::File;
use std::io::{self, Write};
use std::net::Shutdown;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use cells::{Cell, Place, Transport};
pub(crate) use cells::{
    mount_cells, mount_if, mount_transports, mount_wanted, on_every, transports,
};
pub use notes::Notes;
pub use processes::{alone, kill, until_gone};
use switchboard::socket::{Deadline, Family, Type, UnixAddr};
use switchboard::{
    Address, Control, Counters, Engine, Event, Guards, Result, Server, Service, SockAddr, Socket,
};

/// The engines. A new one is one row here, and every suite runs on it.
macro_rules! engines {
    ([$($mount:tt)*] $what:tt) => {
        $($mount)*! { $what
            serial = Serial
            threads = Threads
            processes = Processes
            coroutines = Coroutines
        }
    };
}

/// Mounts each function `fn(Engine)` as a test on every engine.
macro_rules! on_every_engine {
    ($($test:ident)*) => {
        $crate::support::engines! { [$crate::support::mount_engines] ($($test)*) }
    };
}

macro_rules! mount_engines {
    ($tests:tt $($module:ident = $engine:ident)*) => {
        $(mod $module { $crate::support::mount_tests! { $engine $tests } })*

        #[test]
        fn no_engine_is_left_out() {
            assert_eq!(switchboard::Engine::ALL, [$(switchboard::Engine::$engine),*]);
        }
    };
}

macro_rules! mount_tests {
    ($engine:ident ($($test:ident)*)) => {
        $(#[test] fn $test() {
            let _watchdog = $crate::support::Watchdog::new();
            super::$test(switchboard::Engine::$engine);
        })*
    };
}

pub(crate) use {engines, mount_engines, mount_tests, on_every_engine};

/// Longer than any test takes that goes well, on any machine; but one may be asked for a siege.
fn patience() -> Duration {
    let asked = std::env::var("SWITCHBOARD_TEST_PATIENCE").ok();
    Duration::from_secs(asked.map_or(240, |seconds| seconds.parse().expect("seconds")))
}

/// Aborts the test process if it is not dropped in time: a test that hangs is a failure.
pub struct Watchdog(#[allow(dead_code)] mpsc::Sender<()>);

impl Watchdog {
    pub fn new() -> Watchdog {
        let (sender, receiver) = mpsc::channel::<()>();
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        let patience = patience();
        std::thread::spawn(move || {
            if receiver.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                // Past what a test captures, and past locks that may be what hangs.
                let stderr = io::stderr().as_fd().try_clone_to_owned();
                let _ = stderr.and_then(|stderr| {
                    writeln!(File::from(stderr), "watchdog: {name} took longer than {patience:?}")
                });
                std::process::abort();
            }
        });
        Watchdog(sender)
    }
}

/// A server that serves on a thread of its own until it is stopped.
pub struct Serving {
    pub control: Control,
    pub address: Address,
    /// Every event so far, printed.
    pub events: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<Result>>,
    /// Where it serves, if that is to be cleaned up.
    place: Option<Place>,
}

/// Serves `service` at `address` on `engine`.
pub fn serve(engine: Engine, address: &str, guards: Guards, service: impl Service) -> Serving {
    let server = Server::new().with_engine(engine).with_guards(guards);
    Serving::start(server, |server| server.bind(address, service))
}

impl Serving {
    /// Serves what `bind` binds, with the settings of `server`.
    pub fn start(server: Server, bind: impl FnOnce(&mut Server) -> Result<&mut Server>) -> Serving {
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let mut server = server
            .with_signals(false)
            .with_events(move |event: &Event<'_>| seen.lock().unwrap().push(format!("{event:?}")));
        bind(&mut server).unwrap();
        Serving {
            control: server.control(),
            address: server.addresses().remove(0),
            events,
            thread: Some(std::thread::spawn(move || server.serve_forever())),
            place: None,
        }
    }

    /// The events that contain `text`.
    pub fn events_with(&self, text: &str) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| event.contains(text)).cloned().collect()
    }

    /// A client connected to the server.
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Waits until the counters satisfy `condition`, and what they count has been told: an event
    /// is counted first.
    pub fn until(&self, condition: impl Fn(&Counters) -> bool) -> Counters {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let counters = self.control.counters();
            if condition(&counters) && self.has_heard(&counters) {
                return counters;
            }
            assert!(Instant::now() < end, "not reached: {counters:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn has_heard(&self, counters: &Counters) -> bool {
        let events = self.events.lock().unwrap();
        let heard = |name: &str, reason: &str| {
            let is_it = |event: &&String| event.starts_with(name) && event.contains(reason);
            events.iter().filter(is_it).count() as u64
        };
        let counted = [
            ("Opened", "", counters.opened),
            ("Closed", "", counters.closed),
            ("Closed", "reason: TimedOut", counters.timed_out),
            ("Closed", "reason: CutOff", counters.cut),
            ("Refused", "", counters.refused),
            ("Panicked", "", counters.panicked),
        ];
        counted.into_iter().all(|(name, reason, count)| heard(name, reason) >= count)
    }

    /// Waits until an event that contains `text` has been told.
    pub fn until_told(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.told(text) {
            assert!(Instant::now() < end, "not told: {text}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The path it serves at, if that is to be gone in the end.
    pub fn path(&self) -> Option<&std::path::Path> {
        self.place.as_ref()?.path.as_deref()
    }

    /// Whether an event that contains `text` has been told.
    pub fn told(&self, text: &str) -> bool {
        self.events.lock().unwrap().iter().any(|event| event.contains(text))
    }

    /// Asks the server to stop and waits for its end.
    pub fn stop(mut self) -> Result {
        self.control.shutdown();
        self.join()
    }

    /// Waits for the end of the server.
    pub fn join(&mut self) -> Result {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.control.stop_now();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A connected socket whose calls end after a minute. Dropped, it shuts down, so that its peer
/// learns of it even if a process that was forked meanwhile still has the descriptor.
pub struct Client(Socket);

impl Client {
    /// A client of the server at `address`, with an address of its own to answer to.
    pub fn new(address: &Address) -> Client {
        let endpoint = address.resolve().unwrap().remove(0);
        let socket = Socket::new(endpoint.family, endpoint.kind, endpoint.protocol).unwrap();
        if (endpoint.family, endpoint.kind) == (Family::UNIX, Type::DGRAM) {
            socket.bind(&SockAddr::Unix(UnixAddr::Unnamed)).unwrap();
        }
        socket.connect(&endpoint.address).unwrap();
        Client::from(socket)
    }
}

impl From<Socket> for Client {
    fn from(socket: Socket) -> Client {
        socket.set_timeout(Some(Duration::from_secs(60))).unwrap();
        Client(socket)
    }
}

impl Deref for Client {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.0
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The peer may be gone already, and a datagram socket has nobody to tell.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A stream of bytes in which none can be missing or twice.
pub struct Pattern(usize);

impl Pattern {
    pub fn new() -> Pattern {
        Pattern(0)
    }

    /// Those that come next.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let from = self.0;
        self.0 += count;
        (from..self.0).map(|at| (at % 251) as u8).collect()
    }

    /// Sends what comes next, past all buffers, until the socket takes no more.
    pub fn fill(&mut self, socket: &Socket) -> io::Result<()> {
        loop {
            let before = self.0;
            let next = self.take(4096);
            match socket.send_by(&next, Deadline::Immediate) {
                Ok(count) => self.0 = before + count,
                Err(error) => {
                    self.0 = before;
                    let is_full = error.kind() == io::ErrorKind::WouldBlock;
                    return if is_full { Ok(()) } else { Err(error) };
                }
            }
        }
    }
}

/// Panics as far as a server can see, but says nothing on standard error: another thread may hold
/// the locks of that when a process is forked, and here many servers panic at once. (A real panic,
/// with only one server in the process, is in `everything_is_given_back.rs`.)
pub fn panics(message: &str) -> ! {
    std::panic::resume_unwind(Box::new(message.to_owned()))
}

/// Everything the peer sends until it closes.
pub fn read_all(socket: &Socket) -> io::Result<Vec<u8>> {
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 65_536]);
    loop {
        // In large pieces: what does not fit of a message is lost.
        match socket.recv(&mut piece)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// Sends `text` and answers exactly as many bytes as are expected back.
pub fn ask(socket: &Socket, text: &str, length: usize) -> String {
    socket.send_all(text.as_bytes()).unwrap();
    let mut answer = vec![0; length];
    socket.recv_exact(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// Leaves a Unix socket at `address` that nobody has any more.
pub fn leave_dead(address: &str) {
    let endpoint = address.parse::<Address>().unwrap().resolve().unwrap().remove(0);
    let new = || Socket::new(endpoint.family, endpoint.kind, endpoint.protocol).unwrap();
    let dead = new();
    dead.bind(&endpoint.address).unwrap();
    if endpoint.kind != Type::DGRAM {
        dead.listen(1).unwrap();
    }
    drop(dead);
    // A child of another test that was forked meanwhile may have the descriptor until it ends.
    let end = Instant::now() + Duration::from_secs(60);
    while new().connect(&endpoint.address).is_ok() {
        assert!(Instant::now() < end, "{address} is somebody's");
        std::thread::sleep(Duration::from_millis(1));
    }
}
