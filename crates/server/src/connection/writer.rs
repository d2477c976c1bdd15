//! The sending end of a connection, for others than its handler.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use super::Connection;
use super::sending::{Held, Sending};

/// Sends to a connection from anywhere: from what runs beside its handler, from the handlers of
/// other connections, from a thread of the program. Cheap to clone.
///
/// What is given to one [`send`](Writer::send) or [`post`](Writer::post) arrives in one piece: two
/// writers, or a writer and the handler, never interleave, and what was posted before something was
/// sent arrives before it. It does not keep the connection open: after its end every call fails.
///
/// * `send` waits for a peer that does not read, up to the connection's write deadline.
/// * `post` never waits. What waits is the message, in a queue of the connection's own.
///
/// A peer that takes too long, or whose queue is full, is cut off, since a piece of which only a
/// part was sent cannot be mended.
#[derive(Clone)]
pub struct Writer {
    sending: Arc<Sending>,
}

impl Writer {
    /// Sends all of `bytes`, in one piece, now.
    ///
    /// # Errors
    /// `BrokenPipe` after the end of the connection; `TimedOut` when the peer took too long, after
    /// which it is cut off; otherwise as [`Socket::send_all`](socket::Socket::send_all).
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.sending.send_in_time(bytes)
    }

    /// Queues `message`, by reference, and has it sent soon. Never waits: the way to say one thing
    /// to many, of whom some may not listen.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use switchboard::Writer;
    ///
    /// fn say_to_all(members: &Mutex<Vec<Writer>>, text: &str) {
    ///     let message = Arc::from(text.as_bytes());
    ///     // Those who are gone, or cut off, are let go of.
    ///     members.lock().unwrap().retain(|member| member.post(&message));
    /// }
    /// ```
    /// On a worker it is sent when the handlers of its turn have said what they have to say, and
    /// several messages for one connection leave in one call; elsewhere the caller sends what the
    /// socket takes. A peer that does not keep up costs its queue, of at most
    /// [`limit_queue`](crate::Guards::limit_queue); when that is full the connection is cut off,
    /// and its close is told as [`OverLimit`](crate::CloseReason::OverLimit) `queue`. When the
    /// handler has returned, what is queued is sent before the connection is closed.
    ///
    /// Answers whether it was queued: false after the end of the connection, of which this may be
    /// the reason. As with everything that is sent, that says nothing of its arrival.
    ///
    /// Memory is what is shared: handlers that run in processes of their own post to connections
    /// of their own process only.
    pub fn post(&self, message: &Arc<[u8]>) -> bool {
        self.sending.post(message)
    }

    /// Ends the connection because of a limit of the protocol's own: too much waits to be sent to a
    /// peer that does not read. Every call on it fails from now on, and its close is told as
    /// [`OverLimit`](crate::CloseReason::OverLimit) with that name.
    pub fn cut_off(&self, limit: &'static str) {
        self.sending.cut_off(limit);
    }
}

/// Each `write` is one piece.
impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("sent", &self.sending.sent()).finish_non_exhaustive()
    }
}

impl Connection {
    /// The sending end of this connection, to be given to others.
    ///
    /// # Errors
    /// `Unsupported` for a datagram, which is answered with [`reply`](Connection::reply).
    pub fn writer(&mut self) -> io::Result<Writer> {
        if self.is_datagram() {
            return Err(ErrorKind::Unsupported.into());
        }
        self.go_the_long_way();
        let sending = self.sending.get_or_insert_with(|| {
            let link = Arc::clone(&self.link);
            let name = format!("{} queue", self.summary);
            let limit_queue = self.running.guards.limit_queue;
            Held::new(link, name, self.site.messages, limit_queue, self.clocks.send().0)
        });
        Ok(Writer { sending: Arc::clone(sending) })
    }

    /// After the handler: sends what is queued, and lets nothing more in.
    pub(super) fn finish_queue(&mut self) -> io::Result<()> {
        let Some(sending) = &self.sending else { return Ok(()) };
        let (deadline, guard) = self.clocks.send();
        let answer = sending.finish(deadline);
        self.check(answer, guard)
    }
}
