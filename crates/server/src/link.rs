//! An open connection as seen from outside its handler: what it waits for, and how to end that.
//!
//! A handler that waits for its peer says so in one word, with the moment until which it may wait.
//! Others end the waiting by changing the word and shutting the reading side down, which wakes the
//! handler with an end of input; the word tells it what that meant. A deadline thus costs a store
//! and a swap for each read, where a timer in the kernel would cost more than the rest of our code.
//!
//! ```text
//!                     wait(until, what)                      resume
//!   Working ───────────────────────────► Reading | Between ─────────► Working
//!                                              │                 │
//!                        patrol: overdue, drain: time called     └─ what it was
//!                                              ▼
//!                                      Overdue | LetGo ──────────► the read fails
//!                                            Drained ────────────► the input ends
//! ```
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
use socket::{Deadline, Interest, Poll, Socket, poll};

/// An open connection, shared by its handler and whoever may end it.
#[derive(Debug)]
pub(crate) struct Link {
    /// Its socket; a datagram has none of its own.
    pub(crate) socket: Option<Socket>,
    own: [AtomicU64; WORDS],
    shared: Option<Slot>,
}

/// The words of a link in memory that forked processes share.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) words: Arc<SharedWords>,
    /// The first of its [`WORDS`].
    pub(crate) at: usize,
}

/// How many words a link has: its state in the lowest three bits, above them the moment until which
/// that may last; and whether it was cut off, so that every call on it fails from now on.
pub(crate) const WORDS: usize = 2;

/// What a handler waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Its peer, in the middle of something.
    Reading = 1,
    /// The next request: it may be closed without loss.
    Between = 2,
}

/// Why its waiting was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It has waited for longer than it may.
    Overdue = 3,
    /// The server is stopping.
    LetGo = 4,
    /// The server is stopping, and it waited for a next request.
    Drained = 5,
}

/// The most that is read and thrown away when a connection is closed with input unread.
const DISCARD_BYTES: usize = 256 * 1024;
const WORKING: u64 = 0;
const STATE_BITS: u32 = 3;
const STATE: u64 = (1 << STATE_BITS) - 1;
/// The latest moment that fits: never.
pub(crate) const NEVER: u64 = u64::MAX >> STATE_BITS;

impl Link {
    pub(crate) fn new(socket: Option<Socket>, shared: Option<Slot>) -> Link {
        let link = Link { socket, own: Default::default(), shared };
        // The slot may have had another link before.
        link.word().store(WORKING, SeqCst);
        link.cut_word().store(0, SeqCst);
        link
    }

    /// Where its words are, if others may have them after it.
    pub(crate) fn slot(&self) -> Option<usize> {
        self.shared.as_ref().map(|slot| slot.at)
    }

    #[inline]
    fn word(&self) -> &AtomicU64 {
        match &self.shared {
            None => &self.own[0],
            Some(slot) => &slot.words[slot.at],
        }
    }

    #[inline]
    fn cut_word(&self) -> &AtomicU64 {
        match &self.shared {
            None => &self.own[1],
            Some(slot) => &slot.words[slot.at + 1],
        }
    }

    /// The handler is about to wait, until `until` at the latest, which is at most [`NEVER`]. Whoever changes the server's
    /// state looks at the word afterwards, and the handler looks at the server's state after
    /// this, so neither can miss the other.
    #[inline]
    pub(crate) fn wait(&self, waiting: Waiting, until: u64) {
        self.word().store(until << STATE_BITS | waiting as u64, SeqCst);
    }

    /// The handler goes on; why its waiting was ended, if it was.
    #[inline]
    pub(crate) fn resume(&self) -> Option<Ending> {
        match self.word().swap(WORKING, SeqCst) & STATE {
            state if state <= Waiting::Between as u64 => None,
            state if state == Ending::Overdue as u64 => Some(Ending::Overdue),
            state if state == Ending::LetGo as u64 => Some(Ending::LetGo),
            state if state == Ending::Drained as u64 => Some(Ending::Drained),
            _ => None,
        }
    }

    /// Whether it was cut off.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.cut_word().load(SeqCst) != 0
    }

    /// Cuts it off.
    pub(crate) fn cut(&self) {
        self.cut_word().store(1, SeqCst);
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
        let mut room = [0; 4096];
        let mut discarded = 0;
        while discarded < DISCARD_BYTES {
            match socket.recv_by(&mut room, Deadline::Immediate) {
                Ok(0) | Err(_) => return,
                Ok(count) => discarded += count,
            }
        }
    }

    /// The wait of a handler between two requests, if the next one has not arrived. But the handler
    /// may just have received it, and not yet have said that it goes on.
    pub(crate) fn between(&self) -> Option<u64> {
        let socket = self.socket.as_ref()?;
        let mut asked = [Poll::new(socket.as_fd(), Interest::READ)];
        let arrived = poll(&mut asked, Deadline::Immediate).is_ok_and(|count| count > 0);
        let word = self.word().load(SeqCst);
        (!arrived && word & STATE == Waiting::Between as u64).then_some(word)
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
        let word = self.word().load(SeqCst);
        if waits(word) && word >> STATE_BITS <= now {
            self.end(word, Ending::Overdue);
        }
    }

    /// Ends the waiting of a handler, if it waits.
    pub(crate) fn end_waiting(&self, ending: Ending) {
        let word = self.word().load(SeqCst);
        if waits(word) {
            self.end(word, ending);
        }
    }

    /// Ends the wait that `word` stands for, unless it is over already.
    fn end(&self, word: u64, ending: Ending) {
        let ended = word & !STATE | ending as u64;
        if self.word().compare_exchange(word, ended, SeqCst, SeqCst).is_ok() {
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

/// Whether the handler waits, and nobody has ended that yet.
fn waits(word: u64) -> bool {
    let state = word & STATE;
    state == Waiting::Reading as u64 || state == Waiting::Between as u64
}
