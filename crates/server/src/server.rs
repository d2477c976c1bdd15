//! The server: listeners, settings, serving, and the way to stop it from anywhere.

use std::fmt;
use std::io;
use std::sync::Arc;

use socket::signal::stop_signals;
use socket::{Address, ParseAddressError};

use crate::drain::{Drained, prepare, watch};
use crate::engine::{Engine, Serving};
use crate::error::{Error, Result};
use crate::event::{Counters, Event, to_stderr};
use crate::guards::Guards;
use crate::handler::Service;
use crate::latch::Latch;
use crate::listener::{Binding, Listener};
use crate::running::{Running, Subscriber, Switches};

/// A server: one or more listeners, each with its service, and one engine for all of them.
///
/// Settings come first, then [`bind`](Server::bind), then [`serve_forever`](Server::serve_forever).
///
/// ```
/// use std::io::{Read, Write};
/// use switchboard::{Connection, Engine, Server};
///
/// fn hello(connection: &mut Connection) -> std::io::Result<()> {
///     connection.write_all(b"hello\n")
/// }
///
/// let server = Server::new().with_engine(Engine::Serial).bind("127.0.0.1:0", hello)?;
/// let address = server.addresses().remove(0);
/// let control = server.control();
/// let serving = std::thread::spawn(move || server.serve_forever());
///
/// let endpoint = address.resolve()?.remove(0);
/// let mut client = switchboard::Socket::connected(&endpoint, Default::default())?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert_eq!(answer, "hello\n");
///
/// control.shutdown();
/// serving.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server {
    engine: Engine,
    guards: Guards,
    binding: Binding,
    max_packet_size: usize,
    workers: Option<usize>,
    signals: bool,
    message_events: bool,
    subscriber: Subscriber,
    listeners: Vec<Listener>,
    switches: Arc<Switches>,
}

/// The kernel's limit, `net.core.somaxconn`, cuts this down to what the system allows.
const REQUEST_QUEUE_SIZE: i32 = 4096;
/// The largest datagram that is taken whole; socketserver's value.
const MAX_PACKET_SIZE: usize = 8192;

impl Server {
    /// A server with every setting at its default and no listener yet.
    #[must_use]
    pub fn new() -> Server {
        Server {
            engine: Engine::default(),
            guards: Guards::default(),
            binding: Binding { request_queue_size: REQUEST_QUEUE_SIZE, allow_reuse_address: true },
            max_packet_size: MAX_PACKET_SIZE,
            workers: None,
            signals: true,
            message_events: false,
            subscriber: Arc::new(to_stderr),
            listeners: Vec::new(),
            switches: Arc::default(),
        }
    }

    /// Chooses what runs the handlers. The default is [`Engine::default`].
    #[must_use]
    pub fn with_engine(mut self, engine: Engine) -> Server {
        self.engine = engine;
        self
    }

    /// Sets how many threads run coroutines, at least one; other engines have no workers. The
    /// default is one for each core that the process may use.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Server {
        self.workers = Some(workers.max(1));
        self
    }

    /// Sets the limits and deadlines.
    #[must_use]
    pub fn with_guards(mut self, guards: Guards) -> Server {
        self.guards = guards;
        self
    }

    /// Tells everything that happens to `subscriber`, on the thread where it happens. Without one,
    /// failures are printed to standard error.
    #[must_use]
    pub fn with_events(
        mut self,
        subscriber: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Server {
        self.subscriber = Arc::new(subscriber);
        self
    }

    /// Whether [`Event::Message`] is told for every receive and send. Default no.
    #[must_use]
    pub fn with_message_events(mut self, on: bool) -> Server {
        self.message_events = on;
        self
    }

    /// Whether SIGTERM and SIGINT stop the server: the first lets connections finish, the second
    /// cuts them off, a third ends the process as if nobody had taken the signal. Default yes.
    #[must_use]
    pub fn with_signals(mut self, on: bool) -> Server {
        self.signals = on;
        self
    }

    /// Sets how many connections may wait to be accepted, for listeners bound after this call.
    /// Default 4096; the kernel allows at most `net.core.somaxconn`.
    #[must_use]
    pub fn with_request_queue_size(mut self, size: i32) -> Server {
        self.binding.request_queue_size = size;
        self
    }

    /// Whether listeners bound after this call may take an address that old connections still
    /// hold in TIME_WAIT. Default yes, so that a server can be restarted.
    #[must_use]
    pub fn with_allow_reuse_address(mut self, allow: bool) -> Server {
        self.binding.allow_reuse_address = allow;
        self
    }

    /// Sets how many bytes of a datagram are taken; the rest of a longer one is lost. Default 8192.
    #[must_use]
    pub fn with_max_packet_size(mut self, bytes: usize) -> Server {
        self.max_packet_size = bytes;
        self
    }

    /// Binds `address` and will serve `service` there. Connections queue from now on.
    ///
    /// # Errors
    /// An address that cannot be read, resolved or bound: `EADDRINUSE` when somebody has it,
    /// `EACCES` for a port that needs a privilege. The message says what to do.
    pub fn bind(mut self, address: impl ToAddress, service: impl Service) -> Result<Server> {
        let address = address.to_address().map_err(|error| Error::parse("bind", error))?;
        let listener = self.binding.bind(address, Box::new(service))?;
        self.listeners.push(listener);
        Ok(self)
    }

    /// The addresses of the listeners, in the order of binding, with port 0 resolved.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        self.listeners.iter().map(|listener| listener.site.address.clone()).collect()
    }

    /// A handle that stops the server and reads its counters, from any thread.
    #[must_use]
    pub fn control(&self) -> Control {
        Control { switches: Arc::clone(&self.switches) }
    }

    /// Serves until asked to stop, then drains: connections finish within
    /// [`grace`](Guards::grace), and the listeners are closed.
    ///
    /// # Errors
    /// `TimedOut` when connections had to be cut off; what is wrong with a listener that broke.
    pub fn serve_forever(self) -> Result {
        let signals = match self.signals {
            true => Some(stop_signals().map_err(|error| Error::io("take signals", error))?),
            false => None,
        };
        let running = Arc::new(Running::new(
            self.engine,
            self.guards,
            self.switches,
            self.subscriber,
            self.message_events,
        ));
        let ended = Arc::new(Latch::default());
        prepare(&running, &ended).map_err(|error| Error::io("prepare to serve", error))?;
        let serving = Serving {
            running: Arc::clone(&running),
            listeners: self.listeners,
            signals,
            max_packet_size: self.max_packet_size,
            workers: self.workers,
        };
        let mut runner = self.engine.runner();
        let setup = runner.setup(&serving);
        for Listener { site, .. } in &serving.listeners {
            let (address, service, engine) = (&site.address, site.service.name(), running.engine);
            running.tell(&Event::Listening { address, service, engine, setup: &setup });
        }
        let watch = {
            let (running, ended) = (Arc::clone(&running), Arc::clone(&ended));
            let body = move || watch(&running, signals, &ended);
            std::thread::Builder::new().name("drain watch".into()).spawn(body)
        };
        let watch = watch.map_err(|error| Error::io("start the drain watch", error))?;
        let served = runner.serve(serving);
        ended.set();
        let drained = watch.join().expect("the watch runs no code that panics");
        let drained = drained.map_err(|error| Error::io("drain", error));
        runner.join(matches!(drained, Ok(Drained { left: 0, .. })));
        served?;
        match drained? {
            Drained { cut: 0, .. } => Ok(()),
            Drained { cut, left } => Err(cut_off(cut, left)),
        }
    }
}

fn cut_off(cut: usize, left: usize) -> Error {
    let mut what = match cut {
        1 => "1 connection was cut off".to_owned(),
        _ => format!("{cut} connections were cut off"),
    };
    if left > 0 {
        what += &format!(", {left} of them did not notice");
    }
    Error::io("drain", io::Error::new(io::ErrorKind::TimedOut, what))
}

impl Default for Server {
    fn default() -> Server {
        Server::new()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("engine", &self.engine)
            .field("guards", &self.guards)
            .field("addresses", &self.addresses())
            .finish_non_exhaustive()
    }
}

/// Stops a server and reads its counters, from any thread, before, while and after it serves.
#[derive(Debug, Clone)]
pub struct Control {
    switches: Arc<Switches>,
}

impl Control {
    /// Asks the server to take no more connections and to end when the open ones have finished.
    /// Returns at once. A server that has not begun to serve ends as soon as it does.
    pub fn shutdown(&self) {
        self.switches.stop.set();
    }

    /// Asks the server to end now: open connections are cut off.
    pub fn stop_now(&self) {
        self.switches.now.set();
        self.switches.stop.set();
    }

    /// What the server has counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.switches.tally.snapshot()
    }
}

/// What can be given as an address: an [`Address`] or text in its grammar.
pub trait ToAddress {
    /// The address.
    ///
    /// # Errors
    /// Text that is not an address.
    fn to_address(&self) -> std::result::Result<Address, ParseAddressError>;
}

impl ToAddress for Address {
    fn to_address(&self) -> std::result::Result<Address, ParseAddressError> {
        Ok(self.clone())
    }
}

impl ToAddress for str {
    fn to_address(&self) -> std::result::Result<Address, ParseAddressError> {
        self.parse()
    }
}

impl ToAddress for String {
    fn to_address(&self) -> std::result::Result<Address, ParseAddressError> {
        self.parse()
    }
}

impl<T: ToAddress + ?Sized> ToAddress for &T {
    fn to_address(&self) -> std::result::Result<Address, ParseAddressError> {
        (**self).to_address()
    }
}
