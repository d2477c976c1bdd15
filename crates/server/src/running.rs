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

use std::io;
use std::iter;
use std::net::{IpAddr, Shutdown};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Mutex, OnceLock};

use std::time::{Duration, Instant};

use coroutine::{Remote, Shortage};
use socket::process::SharedWords;
use socket::{SockAddr, Socket, coarse_time};

use crate::atomic::Lock;
use crate::describe::select;
use crate::description::Doing;
use crate::engine::Engine;
use crate::event::{Event, Refusal};
use crate::guards::Guards;
use crate::latch::Latch;
use crate::link::{self, Link};
use crate::notify::Notify;
use crate::patrol::Patrol;
use crate::patrol_clock::PatrolClock;
use crate::places::{Door, Places};
use crate::registry::Registry;
use crate::switches::Switches;
use crate::teller::Teller;
use crate::waiting::{Ending, NEVER};

/// A server while it runs.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) guards: Guards,
    pub(crate) limit_connections: usize,
    limit_per_address: usize,
    pub(crate) switches: Arc<Switches>,
    pub(crate) message_events: bool,
    pub(crate) teller: Teller,
    pub(crate) notify: Notify,
    /// What forked children see change: the state of the server and the words of their links.
    words: Arc<SharedWords>,
    pub(crate) places: Places,
    registry: Lock<Registry>,
    workers: Lock<Vec<Watched>>,
    /// What the rings of workers ran short of, as far as that was told.
    told_short: Lock<Vec<Shortage>>,
    /// When somebody last looked where a handler stands.
    looked: Lock<Option<Instant>>,
    pub(crate) patrol: Patrol,
    /// Set when what is open is cut off.
    pub(crate) cut: Latch,
    /// Set when the drain is over, also if something is left behind.
    pub(crate) over: Latch,
    /// Set when what runs a request is to be ended by force, where an engine can do that.
    pub(crate) kill: Latch,
    /// Held while a hook changes what requests see, and while one is forked: a child must not find
    /// it half changed, behind a lock that nobody there opens.
    pub(crate) changing: Mutex<()>,
    /// How the wait for the only request ended, where only one is served.
    pub(crate) one: OnceLock<One>,
}

/// How long a handler has kept its worker when others no longer count on that one.
pub(crate) const HELD: Duration = Duration::from_millis(10);

/// The places of [`Running::words`]: whether the server drains, whether time was called, the
/// shortest limit of any wait, in milliseconds, and the patrol's clock; then, in a line of the
/// cache of their own, the links.
const DRAINING: usize = 0;
const TIME_CALLED: usize = 1;
const SHORTEST: usize = 2;
const LAG: usize = 3;
const HORIZON: usize = 4;
pub(crate) const LINKS: usize = 8;

/// How the wait for the only request ended; if neither way, the server was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum One {
    /// One came.
    Came,
    /// None came in time.
    Expired,
}

/// A worker that a handler might keep from all others.
struct Watched {
    remote: Remote,
    /// By which its requests come.
    door: Arc<Door>,
    /// Whether what holds it now has been told of.
    told: bool,
}

/// What its ring has run short of since it was asked before.
fn shortages(watched: &Watched) -> impl Iterator<Item = Shortage> {
    iter::from_fn(|| watched.remote.shortage())
}

/// A limit in milliseconds for [`Link::wait`]; half of [`NEVER`], which can be added to any time,
/// where there is none.
pub(crate) fn milliseconds(limit: Option<Duration>) -> u64 {
    // The clock is up to a tick behind: without it a wait could end that much too early.
    match limit {
        Some(limit) => {
            u64::try_from(limit.as_millis()).map_or(NO_LIMIT, |limit| NO_LIMIT.min(limit + TICK))
        }
        None => NO_LIMIT,
    }
}

/// Longer than anything lasts.
pub(crate) const NO_LIMIT: u64 = NEVER / 2;

/// The longest tick of the clock below, in milliseconds: a kernel with 100 of them a second.
pub(crate) const TICK: u64 = 10;

/// The time in milliseconds, on the kernel's cheap clock, which moves once a tick.
#[inline]
pub(crate) fn now() -> u64 {
    let now = coarse_time();
    now.as_secs() * 1_000 + u64::from(now.subsec_millis())
}

/// The shortest and the longest time between two patrols.
const PATROL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// The time between two looks at where a handler stands.
const LOOK: Duration = Duration::from_secs(1);

/// The right to be open, given back by dropping it.
pub(crate) struct Place {
    pub(crate) id: u64,
    /// `None` once it has been given back.
    link: Option<Arc<Link>>,
    /// The address that it counts for.
    address: Option<IpAddr>,
    /// Where in the registry it is.
    at: u32,
    door: Arc<Door>,
    pub(crate) running: Arc<Running>,
}

impl Running {
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn new(
        engine: Engine,
        guards: Guards,
        limit_connections: usize,
        switches: Arc<Switches>,
        teller: Teller,
        message_events: bool,
        notify: Notify,
    ) -> io::Result<Running> {
        let slots = if engine.forks() { limit_connections } else { 0 };
        let words = Arc::new(SharedWords::new(LINKS + slots * link::WORDS)?);
        let quarter = (limit_connections / 4).max(1);
        let limits = [guards.deadline_first_byte, guards.deadline_idle, guards.deadline_connection];
        let limits = limits.into_iter().chain([guards.report_stall]);
        let shortest = limits.map(milliseconds).min().unwrap_or(NO_LIMIT);
        words[SHORTEST].store(shortest, SeqCst);
        clock(&words).start(now(), interval(shortest));
        Ok(Running {
            engine,
            limit_connections,
            limit_per_address: guards.limit_per_address.unwrap_or(quarter).max(1),
            guards,
            switches,
            message_events,
            teller,
            notify,
            words,
            places: Places::new(limit_connections),
            registry: Lock::default(),
            workers: Lock::default(),
            told_short: Lock::default(),
            looked: Lock::default(),
            patrol: Patrol::default(),
            cut: Latch::default(),
            over: Latch::default(),
            kill: Latch::default(),
            changing: Mutex::default(),
            one: OnceLock::new(),
        })
    }

    /// Counts an event and tells it.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.teller.tell(event);
    }

    /// Keeps a place free for whatever comes next by this door; `None` if all are taken.
    pub(crate) fn reserve(self: &Arc<Self>, door: &Arc<Door>) -> Option<Reservation> {
        self.places
            .reserve()
            .then(|| Reservation { running: Some(Arc::clone(self)), door: Arc::clone(door) })
    }

    /// The number of the next connection, in the order of arrival.
    pub(crate) fn number(&self) -> u64 {
        self.switches.requests().fetch_add(1, Relaxed) + 1
    }

    /// Tells the service manager, if there is one.
    pub(crate) fn notify(&self, message: &str) {
        if let Err(error) = self.notify.send(message) {
            self.tell(&Event::NotifyFailed { error: &error });
        }
    }

    /// An accept loop begins: the first one tells the service manager.
    pub(crate) fn begin_accepting(&self) {
        if !self.is_draining() && self.notify.is_first() {
            self.notify(&self.switches.ready());
        }
    }

    /// Gives a connection from `peer` its place, or says why it gets none. `listener`: the index of
    /// the one it came to. `socket` is `None` for a datagram. A refused socket is closed by being
    /// dropped.
    pub(crate) fn admit(
        self: &Arc<Self>,
        reservation: Reservation,
        listener: usize,
        peer: &SockAddr,
        socket: Option<Socket>,
    ) -> (u64, Result<Place, Refusal>) {
        let id = self.number();
        let address = peer.as_inet().map(|inet| inet.ip());
        let mut registry = self.registry.lock();
        if address.is_some_and(|address| !registry.count(address, self.limit_per_address)) {
            // Said aloud, for somebody else may hold the descriptor: a child forked meanwhile.
            socket.map(|socket| socket.shutdown(Shutdown::Both));
            return (id, Err(Refusal::LimitPerAddress));
        }
        let link = Arc::new(Link::new(socket, registry.slot(&self.words), listener));
        let at = registry.enter(id, Arc::clone(&link));
        let door = reservation.keep();
        self.places.take();
        door.enter();
        self.patrol.opened();
        drop(registry);
        (id, Ok(Place { id, link: Some(link), address, at, door, running: Arc::clone(self) }))
    }

    /// Whether the server takes no more connections.
    #[inline]
    pub(crate) fn is_draining(&self) -> bool {
        self.words[DRAINING].load(SeqCst) != 0
    }

    /// Its state, for whoever looks at more than one word of it.
    #[inline(always)]
    pub(crate) fn state(&self) -> State<'_> {
        State(self.words.first_chunk().expect("there are so many in any case"))
    }

    /// The time, by the clock of the patrol.
    pub(crate) fn time(&self) -> u64 {
        clock(&self.words).time(now())
    }

    /// Begins to drain: whoever is between two requests from now on sees the end of its input at
    /// once. Answers who already was, and in which wait.
    pub(crate) fn begin_drain(&self) -> Vec<(Arc<Link>, u64)> {
        self.words[DRAINING].store(1, SeqCst);
        let registry = self.registry.lock();
        let between = |(_, link): (u64, &Arc<Link>)| Some((Arc::clone(link), link.between()?));
        registry.open().filter_map(between).collect()
    }

    /// Calls time: connections that wait for their peer fail in their reads from now on.
    pub(crate) fn call_time(&self) {
        self.words[TIME_CALLED].store(1, SeqCst);
        self.registry.lock().open().for_each(|(_, link)| link.end_waiting(Ending::LetGo));
    }

    /// Ends the waiting of connections that have waited for longer than they may.
    pub(crate) fn expire(&self) {
        let time = clock(&self.words).look(now, self.patrol_interval());
        self.registry.lock().open().for_each(|(_, link)| link.end_overdue(time));
    }

    /// Has the patrol look at a worker, whose requests come by `door`.
    pub(crate) fn watch_worker(&self, remote: Remote, door: Arc<Door>) {
        let watched = Watched { remote, door, told: false };
        self.workers.lock().push(watched);
    }

    /// Its workers.
    pub(crate) fn remotes(&self) -> Vec<Remote> {
        self.workers.lock().iter().map(|watched| watched.remote.clone()).collect()
    }

    /// How many connections do what, and `most` of them, with their numbers.
    pub(crate) fn most_interesting(
        &self,
        most: usize,
    ) -> ([usize; Doing::ALL.len()], Vec<(u64, Arc<Link>)>) {
        select(self.registry.lock().open(), most)
    }

    /// Has what has just come in count for the worker with the fewest connections, if that has
    /// fewer with it than the one where it came in; and says which that is. None that a handler
    /// holds. One decides after the other, each seeing the ones before.
    pub(crate) fn spread(&self, place: &mut Place) -> Option<Remote> {
        let own = self.places.excess(&place.door)?;
        let workers = self.workers.lock();
        let lighter = workers.iter().filter(|one| one.door.inside() + 1 < own);
        let free = lighter.filter(|one| one.remote.held().is_none_or(|held| held.since < HELD));
        let lightest = free.min_by_key(|one| one.door.inside())?;
        place.move_to(Arc::clone(&lightest.door));
        Some(lightest.remote.clone())
    }

    /// Tells of handlers that hold up their workers.
    pub(crate) fn tell_stalled(&self) {
        let Some(limit) = self.guards.report_stall else { return };
        let mut stalled = Vec::new();
        for watched in &mut *self.workers.lock() {
            let held = watched.remote.held().filter(|held| held.since >= limit);
            let told = std::mem::replace(&mut watched.told, held.is_some());
            stalled.extend(held.filter(|_| !told).map(|held| (watched.remote.clone(), held)));
        }
        for (remote, held) in stalled {
            let backtrace = self.backtrace(&remote);
            let (handler, elapsed) = (&held.name, held.since);
            self.tell(&Event::Stalled { handler, elapsed, backtrace: backtrace.as_deref() });
        }
    }

    /// Tells of what the rings of its workers have run short of, once of each thing.
    pub(crate) fn tell_short(&self) {
        let short: Vec<_> = self.workers.lock().iter().flat_map(shortages).collect();
        for shortage in short {
            let mut told = self.told_short.lock();
            if !told.contains(&shortage) {
                told.push(shortage);
                drop(told);
                self.tell(&Event::RingShort { why: &shortage.to_string() });
            }
        }
    }

    /// Where a handler stands that keeps its worker, unless somebody has just looked: looking is
    /// work for the patrol, and for the machine.
    fn backtrace(&self, remote: &Remote) -> Option<String> {
        let mut looked = self.looked.lock();
        if looked.is_some_and(|last| last.elapsed() < LOOK) {
            return None;
        }
        let backtrace = remote.backtrace();
        *looked = Some(Instant::now());
        backtrace
    }

    /// How often to look for connections that wait too long; `None` if there is no such limit.
    pub(crate) fn patrol_interval(&self) -> Option<Duration> {
        interval(self.words[SHORTEST].load(SeqCst))
    }

    /// Notes a limit that a handler has set, which may be shorter than any before.
    pub(crate) fn note_limit(&self, limit: Option<Duration>) {
        let limit = milliseconds(limit);
        if self.words[SHORTEST].fetch_min(limit, SeqCst) > limit {
            self.patrol.wake.set();
        }
    }

    /// Whether it is too late to wait for a peer, and to begin anything new.
    pub(crate) fn is_time_called(&self) -> bool {
        self.words[TIME_CALLED].load(SeqCst) != 0
    }

    /// Cuts off everything that is open and answers how much that was.
    pub(crate) fn cut_all(&self) -> usize {
        self.words[TIME_CALLED].store(1, SeqCst);
        // Who begins to wait from now on looks whether it was cut off.
        self.words[DRAINING].store(1, SeqCst);
        let registry = self.registry.lock();
        let cut = registry.open().map(|(_, link)| link.cut()).count();
        self.cut.set();
        cut
    }
}

/// The words of a server's state, as its handlers use them.
#[derive(Clone, Copy)]
pub(crate) struct State<'a>(&'a [AtomicU64; LINKS]);

impl State<'_> {
    /// Whether the server takes no more connections.
    #[inline(always)]
    pub(crate) fn is_draining(self) -> bool {
        self.0[DRAINING].load(SeqCst) != 0
    }

    /// What the clock of the patrol shows when it looks next, at most.
    #[inline(always)]
    pub(crate) fn horizon(self) -> u64 {
        self.0[HORIZON].load(SeqCst)
    }
}

fn clock(words: &SharedWords) -> PatrolClock<'_> {
    PatrolClock { lag: &words[LAG], horizon: &words[HORIZON] }
}

/// How often the patrol looks where this is the shortest limit.
fn interval(shortest: u64) -> Option<Duration> {
    let interval = Duration::from_millis(shortest / 8).clamp(PATROL.0, PATROL.1);
    (shortest != NO_LIMIT).then_some(interval)
}

/// A place kept free for a connection that is about to be accepted, given back by dropping it.
pub(crate) struct Reservation {
    running: Option<Arc<Running>>,
    door: Arc<Door>,
}

impl Reservation {
    /// Leaves it taken, for a [`Place`] to give back. Answers the door.
    fn keep(mut self) -> Arc<Door> {
        self.running = None;
        Arc::clone(&self.door)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.places.vacate();
        }
    }
}

impl Place {
    /// Counts at another door from now on.
    pub(crate) fn move_to(&mut self, door: Arc<Door>) {
        door.enter();
        std::mem::replace(&mut self.door, door).leave();
    }

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
        let mut registry = running.registry.lock();
        let known = registry.leave(self.at);
        if let Some(address) = self.address {
            registry.discount(address);
        }
        drop(registry);
        drop((known, link));
        running.places.vacate();
        running.places.closed();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
        self.door.leave();
        self.running.places.finish();
    }
}
