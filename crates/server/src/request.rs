//! One request from beginning to end: verify, setup, handle, finish, close.
//!
//! The order and the guarantees are socketserver's. `finish` runs after `handle` however that
//! ended, but not after a `setup` that failed. A panic is caught where it comes out of a handler,
//! is told, and closes this one connection; the server goes on.

use std::io;
use std::sync::Arc;

use socket::{SockAddr, Socket};

use crate::caught::{Unwound, caught};
use crate::connection::{Closed, Connection, stopping};
use crate::event::{Event, Refusal, Summary};
use crate::handler::Handler;
use crate::link::Link;
use crate::listener::Site;
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
        let (id, place) = running.admit(place, &peer, socket);
        let service = site.service.name().to_owned();
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
        let service = site.service.name().to_owned();
        let datagram = site.datagrams.is_some();
        let summary =
            Summary { id: running.number(), listener: site.index, service, peer, datagram };
        running.tell(&Event::Refused { connection: &summary, why });
    }

    /// What it is.
    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Its right to be open, kept while it runs in another process.
    pub(crate) fn into_place(self) -> Place {
        self.place
    }

    /// The connection that has the place.
    pub(crate) fn link(&self) -> Arc<Link> {
        self.place.link()
    }

    /// Runs it, in the caller's thread, until it is closed.
    pub(crate) fn run(self) {
        let (mut place, closed) = self.live();
        if let Some(closed) = closed {
            place.give_back();
            closed.tell();
        }
    }

    /// Runs it in a child that was forked for it, whose parent keeps the place.
    pub(crate) fn run_for(self, parent: Arc<Reporter>) {
        self.running.teller.report_to_parent(parent);
        let (place, closed) = self.live();
        closed.inspect(Closed::tell);
        std::mem::forget(place);
    }

    /// Its whole life, and what there is to tell of its end, unless it was refused.
    fn live(self) -> (Place, Option<Closed>) {
        let Request { running, site, summary, place, packet } = self;
        let link = place.link();
        let mut connection = match packet {
            None => Connection::stream(running.clone(), site.clone(), link, summary),
            Some(packet) => {
                Connection::datagram(running.clone(), site.clone(), link, summary, packet)
            }
        };
        let service = &site.service;
        if !caught(|| service.verify_request(&connection)).unwrap_or(false) {
            connection.hang_up();
            let (connection, why) = (connection.summary(), Refusal::VerifyRequest);
            running.tell(&Event::Refused { connection, why });
            return (place, None);
        }
        running.tell(&Event::Opened { connection: connection.summary() });
        connection.tell_packet();
        let outcome = guarded(|| life(&mut *service.handler(), &mut connection));
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
            let _ = caught(|| service.handle_error(&connection, error));
        }
        (place, Some(connection.close(outcome, panicked)))
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
enum Failure {
    Error(io::Error),
    Panic(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Error(error)
    }
}

/// Runs a step of a handler.
fn guarded<T>(step: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
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
