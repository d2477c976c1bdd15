//! The outbox of a worker: its connections that have something queued, seen to once per turn.
//!
//! ```text
//!   post, post, post … ─► the connections' queues      any thread
//!                └──────► listed, each once ─► one coroutine, after all that are ready now
//! ```
//! A message to a thousand connections is thus a thousand references, and the sends are made when
//! the handlers of this turn have said all they have to say: what several of them said to one
//! connection leaves in one call, and nobody is woken for it. On a ring the sends to many are made
//! in one call, too, see `connection/handed.rs`. Only where a peer does not keep up a coroutine of
//! its own is made, which waits, see [`Sending`].
//!
//! What it deliberately does not do: hold messages. Those are in the queues, in order and bounded.

use std::cell::RefCell;
use std::sync::Arc;

use coroutine::{Builder, Remote, in_coroutine, yield_now};

use crate::atomic::Lock;
use crate::connection::{Sending, at_once, see_to_each};

/// See the head of this file.
pub(crate) struct Outbox {
    worker: Remote,
    state: Lock<State>,
}

#[derive(Default)]
struct State {
    listed: Vec<Arc<Sending>>,
    /// A coroutine is there that sees to them, or will be.
    attended: bool,
    /// The worker has ended.
    closed: bool,
}

thread_local! {
    static HERE: RefCell<Option<Arc<Outbox>>> = const { RefCell::new(None) };
}

/// Keeps the outbox of a worker, on its thread, for as long as it runs.
pub(crate) struct Opened(());

impl Outbox {
    /// Opens the outbox of the worker that runs on this thread.
    pub(crate) fn open(worker: Remote) -> Opened {
        let outbox = Outbox { worker, state: Lock::default() };
        HERE.set(Some(Arc::new(outbox)));
        Opened(())
    }

    /// The one of this thread's worker.
    pub(crate) fn here() -> Option<Arc<Outbox>> {
        HERE.with_borrow(Clone::clone)
    }

    /// Whether the caller is a coroutine of its worker.
    fn is_here(&self) -> bool {
        let mine = |here: &Outbox| std::ptr::eq(here, self);
        in_coroutine() && HERE.with_borrow(|here| here.as_deref().is_some_and(mine))
    }

    /// Has a connection of the worker seen to, soon. From any thread.
    pub(crate) fn list(self: &Arc<Self>, sending: Arc<Sending>) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        state.listed.push(sending);
        if std::mem::replace(&mut state.attended, true) {
            return;
        }
        drop(state);
        let outbox = Arc::clone(self);
        let attend = move || outbox.attend();
        if self.is_here() && Builder::new().name(NAME).spawn(attend.clone()).is_ok() {
            return;
        }
        // From another thread, or when there is a stack again. A worker that takes nothing more
        // has no connections any more.
        let _ended = self.worker.spawn(NAME, attend);
    }

    /// Sees to what is listed, until nothing is.
    fn attend(&self) {
        let mut buffer = Vec::new();
        let (mut seen_to, turn) = (0, at_once());
        loop {
            let mut state = self.state.lock();
            let listed = std::mem::take(&mut state.listed);
            state.attended = !listed.is_empty();
            drop(state);
            if listed.is_empty() {
                return;
            }
            let mut listed = listed.into_iter();
            while listed.len() > 0 {
                let some = &listed.as_slice()[..turn.min(listed.len())];
                see_to_each(some, &mut buffer);
                let count = some.len();
                listed.by_ref().take(count).for_each(drop);
                seen_to += count;
                if seen_to >= turn {
                    seen_to = 0;
                    yield_now();
                }
            }
        }
    }
}

const NAME: &str = "outbox";

/// The connections know their outbox, and it knows them: so this end is said aloud.
impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(outbox) = HERE.take() {
            let mut state = outbox.state.lock();
            state.closed = true;
            let listed = std::mem::take(&mut state.listed);
            drop(state);
            drop(listed);
        }
    }
}
