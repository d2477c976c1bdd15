//! The sending end of a connection, for others than its handler.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, Weak};

use coroutine::sync::Mutex;
use socket::Deadline;

use super::{Connection, stopping};
use crate::link::Link;

/// Sends to a connection from anywhere: from what runs beside its handler, from the handlers of
/// other connections, from a thread of the program. Cheap to clone.
///
/// What is given to one [`send`](Writer::send) arrives in one piece: two writers, or a writer and
/// the handler, never interleave. It does not keep the connection open: after its end every call
/// fails with `BrokenPipe`. A peer that does not read makes `send` wait, up to the connection's
/// write deadline, and is cut off then, since a piece of which only a part was sent cannot be
/// mended. So whoever sends to many gives each a task and a bounded queue of its own.
#[derive(Clone)]
pub struct Writer {
    sending: Arc<Sending>,
}

/// What all writers of a connection share with its handler.
pub(super) struct Sending {
    link: Weak<Link>,
    /// Whose turn it is. Held while sending, so it parks coroutines instead of blocking workers.
    turn: Mutex<()>,
    deadline: Deadline,
    /// The limit that somebody cut it off for.
    pub(super) over: OnceLock<&'static str>,
    pub(super) sent: AtomicU64,
}

impl Sending {
    /// Sends all of it, in one piece.
    pub(super) fn send(&self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        let _turn = self.turn.lock();
        let link = self.link.upgrade().ok_or(ErrorKind::BrokenPipe)?;
        let socket = link.socket.as_ref().ok_or(ErrorKind::BrokenPipe)?;
        let outcome = match link.is_cut() {
            true => Err(stopping()),
            false => socket.send_all_by(bytes, deadline),
        };
        match &outcome {
            Ok(()) => drop(self.sent.fetch_add(bytes.len() as u64, Relaxed)),
            // It is gone, or what it got has no end.
            Err(_) => drop(socket.shutdown(Shutdown::Both)),
        }
        outcome
    }
}

impl Writer {
    /// Sends all of `bytes`, in one piece, now.
    ///
    /// # Errors
    /// `BrokenPipe` after the end of the connection; `TimedOut` when the peer took too long, after
    /// which it is cut off; otherwise as [`Socket::send_all`](socket::Socket::send_all).
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.sending.send(bytes, self.sending.deadline)
    }

    /// Ends the connection because of a limit of the protocol's own: too much waits to be sent to a
    /// peer that does not read. Every call on it fails from now on, and its close is told as
    /// [`OverLimit`](crate::CloseReason::OverLimit) with that name.
    pub fn cut_off(&self, limit: &'static str) {
        // The first who says so has said why.
        let _ = self.sending.over.set(limit);
        if let Some(link) = self.sending.link.upgrade() {
            link.cut();
        }
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
        f.debug_struct("Writer").field("sent", &self.sending.sent).finish_non_exhaustive()
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
        if self.sending.is_none() {
            self.sending = Some(Arc::new(Sending {
                link: Arc::downgrade(&self.link),
                turn: Mutex::new(()),
                deadline: self.clocks.send().0,
                over: OnceLock::new(),
                sent: AtomicU64::new(0),
            }));
        }
        let sending = self.sending.as_ref().expect("made just above");
        Ok(Writer { sending: Arc::clone(sending) })
    }
}
