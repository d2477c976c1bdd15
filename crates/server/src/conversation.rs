//! A connection that goes request by request: on a stack while there is something to do, and in a
//! box between two requests when they are far apart.
//!
//! ```text
//!   Conversation ── idle for long ──► Idle ══ a byte, an end ══► Conversation
//!   (on the stack of a coroutine)   (a box, and nothing else)   (on another)
//! ```
//! While it has a stack, it stands on that, in a page that is there anyway. The box holds what
//! cannot be found out again, so that ten thousand that say nothing cost little.
//!
//! What it deliberately does not know: what a connection can do without, see
//! `connection/parking.rs`.

use std::io;

use coroutine::Dormant;
use socket::Interest;

use crate::connection::{Connection, Kept};
use crate::handler::Requests;
use crate::request::{self, Failure, end, guarded};
use crate::running::Place;

/// All of it.
struct Conversation {
    connection: Connection,
    requests: Box<dyn Requests>,
    place: Place,
}

/// The same without a stack.
struct Idle {
    kept: Kept,
    requests: Box<dyn Requests>,
    place: Place,
    /// Until when its wait may last.
    until: u64,
}

/// What a conversation comes to, on one stack.
enum Turn {
    Over,
    /// It has been idle for long, and may be until then.
    Idle(u64),
}

/// Runs it until it is over or has no stack any more.
#[inline(never)]
pub(crate) fn begin(connection: Connection, place: Place, requests: Box<dyn Requests>) {
    let mut all = Some(Conversation { connection, requests, place });
    match all.as_mut().map_or(Ok(()), Conversation::set_up) {
        Ok(()) => go_on(&mut all, Ok(())),
        Err(failure) => close(&mut all, Err(failure)),
    }
}

/// Goes on where a wait has ended in which it had no stack.
#[inline(never)]
fn wake(idle: Box<Idle>) {
    let until = idle.until;
    let mut all = Some(idle.take_up());
    let woken = all.as_mut().map_or(Ok(()), |all| all.unpark(until));
    go_on(&mut all, woken);
}

/// Answers requests until there are no more, or none for long. All of it stays where it is
/// meanwhile: a page of stack is soon full of copies.
fn go_on(all: &mut Option<Conversation>, mut woken: Result<(), Failure>) {
    while let Some(conversation) = all {
        match woken.and_then(|()| conversation.answer()) {
            Ok(Turn::Idle(until)) => {
                if conversation.connection.park(until) && leave(all, until) {
                    return;
                }
                woken = all.as_mut().map_or(Ok(()), |all| all.unpark(until));
            }
            Ok(Turn::Over) => return finish(all, Ok(())),
            Err(failure) => return finish(all, Err(failure)),
        }
    }
}

/// Leaves this stack; false where it cannot.
#[inline(never)]
fn leave(all: &mut Option<Conversation>, until: u64) -> bool {
    let Some(Conversation { connection, requests, place }) = all.take() else { return true };
    let link = place.link();
    let idle = Box::new(Idle { kept: connection.keep(), requests, place, until });
    let stays = match &link.socket {
        Some(socket) => coroutine::when_readable(socket.watch(Interest::READ), idle).err(),
        None => Some(idle),
    };
    *all = stays.map(Idle::take_up);
    all.is_none()
}

#[inline(never)]
fn finish(all: &mut Option<Conversation>, handled: Result<(), Failure>) {
    let finished = all.as_mut().map_or(Ok(()), Conversation::finish);
    close(all, handled.and(finished));
}

#[inline(never)]
fn close(all: &mut Option<Conversation>, outcome: Result<(), Failure>) {
    let Some(Conversation { connection, requests, place }) = all.take() else { return };
    let (site, running) = connection.belongs_to();
    let dropped = guarded(|| {
        drop(requests);
        Ok(())
    });
    let closed = request::close(connection, &site, &running, outcome.and(dropped));
    end(place, Some(closed));
}

impl Conversation {
    fn set_up(&mut self) -> Result<(), Failure> {
        self.connection.let_park();
        // Caught before the handler is dropped, since a panic in that, too, would end the process.
        guarded(|| Ok(self.requests.setup(&mut self.connection)?))
    }

    /// Requests, as long as they come and longer than one can do without a stack.
    fn answer(&mut self) -> Result<Turn, Failure> {
        loop {
            let turn = guarded(|| Ok(turn(&mut *self.requests, &mut self.connection)?))?;
            if matches!(turn, Turn::Over) || self.connection.may_park() {
                return Ok(turn);
            }
        }
    }

    fn unpark(&mut self, until: u64) -> Result<(), Failure> {
        Ok(self.connection.unpark(until)?)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        guarded(|| Ok(self.requests.finish(&mut self.connection)?))
    }
}

impl Idle {
    #[expect(clippy::boxed_local, reason = "the box is free when this is done")]
    fn take_up(self: Box<Idle>) -> Conversation {
        let Idle { kept, requests, place, .. } = *self;
        Conversation { connection: kept.take_up(&place), requests, place }
    }
}

impl Dormant for Idle {
    fn name(&self) -> String {
        self.kept.name(&self.place)
    }

    fn wake(self: Box<Self>) {
        wake(self);
    }
}

/// Requests, as long as they come.
fn turn(requests: &mut dyn Requests, connection: &mut Connection) -> io::Result<Turn> {
    let goes_on = requests.answer_all(connection)?;
    let idle = connection.take_idle().filter(|_| goes_on);
    Ok(idle.map_or(Turn::Over, Turn::Idle))
}
