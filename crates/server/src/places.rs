//! The places of a server: who may come in, who waits for that, and when everybody has left.
//!
//! ```text
//!   accept loop: reserve ──► take … ──────────────► finish ─┐
//!        ▲          │ none          └► vacate       (told)  ├─► no place unfinished and no loop
//!        │          ▼                     │                 │   that may bring more: finished
//!        └── ask for room, sleep ◄──wakes─┘   close to new ─┘
//! ```
//! A place is taken from before its connection is accepted until its descriptor is closed, which is
//! what the limit counts; and it is unfinished until the end of its connection has been told of,
//! which is what a drain waits for.
//!
//! Each accept loop has a [`Door`] where it sleeps. It writes its wish down before it looks once
//! more, and whoever gives a place back looks for wishes after that, so that none sleeps beside a
//! free place. The models try every order of these steps.
//!
//! A door also counts who came in by it, so that a worker knows its share.
//!
//! What it does not know: connections, addresses, time.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use crate::atomic::{AtomicBool, AtomicUsize, Lock};
use crate::latch::Latch;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Places {
    limit: usize,
    /// Places taken.
    open: AtomicUsize,
    /// Places whose end has not been told of.
    unfinished: AtomicUsize,
    /// Accept loops that may still bring requests.
    accepting: AtomicUsize,
    doors: Lock<Vec<Arc<Door>>>,
    /// Whether any door waits for a free place.
    wants_room: AtomicBool,
    /// Whether any door waits for a close.
    wants_close: AtomicBool,
    /// Set when every request is finished and no more will come.
    pub(crate) finished: Latch,
}

/// Where one accept loop waits until it can let somebody in.
#[derive(Debug, Default)]
pub(crate) struct Door {
    wants_room: AtomicBool,
    wants_close: AtomicBool,
    /// Requests that came in here and are not finished.
    inside: AtomicUsize,
    /// Set when there is what the loop had asked for, a free place or a close.
    pub(crate) room: Latch,
}

impl Door {
    /// Counts a request that comes in here.
    pub(crate) fn enter(&self) {
        self.inside.fetch_add(1, SeqCst);
    }

    /// Counts it no more.
    pub(crate) fn leave(&self) {
        self.inside.fetch_sub(1, SeqCst);
    }

    /// How many came in here and are not finished.
    pub(crate) fn inside(&self) -> usize {
        self.inside.load(SeqCst)
    }
}

impl Places {
    pub(crate) fn new(limit: usize) -> Places {
        Places { limit, ..Places::default() }
    }

    /// How many places are taken.
    pub(crate) fn open(&self) -> usize {
        self.open.load(SeqCst)
    }

    /// How many requests are not finished.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished.load(SeqCst)
    }

    /// Keeps a place free for whatever comes next; false if all are taken. Without it two accept
    /// loops could both see the last free place.
    #[must_use]
    pub(crate) fn reserve(&self) -> bool {
        let fits = |open| (open < self.limit).then_some(open + 1);
        self.open.fetch_update(SeqCst, SeqCst, fits).is_ok()
    }

    /// Somebody came for a reserved place.
    pub(crate) fn take(&self) {
        self.unfinished.fetch_add(1, SeqCst);
    }

    /// Gives back a place that was taken or only reserved.
    pub(crate) fn vacate(&self) {
        self.open.fetch_sub(1, SeqCst);
        self.wake_doors(&self.wants_room, |door| &door.wants_room);
    }

    /// Says, after giving a place back, that this was a connection and is closed.
    pub(crate) fn closed(&self) {
        self.wake_doors(&self.wants_close, |door| &door.wants_close);
    }

    /// The end of a place that was taken has been told of.
    pub(crate) fn finish(&self) {
        self.unfinished.fetch_sub(1, SeqCst);
        self.check_finished();
    }

    /// The door of a new accept loop, which will tell when it
    /// [brings no more](Places::close_to_new).
    pub(crate) fn open_door(&self) -> Arc<Door> {
        let door = Arc::new(Door::default());
        self.accepting.fetch_add(1, SeqCst);
        self.doors.lock().push(Arc::clone(&door));
        door
    }

    /// Says that an accept loop will bring no further request: it has taken what waited.
    pub(crate) fn close_to_new(&self) {
        self.accepting.fetch_sub(1, SeqCst);
        self.check_finished();
    }

    /// Whether one more connection fits. If not, the door's `room` will be set when one does.
    pub(crate) fn ask_for_room(&self, door: &Door) -> bool {
        if self.open() < self.limit {
            return true;
        }
        door.room.clear();
        door.wants_room.store(true, SeqCst);
        self.wants_room.store(true, SeqCst);
        // One may have closed before it could see the wish.
        self.open() < self.limit
    }

    /// How many came in by this door that matter to its share, if that is more than its share: all
    /// of a few, three quarters of many.
    pub(crate) fn excess(&self, door: &Door) -> Option<usize> {
        let inside = door.inside();
        let weight = inside - inside / 4;
        (weight * self.accepting.load(SeqCst) > self.unfinished()).then_some(weight)
    }

    /// Asks to be woken by the next close, whether or not there is room: for a listener that rests
    /// because the system is short of something. A reservation that came to nothing is no close:
    /// if it were, two loops that rest would wake each other without end.
    pub(crate) fn ask_for_close(&self, door: &Door) {
        door.room.clear();
        door.wants_close.store(true, SeqCst);
        self.wants_close.store(true, SeqCst);
    }

    /// Wakes the loops that have a wish; `any` is whether one may have it.
    fn wake_doors(&self, any: &AtomicBool, wish: impl Fn(&Door) -> &AtomicBool) {
        if any.swap(false, SeqCst) {
            let doors = self.doors.lock();
            let waiting = doors.iter().filter(|door| wish(door).swap(false, SeqCst));
            waiting.for_each(|door| door.room.set());
        }
    }

    /// A loop takes a place before it says that it brings no more. So this order sees both at zero
    /// only when that is for good.
    fn check_finished(&self) {
        if self.accepting.load(SeqCst) == 0 && self.unfinished() == 0 {
            self.finished.set();
        }
    }
}
