//! One request from beginning to end: verify, setup, handle, finish, close.
//!
//! The order and the guarantees are socketserver's. `finish` runs after `handle` however that
//! ended, but not after a `setup` that failed. A panic is caught where it comes out of a handler,
//! is told, and closes this one connection; the server goes on.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use coroutine::is_cancel;
use socket::{SockAddr, Socket};

use crate::connection::{Connection, stopping};
use crate::event::{Event, Refusal, Summary};
use crate::handler::Handler;
use crate::listener::Site;
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
        let summary = Summary { id, service, peer, datagram: packet.is_some() };
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
        let summary = Summary { id: running.number(), service, peer, datagram };
        running.tell(&Event::Refused { connection: &summary, why });
    }

    /// What it is.
    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Runs it, in the caller's thread, until it is closed.
    pub(crate) fn run(self) {
        let Request { running, site, summary, mut place, packet } = self;
        let link = place.link();
        let mut connection = match packet {
            None => Connection::stream(running.clone(), site.clone(), link, summary),
            Some(packet) => {
                Connection::datagram(running.clone(), site.clone(), link, summary, packet)
            }
        };
        let service = &site.service;
        if !guarded(|| Ok(service.verify_request(&connection))).unwrap_or(false) {
            connection.hang_up();
            let (connection, why) = (connection.summary(), Refusal::VerifyRequest);
            return running.tell(&Event::Refused { connection, why });
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
            let _ = guarded(|| {
                service.handle_error(&connection, error);
                Ok(())
            });
        }
        let closed = connection.close(outcome, panicked);
        place.give_back();
        closed.tell();
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

/// Runs code that is not ours. After a panic its own data may be half changed, but nobody looks at
/// that again: the handler is dropped and the connection only closed.
fn guarded<T>(code: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(code)).unwrap_or_else(|payload| {
        let failure = match is_cancel(&*payload) {
            // Its engine unwound it because it would not end.
            true => Failure::Error(stopping()),
            false => Failure::Panic(panic_message(&*payload)),
        };
        discard(payload);
        Err(failure)
    })
}

/// Drops what a panic carried. That is not our code either: if it panics, that is caught, and what
/// that one carries is left alone, since it might go on like this for ever.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// What a panic said.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
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
