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
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};
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
    /// Places taken.
    open: AtomicUsize,
    /// Places not dropped yet: also those of connections that are closed but not yet told of.
    unfinished: AtomicUsize,
    registry: Mutex<Registry>,
    draining: AtomicBool,
    time_called: AtomicBool,
    closed_to_new: AtomicBool,
    wants_room: AtomicBool,
    /// Set when a place became free after somebody asked for [`room`](Running::ask_for_room).
    pub(crate) room: Latch,
    /// Set when every request is finished and no more will come.
    pub(crate) finished: Latch,
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
    /// What its handler is doing, as far as can be seen from outside.
    activity: AtomicU8,
    /// Whether it waited for its peer when the drain called time: its reads fail from now on.
    pub(crate) let_go: AtomicBool,
    /// Whether it was cut off: every call on it fails from now on.
    pub(crate) cut: AtomicBool,
}

/// What a handler is doing, as far as can be seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Activity {
    /// Anything but the two below.
    Working = 0,
    /// It waits for its peer in the middle of something.
    Reading = 1,
    /// It waits for the next request, and may be closed without loss.
    Between = 2,
}

/// The right to be open, given back by dropping it.
pub(crate) struct Place {
    id: u64,
    /// `None` once it has been given back.
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
            unfinished: AtomicUsize::new(0),
            registry: Mutex::default(),
            draining: AtomicBool::new(false),
            time_called: AtomicBool::new(false),
            closed_to_new: AtomicBool::new(false),
            wants_room: AtomicBool::new(false),
            room: Latch::default(),
            finished: Latch::default(),
        }
    }

    /// Counts an event and tells it. A subscriber that panics has been heard by the panic hook, and
    /// takes nobody with it.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.switches.tally.count(event);
        let _ = catch_unwind(AssertUnwindSafe(|| (self.subscriber)(event)));
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
        let link = Arc::new(Link {
            socket,
            activity: AtomicU8::new(Activity::Working as u8),
            let_go: AtomicBool::new(false),
            cut: AtomicBool::new(false),
        });
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
        self.unfinished.fetch_add(1, SeqCst);
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
        for link in self.registry().links.values() {
            if link.is(Activity::Between) {
                link.shut_down(Shutdown::Read);
            }
        }
    }

    /// Calls time: connections that wait for their peer fail in their reads from now on.
    pub(crate) fn call_time(&self) {
        self.time_called.store(true, SeqCst);
        for link in self.registry().links.values() {
            if !link.is(Activity::Working) {
                link.let_go.store(true, SeqCst);
                link.shut_down(Shutdown::Read);
            }
        }
    }

    /// Whether a connection may still begin to wait for its peer.
    pub(crate) fn is_time_called(&self) -> bool {
        self.time_called.load(SeqCst)
    }

    /// Says that no further request will come: what waited in the queues has been taken.
    pub(crate) fn close_to_new(&self) {
        self.closed_to_new.store(true, SeqCst);
        self.check_finished();
    }

    /// How many requests are not finished.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished.load(SeqCst)
    }

    fn check_finished(&self) {
        if self.unfinished() == 0 && self.closed_to_new.load(SeqCst) {
            self.finished.set();
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
    /// Notes what its handler does now. Whoever changes the server's state looks here afterwards,
    /// and a handler looks at the server's state after this, so neither can miss the other.
    pub(crate) fn set(&self, activity: Activity) {
        self.activity.store(activity as u8, SeqCst);
    }

    fn is(&self, activity: Activity) -> bool {
        self.activity.load(SeqCst) == activity as u8
    }

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
        Arc::clone(self.link.as_ref().expect("a place has its link until it is given back"))
    }
}

impl Place {
    /// Closes the descriptor, if nobody else holds it, and lets somebody else in. In this order,
    /// so that whoever is woken by the free place finds a free descriptor too.
    pub(crate) fn give_back(&mut self) {
        let Some(link) = self.link.take() else { return };
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
        drop((known, link));
        running.open.fetch_sub(1, SeqCst);
        if running.wants_room.swap(false, SeqCst) {
            running.room.set();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
        self.running.unfinished.fetch_sub(1, SeqCst);
        self.running.check_finished();
    }
}

/// The address a connection counts for: one household of IPv6 has a whole /64 to itself.
fn counted_as(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}
