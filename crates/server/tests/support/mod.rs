//! What the suites share: a server on a thread, clients, a watchdog, and the mounting of one test
//! on every engine.

#![allow(dead_code, unreachable_pub)] // each test file uses its own part

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use switchboard::{Control, Counters, Engine, Event, Guards, Result, Server, Service, Socket};

/// Mounts each function `fn(Engine)` as a test on every engine.
macro_rules! on_every_engine {
    ($($test:ident)*) => {
        mod serial { $(#[test] fn $test() { super::$test(switchboard::Engine::Serial); })* }
        mod threads { $(#[test] fn $test() { super::$test(switchboard::Engine::Threads); })* }

        #[test]
        fn no_engine_is_left_out() {
            use switchboard::Engine::{Serial, Threads};
            assert_eq!(switchboard::Engine::ALL, [Serial, Threads]);
        }
    };
}

pub(crate) use on_every_engine;

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
            eprintln!("watchdog: {name} took longer than {limit:?}");
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

/// A server that serves on a thread of its own until it is stopped.
pub struct Serving {
    pub control: Control,
    pub address: switchboard::Address,
    /// Every event so far, printed.
    pub events: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<Result>>,
    _watchdog: Watchdog,
}

/// Serves `service` at `address` on `engine`.
pub fn serve(engine: Engine, address: &str, guards: Guards, service: impl Service) -> Serving {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let server = Server::new()
        .with_engine(engine)
        .with_guards(guards)
        .with_signals(false)
        .with_events(move |event: &Event<'_>| seen.lock().unwrap().push(format!("{event:?}")))
        .bind(address, service)
        .unwrap();
    Serving {
        control: server.control(),
        address: server.addresses().remove(0),
        events,
        thread: Some(std::thread::spawn(move || server.serve_forever())),
        _watchdog: Watchdog::new(Duration::from_secs(60)),
    }
}

impl Serving {
    /// A client connected to the server, whose calls end after ten seconds.
    pub fn client(&self) -> Socket {
        let endpoint = self.address.resolve().unwrap().remove(0);
        let socket = Socket::connected(&endpoint, Default::default()).unwrap();
        socket.set_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }

    /// Waits until the counters satisfy `condition`.
    pub fn until(&self, condition: impl Fn(&Counters) -> bool) -> Counters {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let counters = self.control.counters();
            if condition(&counters) {
                return counters;
            }
            assert!(Instant::now() < end, "not reached: {counters:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
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

/// Everything the peer sends until it closes.
pub fn read_all(socket: &Socket) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut &*socket, &mut bytes)?;
    Ok(bytes)
}

/// Sends `text` and answers exactly as many bytes as are expected back.
pub fn ask(socket: &Socket, text: &str, length: usize) -> String {
    socket.send_all(text.as_bytes()).unwrap();
    let mut answer = vec![0; length];
    socket.recv_exact(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}
