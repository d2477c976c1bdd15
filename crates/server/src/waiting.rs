//! The word in which a handler says what it waits for, and in which others end that.
//!
//! ```text
//!                     begin(until, what)                     resume
//!   Working ───────────────────────────► Reading | Between ─────────► Working
//!                                              │                 │
//!                        patrol: overdue, drain: time called     └─ what it was
//!                                              ▼
//!                                      Overdue | LetGo ──────────► the read fails
//!                                            Drained ────────────► the input ends
//! ```
//! A deadline thus costs a store and a swap for each read, where a timer in the kernel would cost
//! more than the rest of our code.
//!
//! ```text
//!   until when, in milliseconds: 48 bits │ number of the wait: 13 │ state: 3
//! ```
//! The number tells a wait from the next one, which may last as long: the clock by which they are
//! kept moves seldom.
//!
//! Whoever ends a wait names the word it has seen, and at most one of all who try succeeds: [`end`]
//! answers whether that was this one, who then wakes the handler. A handler that has gone on, or
//! waits anew, is left alone. Whoever changes the server's state looks at the words afterwards, and
//! a handler looks at the server's state after it has begun to wait; so neither can miss the other.
//! The models try every order of these steps.

use std::sync::atomic::Ordering::SeqCst;

use crate::atomic::AtomicU64;

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

/// Nobody waits.
pub(crate) const WORKING: u64 = 0;
const STATE_BITS: u32 = 3;
const STATE: u64 = (1 << STATE_BITS) - 1;
const UNTIL_AT: u32 = 16;
/// The latest moment that fits: never.
pub(crate) const NEVER: u64 = u64::MAX >> UNTIL_AT;

/// The handler is about to wait, until `until` at the latest, in milliseconds and at most
/// [`NEVER`]. `number`: another one than that of its wait before.
#[inline(always)]
pub(crate) fn begin(word: &AtomicU64, waiting: Waiting, until: u64, number: u16) {
    let number = u64::from(number << STATE_BITS);
    word.store(until << UNTIL_AT | number | waiting as u64, SeqCst);
}

/// The handler goes on; why its waiting was ended, if it was.
#[inline(always)]
pub(crate) fn resume(word: &AtomicU64) -> Option<Ending> {
    match word.swap(WORKING, SeqCst) & STATE {
        state if state <= Waiting::Between as u64 => None,
        state => ending(state),
    }
}

#[cold]
fn ending(state: u64) -> Option<Ending> {
    let endings = [Ending::Overdue, Ending::LetGo, Ending::Drained];
    endings.into_iter().find(|ending| *ending as u64 == state)
}

/// The wait of a handler that is between two requests.
pub(crate) fn between(word: &AtomicU64) -> Option<u64> {
    let seen = word.load(SeqCst);
    (seen & STATE == Waiting::Between as u64).then_some(seen)
}

/// The wait of a handler that waits for whatever, and nobody has ended that yet.
pub(crate) fn any(word: &AtomicU64) -> Option<u64> {
    let seen = word.load(SeqCst);
    let state = seen & STATE;
    (state == Waiting::Reading as u64 || state == Waiting::Between as u64).then_some(seen)
}

/// The same, if it may wait until `now` at the latest.
pub(crate) fn overdue(word: &AtomicU64, now: u64) -> Option<u64> {
    any(word).filter(|seen| seen >> UNTIL_AT <= now)
}

/// What was last said in the word: the number of its state, [`WORKING`] or one of the above, and
/// until when a wait may last. For whoever only looks.
pub(crate) fn glance(word: &AtomicU64) -> (u64, u64) {
    let seen = word.load(SeqCst);
    (seen & STATE, seen >> UNTIL_AT)
}

/// Ends the wait that `seen` stands for; false if it is over already.
pub(crate) fn end(word: &AtomicU64, seen: u64, ending: Ending) -> bool {
    let ended = seen & !STATE | ending as u64;
    word.compare_exchange(seen, ended, SeqCst, SeqCst).is_ok()
}
