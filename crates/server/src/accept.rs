//! The accept loop: what brings requests, in every engine.
//!
//! It waits at once for everything that can matter: the listeners, the request to stop, and the
//! room that a closing connection makes. It waits through the seam, so it blocks a thread or parks
//! a coroutine, and a server may have several, each with its own descriptors for the same
//! listeners. The listeners are left out of the wait while
//!
//! * the server is **full**: until a connection closes;
//! * the system is **short** of descriptors or memory: for 10 ms, doubling to 100 ms, or until a
//!   connection closes, whichever comes first. Waiting for it would burn a core, since it stays
//!   readable. When a shortage lasts, one waiting connection per pause is taken with a descriptor
//!   kept for that and closed, so that its peer learns of it instead of waiting for ever.
//!
//! An error of one connection (it was reset while it waited) is passed over; a whole turn of
//! nothing else is taken for a shortage. Only an error that says the listener itself is broken ends
//! the loop.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket::seam::{Memory, Watch, sleep, wait_any};
use socket::signal::StopSignals;
use socket::{Deadline, Flags, Interest, RecvBatch, SockAddr, Socket};

use crate::caught::caught;
use crate::engine::Serving;
use crate::error::{Error, Result, is_resource_limit};
use crate::event::{Event, Refusal};
use crate::listener::{Bound, Listener, Site};
use crate::places::Door;
use crate::request::Request;
use crate::running::{One, Reservation, Running};

/// How many connections one listener may hand over before the others get their turn.
const TURN: usize = 64;
/// How many are still taken of those that wait when the server is asked to stop. It ends: who keeps
/// coming must not keep a server from its end.
const LAST: usize = 4096;
/// The first pause in a shortage, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));
/// How long a shortage lasts before waiting connections are turned away.
const PATIENCE: Duration = Duration::from_secs(1);
/// The time between two reports of the same trouble.
const REPORT: Duration = Duration::from_secs(1);

/// What an accept loop brings requests to.
pub(crate) trait Process {
    /// Takes a request, and says whether it could; `Err` is a shortage and counts as one of
    /// accept's.
    fn process(&mut self, request: Request) -> io::Result<()>;

    /// What the loop is to wait for beside its own.
    fn watches(&self) -> Vec<Watch<'_>> {
        Vec::new()
    }

    /// When to wait no longer: [`attend`](Process::attend) has something to do then.
    fn due(&self) -> Deadline {
        Deadline::Never
    }

    /// Called after each wait, with those of the [watches](Process::watches) that were ready.
    fn attend(&mut self, ready: &[bool]) {
        let _ = ready;
    }
}

/// Where requests are all there is to it.
struct Only<'a>(&'a mut dyn FnMut(Request) -> io::Result<()>);

impl Process for Only<'_> {
    fn process(&mut self, request: Request) -> io::Result<()> {
        (self.0)(request)
    }
}

/// Accepts until the server is asked to stop, or one request only.
pub(crate) struct AcceptLoop {
    running: Arc<Running>,
    door: Arc<Door>,
    entrances: Vec<Arc<Entrance>>,
    signals: Option<StopSignals>,
    /// What drivers know of the stop latch, the door and the signals.
    memories: [Memory; 3],
    shortage: Option<Shortage>,
    /// Kept open so that there is one descriptor to close when there is none left.
    spare: Option<File>,
    reported: Option<Instant>,
    packet: Vec<u8>,
    /// At least how often to call `service_actions`; only one loop has such a clock.
    poll_interval: Option<Duration>,
    /// Until when to wait for the only request, where only one is served.
    one_by: Option<Deadline>,
}

/// A listener as one accept loop sees it.
struct Entrance {
    site: Arc<Site>,
    bound: Arc<Bound>,
    /// A descriptor of this loop's own, where there are several loops: a driver knows it apart.
    copy: Option<Socket>,
    /// Where its datagrams are taken many at once.
    batch: Option<Mutex<Datagrams>>,
}

/// Datagrams that one call took, and how many of them have been handed over.
struct Datagrams {
    batch: RecvBatch,
    next: usize,
    /// There were no more when they were taken.
    were_all: bool,
}

impl Datagrams {
    fn new(messages: usize, size: usize) -> Datagrams {
        let batch = RecvBatch::new(messages, size, 0);
        Datagrams { batch, next: 0, were_all: false }
    }

    /// The next datagram, taken from `socket` with others if none is left.
    fn next(&mut self, socket: &Socket) -> io::Result<(Vec<u8>, SockAddr)> {
        if self.next >= self.batch.len() {
            if std::mem::take(&mut self.were_all) {
                return Err(ErrorKind::WouldBlock.into());
            }
            // A call that was not even made leaves in the batch what has been handed over.
            socket.recv_mmsg(&mut self.batch, Flags::NONE)?;
            self.next = 0;
            self.were_all = self.batch.len() < self.batch.capacity();
        }
        let message = self.batch.message(self.next).ok_or(ErrorKind::WouldBlock)?;
        self.next += 1;
        let peer = message.address.ok_or(ErrorKind::InvalidData)?;
        Ok((message.bytes.to_vec(), peer))
    }
}

impl Entrance {
    fn socket(&self) -> &Socket {
        self.copy.as_ref().unwrap_or(&self.bound.socket)
    }

    /// Whether it has something that was taken from the socket and not handed over.
    fn has_more(&self) -> bool {
        let datagrams = self.batch.as_ref().map(|batch| locked(batch));
        datagrams.is_some_and(|datagrams| datagrams.next < datagrams.batch.len())
    }

    fn act(&self) {
        let _ = caught(|| self.site.service.service_actions());
    }
}

/// The system is short of something.
struct Shortage {
    since: Instant,
    pause: Duration,
    until: Instant,
}

impl AcceptLoop {
    /// Loop number `index` of `count`. All loops of a server must exist before the first one runs.
    pub(crate) fn new(serving: &Serving, index: usize, count: usize) -> io::Result<AcceptLoop> {
        let Serving { listeners, signals, max_packet_size, batch, .. } = serving;
        let Serving { poll_interval, one_by, .. } = serving;
        let running = Arc::clone(&serving.running);
        let shared = count > 1;
        let entrance = |listener: &Listener| {
            let Listener { bound, site } = listener.clone();
            let copy = if shared { Some(bound.socket.try_clone()?) } else { None };
            // Others than UDP's may come without an address.
            let udp = site.datagrams.is_some() && site.local.as_inet().is_some();
            let batch = (udp && *batch > 1 && one_by.is_none())
                .then(|| Mutex::new(Datagrams::new(*batch, *max_packet_size)));
            Ok(Arc::new(Entrance { site, bound, copy, batch }))
        };
        let entrances = listeners.iter().map(entrance).collect::<io::Result<_>>()?;
        let door = running.places.open_door();
        door.room.fd()?;
        Ok(AcceptLoop {
            running,
            door,
            entrances,
            signals: *signals,
            memories: Default::default(),
            shortage: None,
            spare: File::open("/dev/null").ok(),
            reported: None,
            packet: vec![0; *max_packet_size],
            poll_interval: poll_interval.filter(|_| index == 0),
            one_by: *one_by,
        })
    }

    /// The door by which its requests come.
    pub(crate) fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door)
    }

    /// Accepts until the server is asked to stop, then takes what already waits, and closes the
    /// listeners. Each request is given to `process`, as [`Process::process`] has it.
    pub(crate) fn run(self, process: &mut dyn FnMut(Request) -> io::Result<()>) -> Result {
        self.run_for(&mut Only(process))
    }

    /// The same for an engine that waits for more than requests.
    pub(crate) fn run_for(mut self, process: &mut dyn Process) -> Result {
        match self.one_by {
            None => self.serve(process),
            Some(deadline) => self.serve_one(deadline, process),
        }
    }

    fn serve(&mut self, process: &mut dyn Process) -> Result {
        self.running.begin_accepting();
        while !self.stop_asked()? {
            let deadline = self.poll_interval.into();
            for index in self.wait(process, deadline)? {
                let entrance = Arc::clone(&self.entrances[index]);
                self.take(&entrance, TURN, process)?;
            }
            self.entrances.iter().for_each(|entrance| entrance.act());
        }
        for entrance in self.entrances.clone() {
            self.take(&entrance, LAST, process)?;
        }
        Ok(())
    }

    /// Waits for one request until `deadline`, and processes it.
    fn serve_one(&mut self, deadline: Deadline, process: &mut dyn Process) -> Result {
        while !self.stop_asked()? {
            let ready = self.wait(process, deadline)?.first().copied();
            if let Some(index) = ready {
                let entrance = Arc::clone(&self.entrances[index]);
                if self.take(&entrance, 1, process)? {
                    let _ = self.running.one.set(One::Came);
                    return Ok(());
                }
            } else if deadline.remaining() == Some(Duration::ZERO) {
                let _ = self.running.one.set(One::Expired);
                return Ok(());
            }
        }
        Ok(())
    }

    fn stop_asked(&self) -> Result<bool> {
        if self.running.switches.stop.is_set() {
            return Ok(true);
        }
        Ok(self.signals.is_some_and(|signals| signals.signal().is_some()))
    }

    /// Sleeps until a listener has something, and says which; or none, if something else happened
    /// or `limit` has passed.
    fn wait(&mut self, process: &mut dyn Process, limit: Deadline) -> Result<Vec<usize>> {
        let (armed, deadline) = match &self.shortage {
            Some(shortage) => {
                let over = Instant::now() >= shortage.until;
                (over, if over { Deadline::Never } else { Deadline::At(shortage.until) })
            }
            None => (true, Deadline::Never),
        };
        let armed = self.running.places.ask_for_room(&self.door) && armed;
        let held = |(index, one): (usize, &Arc<Entrance>)| one.has_more().then_some(index);
        let held: Vec<_> = self.entrances.iter().enumerate().filter_map(held).collect();
        if armed && !held.is_empty() {
            return Ok(held);
        }
        let deadline = deadline.earlier(limit).earlier(process.due());
        match self.wait_for_any(process, armed, deadline) {
            // To wait takes memory too. Without it there is only sleep.
            Err(error) if is_resource_limit(&error) => {
                if let Some(entrance) = self.entrances.first().cloned() {
                    self.report(&entrance, &error, Some(PAUSE.1));
                }
                sleep(Deadline::After(PAUSE.1));
                Ok(Vec::new())
            }
            answer => answer.map_err(|error| Error::io("wait for connections", error)),
        }
    }

    /// The same, for the listeners only if they are `armed`.
    fn wait_for_any(
        &mut self,
        process: &mut dyn Process,
        armed: bool,
        deadline: Deadline,
    ) -> io::Result<Vec<usize>> {
        let [stop, room, signals] = &self.memories;
        let watch = |target| Watch { target, interest: Interest::READ, ready: false };
        let mut watches = vec![
            watch(stop.target(self.running.switches.stop.fd()?)),
            watch(room.target(self.door.room.fd()?)),
        ];
        watches.extend(self.signals.map(|asked| watch(signals.target(asked.asked()))));
        let foreign = watches.len();
        watches.extend(process.watches());
        let first = watches.len();
        if armed {
            watches.extend(self.entrances.iter().map(|one| one.socket().watch(Interest::READ)));
        }
        match wait_any(&mut watches, deadline) {
            Err(error) if error.kind() != ErrorKind::TimedOut => return Err(error),
            _ => {}
        }
        if watches[1].ready {
            self.door.room.clear();
            if let Some(shortage) = &mut self.shortage {
                shortage.until = Instant::now();
            }
        }
        let foreign: Vec<_> = watches[foreign..first].iter().map(|watch| watch.ready).collect();
        let ready = watches[first..].iter().enumerate().filter(|(_, watch)| watch.ready);
        let ready = ready.map(|(index, _)| index).collect();
        process.attend(&foreign);
        Ok(ready)
    }

    /// Takes what waits at a listener, up to `most` of it; whether there was anything.
    fn take(
        &mut self,
        entrance: &Entrance,
        most: usize,
        process: &mut dyn Process,
    ) -> Result<bool> {
        let mut failures = 0;
        for taken in 0..most {
            let Some(place) = self.running.reserve(&self.door) else { return Ok(taken > 0) };
            if self.running.is_time_called() {
                return Ok(taken > 0);
            }
            let request = match entrance.site.datagrams.is_some() {
                true => self.receive(entrance, place),
                false => self.accept(entrance, place),
            };
            let outcome = match request {
                Ok(Some(request)) => process.process(request),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => self.shortage = None,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(taken > 0),
                Err(error) => match self.failed(entrance, error)? {
                    true => failures += 1,
                    false => return Ok(true),
                },
            }
        }
        if failures == TURN {
            // Whatever it is, it is not about one connection.
            self.rest(entrance);
        }
        Ok(true)
    }

    fn accept(&self, entrance: &Entrance, place: Reservation) -> io::Result<Option<Request>> {
        let service = &entrance.site.service;
        let (socket, peer) = caught(|| service.get_request(entrance.socket()))??;
        Ok(Request::admit(&self.running, &entrance.site, place, Some(socket), peer, None))
    }

    fn receive(&mut self, entrance: &Entrance, place: Reservation) -> io::Result<Option<Request>> {
        let (packet, peer) = match &entrance.batch {
            Some(batch) => locked(batch).next(entrance.socket())?,
            None => {
                let (count, peer) = entrance.socket().recv_from(&mut self.packet)?;
                (self.packet[..count].to_vec(), peer)
            }
        };
        if is_own(&peer, &entrance.site.local) {
            // An answer would come back here, and be answered.
            let (running, site) = (&self.running, &entrance.site);
            Request::turn_away(running, site, peer, Refusal::OwnAddress);
            return Ok(None);
        }
        Ok(Request::admit(&self.running, &entrance.site, place, None, peer, Some(packet)))
    }

    /// After a failed accept: whether to try again at once. An error means that the listener is
    /// broken.
    fn failed(&mut self, entrance: &Entrance, error: io::Error) -> Result<bool> {
        entrance.site.tally.accept_failed();
        let pause = is_resource_limit(&error).then(|| self.rest(entrance));
        if is_broken(&error) {
            return Err(Error::io("accept", error).at(&entrance.site.address));
        }
        self.report(entrance, &error, pause);
        Ok(pause.is_none())
    }

    /// Tells of a failure, unless one has just been told.
    fn report(&mut self, entrance: &Entrance, error: &io::Error, pause: Option<Duration>) {
        let now = Instant::now();
        if self.reported.is_none_or(|last| now.duration_since(last) >= REPORT) {
            self.reported = Some(now);
            let address = &entrance.site.address;
            self.running.tell(&Event::AcceptFailed { address, error, pause });
        }
    }

    /// Lets the listeners rest, longer each time, and turns one connection away if this has been
    /// going on.
    fn rest(&mut self, entrance: &Entrance) -> Duration {
        let now = Instant::now();
        let (since, pause) = match &self.shortage {
            Some(shortage) => (shortage.since, (shortage.pause * 2).min(PAUSE.1)),
            None => (now, PAUSE.0),
        };
        self.shortage = Some(Shortage { since, pause, until: now + pause });
        self.running.places.ask_for_close(&self.door);
        if now.duration_since(since) >= PATIENCE && entrance.site.datagrams.is_none() {
            self.turn_away(entrance);
        }
        pause
    }

    fn turn_away(&mut self, entrance: &Entrance) {
        // A failure here is the shortage itself.
        if self.spare.take().is_some()
            && let Ok((socket, peer)) = entrance.socket().accept()
        {
            drop(socket);
            Request::turn_away(&self.running, &entrance.site, peer, Refusal::Shortage);
        }
        self.spare = File::open("/dev/null").ok();
    }
}

/// Nothing that panics runs under this lock, and only its loop takes it.
fn locked(batch: &Mutex<Datagrams>) -> MutexGuard<'_, Datagrams> {
    batch.lock().unwrap_or_else(PoisonError::into_inner)
}

/// However it ends, the server must know that it brings no more.
impl Drop for AcceptLoop {
    fn drop(&mut self) {
        self.entrances.clear();
        self.running.places.close_to_new();
    }
}

/// Whether a datagram claims to come from the socket it arrived at. From outside, the kernel lets
/// none through that does; but whoever may make up a sender here could have the server talk to
/// itself without end.
fn is_own(peer: &SockAddr, local: &SockAddr) -> bool {
    let (Some(peer), Some(local)) = (peer.as_inet(), local.as_inet()) else { return false };
    let everywhere = local.ip().is_unspecified() && peer.ip().is_loopback();
    peer.port() == local.port() && (peer.ip() == local.ip() || everywhere)
}

/// Whether the listener itself can never work again. `EOPNOTSUPP` says so of a socket that does not
/// listen, which these do; otherwise it is one connection's, see `accept(2)`.
fn is_broken(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let broken = [Errno::BADF, Errno::INVAL, Errno::NOTSOCK, Errno::FAULT];
    error.raw_os_error().is_some_and(|code| broken.iter().any(|errno| errno.raw_os_error() == code))
}
