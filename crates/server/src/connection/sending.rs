//! What the writers of a connection share with its handler: whose turn it is, and what is queued.
//!
//! ```text
//!   send ──► turn ──► what is queued, then this: waits for the socket        ── taken
//!   post ──► queue ─┬─► an outbox, or the caller: what the socket takes at once
//!                   └─► and where it is full: a carrier, which waits for its turn like `send`
//! ```
//! One lock holds the queue. Sends that do not wait are made under it; who waits says first that
//! the socket is taken, so there is never more than one in it and messages keep their order.
//! Whoever lets go of the queue with something in it has it listed, unless it is.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::ops::Deref;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, OnceLock, PoisonError};

use coroutine::Builder;
use coroutine::sync::Mutex;
use socket::{Deadline, Socket};

use super::queue::{Piece, Queue};
use super::stopping;
use crate::link::Link;
use crate::outbox::Outbox;

/// What all writers of a connection share with its handler.
pub(crate) struct Sending {
    queue: StdMutex<Queue>,
    limit_queue: usize,
    /// Each message is one of the socket's, too.
    pub(super) apart: bool,
    /// Who sees to the queue; `None` where there are no workers: whoever posts.
    outbox: Option<Arc<Outbox>>,
    /// Whose turn it is to send and wait. It parks coroutines instead of blocking workers.
    pub(super) turn: Mutex<()>,
    deadline: Deadline,
    /// What its carrier is called.
    name: String,
    /// The limit that somebody cut it off for.
    pub(super) over: OnceLock<&'static str>,
}

impl Sending {
    /// Sends all of `bytes`, in one piece, within the connection's write deadline.
    pub(super) fn send_in_time(self: &Arc<Self>, bytes: &[u8]) -> io::Result<()> {
        self.send(bytes, self.deadline)
    }

    /// Sends what is queued and then all of `bytes`, in one piece.
    pub(super) fn send(self: &Arc<Self>, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        self.send_after_queue(Some(bytes), deadline)
    }

    fn send_after_queue(
        self: &Arc<Self>,
        bytes: Option<&[u8]>,
        deadline: Deadline,
    ) -> io::Result<()> {
        let _turn = self.turn.lock();
        let Some(taken) = Taken::new(self) else {
            // After the end nothing is queued.
            return bytes.map_or(Ok(()), |_| Err(ErrorKind::BrokenPipe.into()));
        };
        let socket = taken.link.socket.as_ref().ok_or(ErrorKind::BrokenPipe)?;
        let mut outcome = match taken.link.is_cut() {
            true => Err(stopping()),
            false => self.send_queued(socket, deadline),
        };
        if let (Ok(()), Some(bytes)) = (&outcome, bytes) {
            outcome = socket.send_all_by(bytes, deadline);
            if outcome.is_ok() {
                self.queue().sent += bytes.len() as u64;
            }
        }
        if let Err(error) = &outcome {
            // It is gone, or what it got has no end. A deadline that passed is the connection's
            // end, too, whoever has sent.
            let mut queue = self.queue();
            match super::is_deadline(error) {
                true => queue.fail(super::timed_out()),
                false => queue.close(),
            }
            drop(queue);
            drop(socket.shutdown(Shutdown::Both));
        }
        outcome
    }

    /// Sends what is in the queue now, and waits for it.
    fn send_queued(&self, socket: &Socket, deadline: Deadline) -> io::Result<()> {
        let mut left = self.queue().len();
        let mut buffer = Vec::new();
        while left > 0 {
            let Some(piece) = self.queue().next(&mut buffer, self.apart) else { break };
            let (bytes, count) = match &piece {
                Piece::One(message, from) => (&message[*from..], 1),
                Piece::Gathered(count) => (&buffer[..], *count),
            };
            socket.send_all_by(bytes, deadline)?;
            let mut queue = self.queue();
            queue.sent += bytes.len() as u64;
            queue.remove(count);
            left = left.saturating_sub(count);
        }
        Ok(())
    }

    /// See [`Writer::post`](super::Writer::post).
    pub(super) fn post(self: &Arc<Self>, message: &Arc<[u8]>) -> bool {
        let mut queue = self.queue();
        if queue.closed {
            return false;
        }
        let has_room = |queue: &Queue| queue.has_room(message.len(), self.limit_queue);
        if !has_room(&queue) {
            // Perhaps only nobody has come to look at it yet.
            queue = self.after_outbox(queue);
            if !queue.taken {
                queue.send_now(&mut Vec::new(), self.apart);
            }
        }
        if queue.closed {
            return false;
        }
        if !has_room(&queue) {
            drop(queue);
            self.cut_off("queue");
            return false;
        }
        queue.push(Arc::clone(message));
        self.have_seen_to(queue);
        true
    }

    /// Sees to it that somebody looks at the queue, if there is anything in it.
    fn have_seen_to(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>) {
        if queue.listed || queue.taken || queue.is_empty() {
            return;
        }
        queue.listed = true;
        match &self.outbox {
            None => self.look(queue, &mut Vec::new()),
            Some(outbox) => {
                drop(queue);
                outbox.list(Arc::clone(self));
            }
        }
    }

    /// Sees to the queue, which is listed.
    pub(super) fn see_to(self: &Arc<Self>, buffer: &mut Vec<u8>) {
        self.look(self.queue(), buffer);
    }

    pub(super) fn look(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>, buffer: &mut Vec<u8>) {
        let done = queue.taken || queue.send_now(buffer, self.apart);
        self.looked(queue, done);
    }

    /// After a look, which was all there is to be done, or has found the socket full.
    pub(super) fn looked(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>, done: bool) {
        if done {
            queue.listed = false;
            return;
        }
        let sending = Arc::clone(self);
        match Builder::new().name(self.name.clone()).spawn(move || sending.carry()) {
            Ok(carrier) => queue.carrier = Some(carrier),
            // Nobody can wait for it.
            Err(_) => {
                drop(queue);
                self.cut_off("queue");
            }
        }
    }

    /// Sends what is queued, and waits for it, until nothing is.
    fn carry(self: Arc<Self>) {
        loop {
            let outcome = self.send_after_queue(None, self.deadline);
            let mut queue = self.queue();
            if let Err(error) = outcome {
                queue.fail(error);
            }
            if queue.is_empty() {
                queue.listed = false;
                return;
            }
        }
    }

    /// Takes nothing more, sends what is left, and answers the first failure of what nobody has
    /// waited for.
    pub(super) fn finish(self: &Arc<Self>, deadline: Deadline) -> io::Result<()> {
        let mut queue = self.queue();
        queue.closed = true;
        let rest = !queue.is_empty();
        drop(queue);
        let outcome = if rest { self.send_after_queue(None, deadline) } else { Ok(()) };
        let mut queue = self.queue();
        queue.close();
        let carrier = queue.carrier.take();
        drop(queue);
        if let Some(carrier) = carrier {
            // It has nothing left to send. If this coroutine is cancelled, so is that one.
            let _ = carrier.join();
        }
        let failure = self.queue().failure.take();
        failure.map_or(outcome, Err)
    }

    /// See [`Writer::cut_off`](super::Writer::cut_off).
    pub(super) fn cut_off(&self, limit: &'static str) {
        // The first who says so has said why.
        let _ = self.over.set(limit);
        let mut queue = self.queue();
        let link = queue.link.take();
        queue.close();
        drop(queue);
        if let Some(link) = link {
            link.cut();
        }
    }

    /// Bytes sent so far, otherwise than by a handler that has no writers.
    pub(super) fn sent(&self) -> u64 {
        self.queue().sent
    }

    /// Words from here and there of it, for whoever wants it in the caches.
    #[inline]
    pub(super) fn extent(&self) -> usize {
        self.limit_queue.wrapping_add(self.name.len())
    }

    /// Nothing that panics runs under this lock.
    #[inline]
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's own hold of it: with the connection its socket goes, whoever has writers.
pub(super) struct Held(Arc<Sending>);

impl Held {
    /// For a connection over `link`.
    pub(super) fn new(
        link: Arc<Link>,
        name: String,
        apart: bool,
        limit_queue: usize,
        deadline: Deadline,
    ) -> Held {
        Held(Arc::new(Sending {
            queue: StdMutex::new(Queue::new(link)),
            limit_queue,
            apart,
            outbox: Outbox::here(),
            turn: Mutex::new(()),
            deadline,
            name,
            over: OnceLock::new(),
        }))
    }
}

impl Deref for Held {
    type Target = Arc<Sending>;

    fn deref(&self) -> &Arc<Sending> {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.queue().close();
    }
}

/// The right to send and wait, until it is dropped.
struct Taken<'a> {
    sending: &'a Arc<Sending>,
    link: Arc<Link>,
}

impl<'a> Taken<'a> {
    /// `None` after the end of the connection.
    fn new(sending: &'a Arc<Sending>) -> Option<Taken<'a>> {
        let mut queue = sending.queue();
        let link = queue.link.clone()?;
        queue.taken = true;
        Some(Taken { sending, link })
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut queue = self.sending.queue();
        queue.taken = false;
        // One that unwinds can start nothing; whoever posts next can.
        if !std::thread::panicking() {
            self.sending.have_seen_to(queue);
        }
    }
}
