//! Many connections seen to at once: where the driver makes many sends in one call, their first
//! messages are handed over to it together.
//!
//! ```text
//!   hand over: lock ─► take the turn, say that it is taken ─► unlock     each of them
//!   send_each                                                            no lock is held
//!   answered:  lock ─► note what was sent, send what is left ─► unlock   each of them
//! ```
//! The thread sends for a good while, and no other thread that posts meanwhile has to wait for it:
//! so no queue is locked over that, but taken, as it is by who waits for its socket. The link and
//! the message are kept, whatever becomes of the connection in between.
//!
//! Of more than one small message, which leave in one piece, nothing is handed over: they are sent
//! on the spot, since their copy is in the cache then.

use std::hint::black_box;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, MutexGuard};

use coroutine::sync::MutexGuard as Turn;
use coroutine::{send_each, sends_together};

use super::queue::Queue;
use super::sending::Sending;
use crate::link::Link;

/// How many are worth being seen to in one turn: as many sends as a ring takes in one call, and
/// otherwise as many as a coroutine may make on sockets.
pub(crate) fn at_once() -> usize {
    if sends_together() { 256 } else { 64 }
}

/// Sees to the queues of all of them, which are listed.
pub(crate) fn see_to_each(some: &[Arc<Sending>], buffer: &mut Vec<u8>) {
    fetch(some);
    if some.len() == 1 || !sends_together() {
        return some.iter().for_each(|sending| sending.see_to(buffer));
    }
    let handed: Vec<_> = some.iter().filter_map(|sending| sending.hand_over(buffer)).collect();
    let sends: Vec<_> = handed.iter().map(Handed::send).collect();
    let answers = send_each(&sends);
    for (handed, answer) in handed.into_iter().zip(answers) {
        handed.answered(answer, buffer);
    }
}

/// Reads a little of each. With many members that has left the caches since the message before; and
/// behind the atomic step of a lock a processor fetches nothing ahead, so each would be waited for
/// by itself.
fn fetch(some: &[Arc<Sending>]) {
    black_box(some.iter().fold(0, |sum, one| sum ^ one.extent() ^ Arc::strong_count(one)));
}

/// A message that is being sent.
struct Handed<'a> {
    sending: &'a Arc<Sending>,
    link: Arc<Link>,
    message: Arc<[u8]>,
    from: usize,
    turn: Turn<'a, ()>,
}

impl Handed<'_> {
    fn send(&self) -> (BorrowedFd<'_>, &[u8]) {
        let socket = self.link.socket.as_ref().expect("it was handed over with a socket");
        (socket.as_fd(), &self.message[self.from..])
    }

    /// Goes on with what came of it.
    fn answered(self, answer: io::Result<usize>, buffer: &mut Vec<u8>) {
        let bytes = self.message.len() - self.from;
        let mut queue = self.sending.queue();
        (queue.taken, queue.handed) = (false, false);
        let done = queue.note(answer, bytes, 1) && queue.send_now(buffer, self.sending.apart);
        self.sending.looked(queue, done);
        drop(self.turn);
    }
}

impl Sending {
    /// Takes the queue, for one message of it. `None`: it has been seen to.
    fn hand_over<'a>(self: &'a Arc<Self>, buffer: &mut Vec<u8>) -> Option<Handed<'a>> {
        let mut queue = self.queue();
        match self.first_alone(&queue) {
            Some(handed) => {
                (queue.taken, queue.handed) = (true, true);
                Some(handed)
            }
            None => {
                self.look(queue, buffer);
                None
            }
        }
    }

    /// The first message, if it is sent by itself, and nobody sends.
    fn first_alone<'a>(self: &'a Arc<Self>, queue: &Queue) -> Option<Handed<'a>> {
        let link = queue.link.as_ref().filter(|link| link.socket.is_some() && !queue.taken)?;
        let (message, from) = queue.first_alone(self.apart)?;
        let turn = self.turn.try_lock()?;
        Some(Handed { sending: self, link: Arc::clone(link), message, from, turn })
    }

    /// The queue when its outbox does not send. That does not wait, but for the processor.
    #[cold]
    pub(super) fn after_outbox<'a>(
        &'a self,
        mut queue: MutexGuard<'a, Queue>,
    ) -> MutexGuard<'a, Queue> {
        while queue.handed {
            drop(queue);
            std::thread::yield_now();
            queue = self.queue();
        }
        queue
    }
}
