//! An open connection as seen from outside its handler: what it waits for, and how to end that.
//!
//! A handler that waits for its peer says so in one word, with the moment until which it may wait.
//! Others end the waiting by changing the word and shutting the reading side down, which wakes the
//! handler with an end of input; the word tells it what that meant. A deadline thus costs a store
//! and a swap for each read, where a timer in the kernel would cost more than the rest of our code.
//!
//! The word and its rules are in `waiting.rs`; this file adds the socket.
//!
//! Whoever ends a waiting changes the word first, and only the one whose change counted shuts the
//! reading side down. So a handler whose wait was over by then keeps its connection whole, and one
//! that received something at the very moment learns that the rest of it cannot follow.
//!
//! Where the handler runs in a process of its own, the words lie in memory that both see, and
//! shutting down acts on the connection itself, whoever has a descriptor of it.

use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use socket::process::SharedWords;
use socket::{Deadline, Family, Interest, Poll, Socket, poll};

use crate::description::Doing;
use crate::running::{NO_LIMIT, now};
use crate::waiting::{self, Ending, WORKING, Waiting};

/// An open connection, shared by its handler and whoever may end it.
#[derive(Debug)]
pub(crate) struct Link {
    /// Its socket; a datagram has none of its own.
    pub(crate) socket: Option<Socket>,
    own: [AtomicU64; WORDS],
    /// In a box, since few engines have them.
    shared: Option<Box<Slot>>,
    /// The listener it came to.
    pub(crate) listener: usize,
    /// When it arrived, on the patrol's clock.
    pub(crate) since: u64,
}

/// Reads and throws away what has arrived; true when that was all there will be.
fn discard(socket: &Socket) -> bool {
    let mut room = [0; 4096];
    let mut discarded = 0;
    while discarded < DISCARD_BYTES {
        match socket.recv_by(&mut room, Deadline::Immediate) {
            Ok(0) => return true,
            Ok(count) => discarded += count,
            Err(_) => return false,
        }
    }
    false
}

/// The words of a link in memory that forked processes share.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) words: Arc<SharedWords>,
    /// The first of its [`WORDS`].
    pub(crate) at: usize,
}

impl Slot {
    #[cold]
    fn words(&self) -> Words<'_> {
        let words = self.words[self.at..].first_chunk();
        Words(words.expect("a slot is given to a link only if it fits"))
    }
}

/// The words of a link, wherever they are, as its handler uses them.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a>(&'a [AtomicU64; WORDS]);

impl Words<'_> {
    /// The handler is about to wait, until `until` at the latest. `number`: another one than that
    /// of its wait before.
    #[inline(always)]
    pub(crate) fn wait(self, waiting: Waiting, until: u64, number: u16) {
        waiting::begin(&self.0[0], waiting, until, number);
    }

    /// The handler goes on; why its waiting was ended, if it was.
    #[inline(always)]
    pub(crate) fn resume(self) -> Option<Ending> {
        waiting::resume(&self.0[0])
    }

    /// Whether the connection was cut off.
    #[inline(always)]
    pub(crate) fn is_cut(self) -> bool {
        self.0[1].load(SeqCst) != 0
    }
}

/// How many words a link has: what its handler waits for, and until when; and whether it was cut
/// off, so that every call on it fails from now on.
pub(crate) const WORDS: usize = 2;

/// The most that is read and thrown away when a connection is closed with input unread.
const DISCARD_BYTES: usize = 256 * 1024;

impl Link {
    pub(crate) fn new(socket: Option<Socket>, shared: Option<Slot>, listener: usize) -> Link {
        let (own, shared, since) = (Default::default(), shared.map(Box::new), now());
        let link = Link { socket, own, shared, listener, since };
        // The slot may have had another link before.
        link.word().store(WORKING, SeqCst);
        link.cut_word().store(0, SeqCst);
        link
    }

    /// Where its words are, if others may have them after it.
    pub(crate) fn slot(&self) -> Option<usize> {
        self.shared.as_ref().map(|slot| slot.at)
    }

    /// Its words. Whoever needs them more than once asks once.
    #[inline(always)]
    pub(crate) fn words(&self) -> Words<'_> {
        match &self.shared {
            None => Words(&self.own),
            Some(slot) => slot.words(),
        }
    }

    #[inline]
    fn word(&self) -> &AtomicU64 {
        &self.words().0[0]
    }

    #[inline]
    fn cut_word(&self) -> &AtomicU64 {
        &self.words().0[1]
    }

    /// The handler is about to wait, see [`Words::wait`].
    #[inline]
    pub(crate) fn wait(&self, waiting: Waiting, until: u64, number: u16) {
        self.words().wait(waiting, until, number);
    }

    /// The handler goes on; why its waiting was ended, if it was.
    #[inline]
    pub(crate) fn resume(&self) -> Option<Ending> {
        self.words().resume()
    }

    /// Whether it was cut off.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.words().is_cut()
    }

    /// Cuts it off.
    pub(crate) fn cut(&self) {
        self.cut_word().store(1, SeqCst);
        // Who waits need not look whether it was cut off when it goes on.
        self.end_waiting(Ending::LetGo);
        self.shut_down(Shutdown::Both);
    }

    /// Says that no more will come, and takes what has already arrived, for whoever has no
    /// `Connection` to hang up.
    pub(crate) fn hang_up(&self) {
        self.shut_down(Shutdown::Write);
        self.discard_input();
    }

    /// Takes what has already arrived, since closing with input unread would reset the connection
    /// and could destroy the answer on its way.
    pub(crate) fn discard_input(&self) {
        let Some(socket) = &self.socket else { return };
        if discard(socket) || !socket.family().is_ok_and(|family| family == Family::UNIX) {
            return;
        }
        // What arrives between the last look and the close would destroy it as well. A Unix socket
        // can be told to take no more; TCP would send a reset for that.
        self.shut_down(Shutdown::Read);
        discard(socket);
    }

    /// The wait of a handler between two requests, if the next one has not arrived. But the handler
    /// may just have received it, and not yet have said that it goes on.
    pub(crate) fn between(&self) -> Option<u64> {
        let socket = self.socket.as_ref()?;
        let mut asked = [Poll::new(socket.as_fd(), Interest::READ)];
        let arrived = poll(&mut asked, Deadline::Immediate).is_ok_and(|count| count > 0);
        waiting::between(self.word()).filter(|_| !arrived)
    }

    /// Shows the end of its input to a handler that was found in this wait a moment ago, if it
    /// still is and nothing has arrived: shutting down would lose the rest of that.
    pub(crate) fn end_between(&self, word: u64) {
        if self.between() == Some(word) {
            self.end(word, Ending::Drained);
        }
    }

    /// Ends the waiting of a handler, if it waits for longer than until `now`.
    pub(crate) fn end_overdue(&self, now: u64) {
        if let Some(seen) = waiting::overdue(self.word(), now) {
            self.end(seen, Ending::Overdue);
        }
    }

    /// Ends the waiting of a handler, if it waits.
    pub(crate) fn end_waiting(&self, ending: Ending) {
        if let Some(seen) = waiting::any(self.word()) {
            self.end(seen, ending);
        }
    }

    /// What its handler does, and until when it waits, if it does and there is an end to that.
    pub(crate) fn doing(&self) -> (Doing, Option<u64>) {
        let (state, until) = waiting::glance(self.word());
        let doing = match state {
            WORKING => Doing::Working,
            state if state == Waiting::Reading as u64 => Doing::Reading,
            state if state == Waiting::Between as u64 => Doing::Between,
            _ => Doing::Ending,
        };
        let waits = matches!(doing, Doing::Reading | Doing::Between) && until < NO_LIMIT;
        (doing, waits.then_some(until))
    }

    /// Ends the wait that `seen` stands for, unless it is over already.
    fn end(&self, seen: u64, ending: Ending) {
        if waiting::end(self.word(), seen, ending) {
            self.shut_down(Shutdown::Read);
        }
    }

    fn shut_down(&self, how: Shutdown) {
        if let Some(socket) = &self.socket {
            // The connection may be gone already, which is what was wanted.
            let _ = socket.shutdown(how);
        }
    }
}
