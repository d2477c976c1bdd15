//! One request from beginning to end: verify, setup, handle, finish, close.
//!
//! The order and the guarantees are socketserver's. `finish` runs after `handle` however that
//! ended, but not after a `setup` that failed. A panic is caught where it comes out of a handler,
//! is told, and closes this one connection; the server goes on.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use coroutine::Remote;
use socket::{SockAddr, Socket};

use crate::caught::{Unwound, caught};
use crate::connection::{Closed, Connection, stopping};
use crate::conversation;
use crate::event::{Event, Refusal, Summary};
use crate::handler::Handler;
use crate::link::Link;
use crate::listener::Site;
use crate::places::Door;
use crate::report::Reporter;
use crate::running::{Place, Reservation, Running};

/// Something a listener received: a connection with its place, or a datagram with its.
pub(crate) struct Request {
    running: Arc<Running>,
    site: Arc<Site>,
    summary: Summary,
    place: Place,
    packet: Option<Vec<u8>>,
}

impl Request {
    /// A connection or a datagram that has been given its place; `None` if it was refused, which is
    /// then told.
    pub(crate) fn admit(
        running: &Arc<Running>,
        site: &Arc<Site>,
        place: Reservation,
        socket: Option<Socket>,
        peer: SockAddr,
        packet: Option<Vec<u8>>,
    ) -> Option<Request> {
        let (id, place) = running.admit(place, site.index, &peer, socket);
        let service = Arc::clone(&site.name);
        let summary =
            Summary { id, listener: site.index, service, peer, datagram: packet.is_some() };
        match place {
            Ok(place) => Some(Request {
                running: Arc::clone(running),
                site: Arc::clone(site),
                summary,
                place,
                packet,
            }),
            Err(why) => {
                running.tell(&Event::Refused { connection: &summary, why });
                None
            }
        }
    }

    /// Tells of somebody who was given no place.
    pub(crate) fn turn_away(running: &Running, site: &Site, peer: SockAddr, why: Refusal) {
        let service = Arc::clone(&site.name);
        let datagram = site.datagrams.is_some();
        let summary =
            Summary { id: running.number(), listener: site.index, service, peer, datagram };
        running.tell(&Event::Refused { connection: &summary, why });
    }

    /// What it is.
    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Whether it is a datagram.
    pub(crate) fn is_datagram(&self) -> bool {
        self.packet.is_some()
    }

    /// Its right to be open, kept while it runs in another process.
    pub(crate) fn into_place(self) -> Place {
        self.place
    }

    /// Has it count for a worker with fewer connections, if there is one, and says which.
    pub(crate) fn spread(&mut self) -> Option<Remote> {
        self.running.spread(&mut self.place)
    }

    /// Has it count at this door.
    pub(crate) fn move_to(&mut self, door: Arc<Door>) {
        self.place.move_to(door);
    }

    /// The connection that has the place.
    pub(crate) fn link(&self) -> Arc<Link> {
        self.place.link()
    }

    /// Runs it, in the caller's thread, until it is closed.
    pub(crate) fn run(self: Box<Self>) {
        let (place, closed) = self.live();
        end(place, closed);
    }

    /// Runs a datagram, in the caller's thread, until it is closed, or until all that is left is to
    /// send its answer.
    pub(crate) fn run_in_line(self) -> Option<Unsent> {
        let (site, running) = (Arc::clone(&self.site), Arc::clone(&self.running));
        let (mut connection, place) = match self.open() {
            Ok(opened) => opened,
            Err(place) => {
                end(place, None);
                return None;
            }
        };
        let outcome = guarded(|| life(&mut *site.service.handler(), &mut connection));
        let (outcome, panicked) = judge(&connection, &site, &running, outcome);
        if connection.answer_to_send().is_none() {
            end(place, Some(connection.close(outcome, panicked)));
            return None;
        }
        Some(Unsent { connection, outcome, panicked, place })
    }

    /// Runs it on a coroutine, until it is closed or can be continued by another.
    pub(crate) fn run_in_coroutine(self: Box<Self>) {
        let requests = match self.packet {
            None => caught(|| self.site.service.requests()).unwrap_or(None),
            Some(_) => None,
        };
        match requests {
            None => self.run(),
            Some(requests) => match opened(self) {
                Ok((connection, place)) => conversation::begin(connection, place, requests),
                Err(place) => end(place, None),
            },
        }
    }

    /// Runs it in a child that was forked for it, whose parent keeps the place.
    pub(crate) fn run_for(self, parent: Arc<Reporter>) {
        self.running.teller.report_to_parent(parent);
        let (place, closed) = Box::new(self).live();
        closed.inspect(Closed::tell);
        std::mem::forget(place);
    }

    /// The connection, verified and told of; only the place, if it is refused.
    #[inline(never)]
    fn open(self) -> Result<(Connection, Place), Place> {
        let Request { running, site, summary, place, packet } = self;
        let link = place.link();
        let connection = match packet {
            None => Connection::stream(running.clone(), site.clone(), link, summary),
            Some(packet) => {
                Connection::datagram(running.clone(), site.clone(), link, summary, packet)
            }
        };
        if !caught(|| site.service.verify_request(&connection)).unwrap_or(false) {
            connection.hang_up();
            let (connection, why) = (connection.summary(), Refusal::VerifyRequest);
            running.tell(&Event::Refused { connection, why });
            return Err(place);
        }
        running.tell(&Event::Opened { connection: connection.summary() });
        connection.tell_packet();
        Ok((connection, place))
    }

    /// Its whole life, and what there is to tell of its end, unless it was refused.
    #[inline(never)]
    fn live(self: Box<Self>) -> (Place, Option<Closed>) {
        let (site, running) = (Arc::clone(&self.site), Arc::clone(&self.running));
        let (mut connection, place) = match opened(self) {
            Ok(opened) => opened,
            Err(place) => return (place, None),
        };
        let outcome = guarded(|| life(&mut *site.service.handler(), &mut connection));
        (place, Some(close(connection, &site, &running, outcome)))
    }
}

/// The connection of a request. The memory of the request is free as soon as it is there, and not
/// only when whoever calls this is done.
#[expect(clippy::boxed_local, reason = "see above")]
#[inline(never)]
fn opened(request: Box<Request>) -> Result<(Connection, Place), Place> {
    (*request).open()
}

/// Gives the place back and tells of the end.
pub(crate) fn end(mut place: Place, closed: Option<Closed>) {
    if let Some(closed) = closed {
        place.give_back();
        closed.tell();
    }
}

/// Closes a connection after its handler.
pub(crate) fn close(
    connection: Connection,
    site: &Site,
    running: &Running,
    outcome: Result<(), Failure>,
) -> Closed {
    let (outcome, panicked) = judge(&connection, site, running, outcome);
    connection.close(outcome, panicked)
}

/// Tells of a handler's failure; its error, and whether that was a panic.
fn judge(
    connection: &Connection,
    site: &Site,
    running: &Running,
    outcome: Result<(), Failure>,
) -> (io::Result<()>, bool) {
    let (outcome, panicked) = match outcome {
        Ok(()) => (Ok(()), false),
        Err(Failure::Error(error)) => (Err(error), false),
        Err(Failure::Panic(message)) => {
            let connection = connection.summary();
            running.tell(&Event::Panicked { connection, message: &message });
            (Err(io::Error::other(message)), true)
        }
    };
    if let Err(error) = &outcome {
        // Its own panic has nowhere further to go.
        let _ = caught(|| site.service.handle_error(connection, error));
    }
    (outcome, panicked)
}

/// A datagram whose handler is done, and whose answer has not been sent.
pub(crate) struct Unsent {
    connection: Connection,
    outcome: io::Result<()>,
    panicked: bool,
    place: Place,
}

impl Unsent {
    /// What is to be sent.
    pub(crate) fn answer(&self) -> &[u8] {
        self.connection.answer_to_send().unwrap_or_default()
    }

    /// To whom.
    pub(crate) fn peer(&self) -> &SockAddr {
        self.connection.peer_address()
    }

    /// By which socket.
    pub(crate) fn socket(&self) -> &Socket {
        self.connection.socket()
    }

    /// When its request began.
    pub(crate) fn opened(&self) -> Instant {
        self.connection.opened()
    }

    /// Closes it. `sent` is what became of the answer; `None`: it is still to be sent.
    pub(crate) fn end(self, sent: Option<io::Result<()>>) {
        let Unsent { mut connection, outcome, panicked, place } = self;
        let sent = sent.map_or(Ok(()), |sent| connection.answer_sent(sent));
        end(place, Some(connection.close(outcome.and(sent), panicked)));
    }
}

/// The three steps of a handler.
fn life(handler: &mut dyn Handler, connection: &mut Connection) -> Result<(), Failure> {
    // Caught before the handler is dropped, since a panic in that, too, would end the process.
    guarded(|| Ok(handler.setup(connection)?))?;
    let handled = guarded(|| Ok(handler.handle(connection)?));
    let finished = guarded(|| Ok(handler.finish(connection)?));
    handled.and(finished)
}

/// How a handler fails.
pub(crate) enum Failure {
    Error(io::Error),
    Panic(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Error(error)
    }
}

/// Runs a step of a handler.
pub(crate) fn guarded<T>(step: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    caught(step).unwrap_or_else(|unwound| {
        Err(match unwound {
            // Its engine unwound it because it would not end.
            Unwound::Cancelled => Failure::Error(stopping()),
            Unwound::Panicked(message) => Failure::Panic(message),
        })
    })
}

/// How to tell that a request was refused, kept apart from it because the request itself may be
/// gone by then.
pub(crate) struct RefusedForShortage {
    running: Arc<Running>,
    summary: Summary,
}

impl RefusedForShortage {
    pub(crate) fn tell(&self) {
        let (connection, why) = (&self.summary, Refusal::Shortage);
        self.running.tell(&Event::Refused { connection, why });
    }
}

impl Request {
    /// What to tell if there is nothing to run it on.
    pub(crate) fn refusal(&self) -> RefusedForShortage {
        RefusedForShortage { running: Arc::clone(&self.running), summary: self.summary.clone() }
    }
}
