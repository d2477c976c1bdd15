//! The server: its settings and its listeners. How it serves is in `lifecycle.rs`.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use socket::{Address, Place, Socket};

use crate::activation;
use crate::control::Control;
use crate::duties::Hook;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::event::{Event, to_stderr};
use crate::guards::Guards;
use crate::handler::Service;
use crate::listener::{Binding, Listener};
use crate::switches::Switches;
use crate::teller::Subscriber;
use crate::to_address::ToAddress;

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
/// let mut server = Server::new().with_engine(Engine::Serial);
/// server.bind("127.0.0.1:0", hello)?;
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
    pub(crate) engine: Engine,
    pub(crate) guards: Guards,
    binding: Binding,
    pub(crate) max_packet_size: usize,
    pub(crate) workers: Option<usize>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) poll_interval: Option<Duration>,
    pub(crate) signals: bool,
    pub(crate) reload: Option<Hook>,
    pub(crate) message_events: bool,
    max_children: Option<usize>,
    pub(crate) prefork: usize,
    pub(crate) subscriber: Subscriber,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) switches: Arc<Switches>,
}

/// The largest datagram that is taken whole; socketserver's value.
const MAX_PACKET_SIZE: usize = 8192;

impl Server {
    /// A server with every setting at its default and no listener yet.
    #[must_use]
    pub fn new() -> Server {
        Server {
            engine: Engine::default(),
            guards: Guards::default(),
            binding: Binding::default(),
            max_packet_size: MAX_PACKET_SIZE,
            workers: None,
            timeout: None,
            poll_interval: None,
            signals: true,
            reload: None,
            message_events: false,
            max_children: None,
            prefork: 0,
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
    /// cuts them off, a third ends the process as if nobody had taken the signal; and SIGQUIT
    /// (Ctrl-\\) has it tell what it is doing, as an [`Event::Described`], and go on. Default yes.
    ///
    /// They belong to the whole process and are taken when it begins to serve, for good. SIGQUIT is
    /// left to a handler that the program has for it; [`Control::describe`] tells the same.
    #[must_use]
    pub fn with_signals(mut self, on: bool) -> Server {
        self.signals = on;
        self
    }

    /// Calls `hook` on SIGHUP, on a thread of the server, while everything goes on; this is where
    /// settings are read again and files opened anew. An error is told in the event
    /// [`Event::Reloaded`], and the server goes on as before.
    ///
    /// SIGHUP belongs to the whole process. It is taken when a server with a hook begins to serve,
    /// for good, and reaches every such server. Without a hook no server touches it: by default it
    /// ends the process at once, as it ends any program whose terminal is closed, and `nohup(1)`
    /// keeps it from doing so.
    #[must_use]
    pub fn with_reload(mut self, hook: impl FnMut() -> io::Result<()> + Send + 'static) -> Server {
        self.reload = Some(Box::new(hook));
        self
    }

    /// How long [`handle_request`](Server::handle_request) waits for a request; `None`, the
    /// default, for ever. [`serve_forever`](Server::serve_forever) does not use it.
    #[must_use]
    pub fn with_timeout(mut self, limit: Option<Duration>) -> Server {
        self.timeout = limit;
        self
    }

    /// The longest time between two calls of
    /// [`service_actions`](Service::service_actions). Default `None`: the server sleeps until
    /// something happens, and stops at once when it is asked to in either case.
    #[must_use]
    pub fn with_poll_interval(mut self, interval: Option<Duration>) -> Server {
        self.poll_interval = interval;
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

    /// Whether listeners bound after this call share their address with others that allow it too,
    /// also of other processes: the kernel spreads the connections over them. Default no.
    /// `SO_REUSEPORT` in `socket(7)`.
    #[must_use]
    pub fn with_allow_reuse_port(mut self, allow: bool) -> Server {
        self.binding.allow_reuse_port = allow;
        self
    }

    /// Sets how many bytes of a datagram are taken; the rest of a longer one is lost. Default 8192.
    #[must_use]
    pub fn with_max_packet_size(mut self, bytes: usize) -> Server {
        self.max_packet_size = bytes;
        self
    }

    /// Sets how many children [`Engine::Processes`] has at once, if that is fewer than
    /// [`limit_connections`](Guards::limit_connections); zero counts as one. Default: as many as
    /// connections, which for this engine are 40 unless told otherwise, as in socketserver.
    #[must_use]
    pub fn with_max_children(mut self, children: usize) -> Server {
        self.max_children = Some(children);
        self
    }

    /// Serves by this many worker processes, each with the chosen engine, all on the same
    /// listeners. One that dies takes only its own connections with it and is replaced. The
    /// calling process only watches over them; it tells the events of all and counts for all.
    /// Limits are those of the server as a whole: each worker has its share. Zero, the default:
    /// the calling process serves by itself, as it always does in
    /// [`handle_request`](Server::handle_request).
    ///
    /// The workers are copies of the process as it is when it begins to serve. Locks that its
    /// other threads hold at that moment stay locked in them, so it is best to start none before;
    /// see [`socket::process`]. The hook of [`with_reload`](Server::with_reload) runs in the
    /// calling process, for the workers to come, and in each worker.
    #[must_use]
    pub fn with_prefork(mut self, workers: usize) -> Server {
        self.prefork = workers;
        self
    }

    /// How many connections it has open at once: as many as are wanted, as far as descriptors go.
    pub(crate) fn limit_connections(&self) -> usize {
        self.wanted_connections().min(affordable_connections()).max(1)
    }

    /// How many connections it would have open at once with descriptors without end.
    pub(crate) fn wanted_connections(&self) -> usize {
        let limit = self.guards.limit_connections.unwrap_or(self.engine.limit_connections());
        let limit = match self.max_children {
            Some(children) if self.engine.forks() => limit.min(children),
            _ => limit,
        };
        limit.max(1)
    }

    /// Binds `address` and will serve `service` there. Connections queue from now on. After an
    /// error the server is as it was.
    ///
    /// `fd:3` is a socket that is open already, and `fd:NAME` the one that a service manager passed
    /// under that name ([`activation`]), served as by [`bind_socket`](Server::bind_socket).
    ///
    /// # Errors
    /// An address that cannot be read, resolved or bound: `EADDRINUSE` when somebody has it,
    /// `EACCES` for a port that needs a privilege. The message says what to do. What
    /// [`server_bind`](Service::server_bind) and [`server_activate`](Service::server_activate) say.
    pub fn bind(&mut self, address: impl ToAddress, service: impl Service) -> Result<&mut Server> {
        self.bind_all(&[address], service)
    }

    /// [Binds](Server::bind) several addresses for one service: all of them or, after an error,
    /// none.
    ///
    /// ```
    /// use std::io::Write;
    /// use switchboard::{Connection, Server};
    ///
    /// let mut server = Server::new();
    /// server.bind_all(&["tcp://127.0.0.1:0", "udp://127.0.0.1:0"], |c: &mut Connection| {
    ///     writeln!(c, "hello, {}", c.peer_address().clone())
    /// })?;
    /// assert_eq!(server.addresses().len(), 2);
    /// # switchboard::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`bind`](Server::bind).
    pub fn bind_all(
        &mut self,
        addresses: &[impl ToAddress],
        service: impl Service,
    ) -> Result<&mut Server> {
        let service: Arc<dyn Service> = Arc::new(service);
        let (bound, counted) = (self.listeners.len(), self.switches.known().listeners.len());
        for address in addresses {
            match self.listener(address, Arc::clone(&service)) {
                Ok(listener) => self.listeners.push(listener),
                Err(error) => {
                    self.close_from(bound);
                    self.switches.known().listeners.truncate(counted);
                    return Err(error);
                }
            }
        }
        Ok(self)
    }

    fn listener(&self, address: &impl ToAddress, service: Arc<dyn Service>) -> Result<Listener> {
        let address = address.to_address().map_err(|error| Error::parse("bind", error))?;
        let given = match &address.place {
            Place::Descriptor(number) => activation::descriptor(*number),
            Place::DescriptorName(name) => activation::named(name),
            _ => return self.binding.bind(address, service, &self.switches),
        };
        self.binding.adopt(given?, service, &self.switches)
    }

    /// Will serve `service` at a socket that is bound already. A stream that does not listen yet
    /// does from now on. The path of a Unix socket stays where it is when the server ends:
    /// whoever made it removes it.
    ///
    /// # Errors
    /// `InvalidInput` when it is not bound, is a connection, or is of a family or type that has
    /// no address to serve at. The socket is closed then.
    pub fn bind_socket(&mut self, socket: Socket, service: impl Service) -> Result<&mut Server> {
        let listener = self.binding.adopt(socket, Arc::new(service), &self.switches)?;
        self.listeners.push(listener);
        Ok(self)
    }

    /// The addresses of the listeners, in the order of binding, with port 0 resolved.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        self.listeners.iter().map(|listener| listener.site.address.clone()).collect()
    }

    /// The sockets of the listeners, in the same order: for their options, and their descriptors
    /// to wait for them together with others.
    pub fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.listeners.iter().map(|listener| &listener.bound.socket)
    }

    /// A handle that stops the server and reads its counters, from any thread.
    #[must_use]
    pub fn control(&self) -> Control {
        Control { switches: Arc::clone(&self.switches) }
    }
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

/// How many connections the descriptors that this process may open are enough for, with a sixteenth
/// of them left to handlers and to the server itself. More would not fail, since an accept without
/// a descriptor is waited out; but the limit per address is a share of the whole, and a share of
/// what cannot be had protects nobody. `getrlimit(2)`.
fn affordable_connections() -> usize {
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(allowed - allowed / 16).unwrap_or(usize::MAX)
}
