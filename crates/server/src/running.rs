//! A server while it runs: what its accept loop, its handlers and its controls share.
//!
//! ```text
//!   accept loop ── admit ──► Place ──► handler … ── drop ──► room, empty
//!        ▲                                                     │
//!        └──────────────── wakes when there is room ◄──────────┘
//! ```
//! A [`Place`] is the right to be open. It is counted, per server and per address, from the moment
//! it is given until it is dropped, whatever way its handler ends; so the limits recover by
//! themselves.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, Shutdown};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socket::{SockAddr, Socket};

use crate::engine::Engine;
use crate::event::{Event, Refusal, Tally};
use crate::guards::Guards;
use crate::latch::Latch;

/// What controls a server from outside, and what it has counted. Lives from `Server::new` on.
#[derive(Debug, Default)]
pub(crate) struct Switches {
    /// Take no more connections, let the open ones finish.
    pub(crate) stop: Latch,
    /// Cut off what is open.
    pub(crate) now: Latch,
    /// The numbers so far.
    pub(crate) tally: Tally,
}

/// A server while it runs.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) guards: Guards,
    pub(crate) limit_connections: usize,
    limit_per_address: usize,
    pub(crate) switches: Arc<Switches>,
    pub(crate) message_events: bool,
    subscriber: Subscriber,
    next_id: AtomicU64,
    open: AtomicUsize,
    registry: Mutex<Registry>,
    draining: AtomicBool,
    closed_to_new: AtomicBool,
    wants_room: AtomicBool,
    /// Set when a place became free after somebody asked for [`room`](Running::ask_for_room).
    pub(crate) room: Latch,
    /// Set when nothing is open and nothing more will come.
    pub(crate) empty: Latch,
}

/// Whoever is told of events.
pub(crate) type Subscriber = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// What is open.
#[derive(Default)]
struct Registry {
    links: HashMap<u64, Arc<Link>>,
    per_address: HashMap<IpAddr, usize>,
}

/// An open connection as seen from outside its handler.
#[derive(Debug)]
pub(crate) struct Link {
    /// Its socket; a datagram has none of its own.
    pub(crate) socket: Option<Socket>,
    /// Whether it is between two requests, where it may be closed without loss.
    pub(crate) between: AtomicBool,
    /// Whether it was cut off: every call on it fails from now on.
    pub(crate) cut: AtomicBool,
}

/// The right to be open, given back by dropping it.
pub(crate) struct Place {
    id: u64,
    /// `None` only while it is being given back.
    link: Option<Arc<Link>>,
    address: Option<IpAddr>,
    running: Arc<Running>,
}

impl Running {
    pub(crate) fn new(
        engine: Engine,
        guards: Guards,
        switches: Arc<Switches>,
        subscriber: Subscriber,
        message_events: bool,
    ) -> Running {
        let limit_connections = guards.limit_connections.unwrap_or(engine.limit_connections());
        let limit_connections = limit_connections.max(1);
        let quarter = (limit_connections / 4).max(1);
        Running {
            engine,
            limit_connections,
            limit_per_address: guards.limit_per_address.unwrap_or(quarter).max(1),
            guards,
            switches,
            message_events,
            subscriber,
            next_id: AtomicU64::new(1),
            open: AtomicUsize::new(0),
            registry: Mutex::default(),
            draining: AtomicBool::new(false),
            closed_to_new: AtomicBool::new(false),
            wants_room: AtomicBool::new(false),
            room: Latch::default(),
            empty: Latch::default(),
        }
    }

    /// Counts an event and tells it.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.switches.tally.count(event);
        (self.subscriber)(event);
    }

    /// Gives a connection from `peer` its place, or says why it gets none. `socket` is `None` for
    /// a datagram. A refused socket is closed by being dropped.
    pub(crate) fn admit(
        self: &Arc<Self>,
        peer: &SockAddr,
        socket: Option<Socket>,
    ) -> (u64, Result<Place, Refusal>) {
        let id = self.next_id.fetch_add(1, Relaxed);
        let address = peer.as_inet().map(|inet| counted_as(inet.ip()));
        let link = Link { socket, between: AtomicBool::new(false), cut: AtomicBool::new(false) };
        let link = Arc::new(link);
        let mut registry = self.registry();
        if let Some(address) = address {
            let count = registry.per_address.entry(address).or_default();
            if *count >= self.limit_per_address {
                return (id, Err(Refusal::LimitPerAddress));
            }
            *count += 1;
        }
        registry.links.insert(id, Arc::clone(&link));
        self.open.fetch_add(1, SeqCst);
        drop(registry);
        (id, Ok(Place { id, link: Some(link), address, running: Arc::clone(self) }))
    }

    /// How many places are taken.
    pub(crate) fn open(&self) -> usize {
        self.open.load(SeqCst)
    }

    /// Whether one more connection fits. If not, `room` will be set when one does.
    pub(crate) fn ask_for_room(&self) -> bool {
        if self.open() < self.limit_connections {
            return true;
        }
        self.room.clear();
        self.wants_room.store(true, SeqCst);
        // One may have closed before it could see the wish.
        self.open() < self.limit_connections
    }

    /// Asks to be woken by the next close, whether or not there is room: for a listener that rests
    /// because the system is short of something.
    pub(crate) fn ask_for_close(&self) {
        self.room.clear();
        self.wants_room.store(true, SeqCst);
    }

    /// Whether the server takes no more connections.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(SeqCst)
    }

    /// Begins to drain: connections between two requests see the end of their input.
    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, SeqCst);
        let registry = self.registry();
        for link in registry.links.values() {
            if link.between.load(SeqCst) {
                link.shut_down(Shutdown::Read);
            }
        }
    }

    /// Says that no further request will come: what waited in the queues has been taken.
    pub(crate) fn close_to_new(&self) {
        self.closed_to_new.store(true, SeqCst);
        self.check_empty(self.open());
    }

    fn check_empty(&self, open: usize) {
        if open == 0 && self.closed_to_new.load(SeqCst) {
            self.empty.set();
        }
    }

    /// Cuts off everything that is open and answers how much that was.
    pub(crate) fn cut_all(&self) -> usize {
        let registry = self.registry();
        for link in registry.links.values() {
            link.cut.store(true, SeqCst);
            link.shut_down(Shutdown::Both);
        }
        registry.links.len()
    }

    /// The registry. A panic while it was locked cannot have left it half changed: nothing that
    /// panics runs under the lock.
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn shut_down(&self, how: Shutdown) {
        if let Some(socket) = &self.socket {
            // The connection may be gone already, which is what was wanted.
            let _ = socket.shutdown(how);
        }
    }
}

impl Place {
    /// The connection that has the place.
    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(self.link.as_ref().expect("a place has its link until it is dropped"))
    }
}

impl Drop for Place {
    /// The descriptor is closed first, so that whoever is woken by the free place finds it free.
    fn drop(&mut self) {
        let running = &self.running;
        let mut registry = running.registry();
        let known = registry.links.remove(&self.id);
        if let Some(address) = self.address {
            match registry.per_address.get_mut(&address) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(registry.per_address.remove(&address)),
            }
        }
        drop(registry);
        drop((known, self.link.take()));
        let open = running.open.fetch_sub(1, SeqCst) - 1;
        if running.wants_room.swap(false, SeqCst) {
            running.room.set();
        }
        running.check_empty(open);
    }
}

/// The address a connection counts for: one household of IPv6 has a whole /64 to itself.
fn counted_as(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}
