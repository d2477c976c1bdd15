//! The operations that are under way: who waits for each, and how it ended.
//!
//! ```text
//!   mark of an entry:   kind 4 | generation 28 | place 32
//!                                   ║ equal?       ▼
//!   its own:    the coroutine's slot ─► { generation, under way, result, flags }
//!   of several: a place of the list  ─► { generation, state, waiter, result, flags }
//!               state:  Free ─► Pending ─► Done ─► Free
//! ```
//! Nearly always a coroutine waits for one operation, and that is in its slot: nothing is looked
//! for, taken or given back. Where it waits for several at once, and for who has no stack, there is
//! a list.
//!
//! A place is used again as soon as its operation is over, and its generation tells the one from
//! the next: a completion that comes late finds nobody. A place is given back only when the last
//! completion of its operation has come, because until then memory of the waiter's is the kernel's.
//!
//! Who has no stack sleeps in the place itself, as a box, and is taken out by the completion.
//!
//! What it deliberately does not know: the ring, and what an operation does.

use std::cell::{Cell, RefCell};

use crate::dormant::Dormant;
use crate::slot::SlotRef;

/// What a completion is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Kind {
    /// The operation of the coroutine whose slot has the number of the place.
    Own = 4,
    /// The send that went with it, which completes only if it was not all.
    Sent = 5,
    /// An operation of the list.
    Listed = 1,
    /// What was asked to be cancelled, which answers itself; or an alarm. Nobody needs this answer.
    Cancel = 2,
    /// The worker's bell.
    Bell = 3,
    /// A send that was handed over with others, whose number is the place.
    Together = 6,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) result: i32,
    pub(super) flags: u32,
}

/// Which operation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) place: u32,
    generation: u32,
}

#[derive(Clone, Copy)]
enum State {
    Free,
    Pending(SlotRef),
    /// Nobody waits for it, or somebody without a stack.
    Asleep,
    Done(Outcome),
}

struct Place {
    generation: Cell<u32>,
    state: Cell<State>,
    dormant: Cell<Option<Box<dyn Dormant>>>,
}

/// Who is to be woken.
pub(super) enum Waiter {
    Coroutine(SlotRef),
    Dormant(Box<dyn Dormant>),
}

/// See the head of this file.
#[derive(Default)]
pub(super) struct Operations {
    places: RefCell<Vec<Place>>,
    free: RefCell<Vec<u32>>,
    pending: Cell<usize>,
}

/// The bits of a generation.
pub(crate) const GENERATION: u32 = (1 << 28) - 1;

/// What an entry of the ring is marked with.
pub(super) fn mark(kind: Kind, ticket: Ticket) -> u64 {
    (kind as u64) << 60 | u64::from(ticket.generation) << 32 | u64::from(ticket.place)
}

/// The mark of what has no ticket.
pub(super) fn mark_of(kind: Kind) -> u64 {
    (kind as u64) << 60
}

/// The mark of what has a number of its own for a place.
pub(super) fn mark_at(kind: Kind, place: u32) -> u64 {
    mark_of(kind) | u64::from(place)
}

/// What a mark says, if it is one.
#[inline]
pub(super) fn read_mark(word: u64) -> Option<(Kind, Ticket)> {
    let kind = match word >> 60 {
        _ if word >> 60 == Kind::Own as u64 => Kind::Own,
        5 => Kind::Sent,
        1 => Kind::Listed,
        2 => Kind::Cancel,
        3 => Kind::Bell,
        6 => Kind::Together,
        _ => return None,
    };
    let ticket = Ticket { place: word as u32, generation: (word >> 32) as u32 & GENERATION };
    Some((kind, ticket))
}

impl Operations {
    /// The mark of the next operation of `me`'s own.
    #[inline]
    pub(super) fn next(me: SlotRef) -> u64 {
        let generation = me.handed.generation.get().wrapping_add(1) & GENERATION;
        mark(Kind::Own, Ticket { place: me.number, generation })
    }

    /// Notes that the entry marked [so](Self::next) has been pushed.
    #[inline]
    pub(super) fn handed_over(&self, me: SlotRef) {
        me.handed.generation.set(me.handed.generation.get().wrapping_add(1) & GENERATION);
        me.handed.under_way.set(true);
        self.pending.set(self.pending.get() + 1);
    }

    /// Notes the last completion of an operation of `waiter`'s own. False if it is of one before.
    #[inline]
    pub(super) fn complete_own(&self, waiter: SlotRef, ticket: Ticket, outcome: Outcome) -> bool {
        let handed = &waiter.handed;
        if handed.generation.get() != ticket.generation || !handed.under_way.replace(false) {
            return false;
        }
        handed.result.set(outcome.result);
        handed.flags.set(outcome.flags);
        self.pending.set(self.pending.get() - 1);
        true
    }

    /// How the operation of `me`'s own ended, if it has.
    #[inline]
    pub(super) fn own_outcome(me: SlotRef) -> Option<Outcome> {
        let handed = &me.handed;
        let outcome = Outcome { result: handed.result.get(), flags: handed.flags.get() };
        (!handed.under_way.get()).then_some(outcome)
    }

    /// The mark of the send that goes with an operation of `me`'s own that has this mark.
    #[inline]
    pub(super) fn sent_with(word: u64) -> u64 {
        word & !(15 << 60) | (Kind::Sent as u64) << 60
    }

    /// Notes that the send which went with an operation of `sender`'s own was cut short. False if
    /// it is of one before.
    #[cold]
    pub(super) fn cut_short(&self, sender: SlotRef, ticket: Ticket, outcome: Outcome) -> bool {
        let same = sender.handed.generation.get() == ticket.generation;
        if same {
            sender.handed.cut.set(Some(outcome.result));
        }
        same
    }

    /// Notes that the operation of an own place is over, by whose coroutine nobody asks any more.
    pub(super) fn over_unheard(&self) {
        self.pending.set(self.pending.get() - 1);
    }

    /// A place for an operation that `waiter` waits for.
    #[inline]
    pub(super) fn begin(&self, waiter: SlotRef) -> Ticket {
        self.pending.set(self.pending.get() + 1);
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| self.grow());
        let places = self.places.borrow();
        let entry = &places[place as usize];
        entry.state.set(State::Pending(waiter));
        Ticket { place, generation: entry.generation.get() }
    }

    /// A place for an operation that nobody waits for on a stack. It is given back by its last
    /// completion.
    pub(super) fn begin_asleep(&self) -> Ticket {
        self.pending.set(self.pending.get() + 1);
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| self.grow());
        let places = self.places.borrow();
        let entry = &places[place as usize];
        entry.state.set(State::Asleep);
        Ticket { place, generation: entry.generation.get() }
    }

    /// Puts to sleep who is to be woken by the operation.
    pub(super) fn lay(&self, ticket: Ticket, dormant: Box<dyn Dormant>) {
        self.places.borrow()[ticket.place as usize].dormant.set(Some(dormant));
    }

    /// Takes everybody who sleeps, with the operation that would have woken them, which goes on.
    pub(super) fn take_dormant(&self) -> Vec<(Ticket, Box<dyn Dormant>)> {
        let places = self.places.borrow();
        let asleep = places.iter().zip(0..).filter_map(|(entry, place)| {
            let ticket = Ticket { place, generation: entry.generation.get() };
            Some((ticket, entry.dormant.take()?))
        });
        asleep.collect()
    }

    #[cold]
    fn grow(&self) -> u32 {
        let mut places = self.places.borrow_mut();
        let place = u32::try_from(places.len()).expect("memory ends before");
        places.push(Place {
            generation: Cell::new(0),
            state: Cell::new(State::Free),
            dormant: Cell::new(None),
        });
        place
    }

    /// Notes the last completion of an operation, and answers who waits for it; nobody, if it is
    /// of an operation that is over.
    #[inline]
    pub(super) fn complete(&self, ticket: Ticket, outcome: Outcome) -> Option<Waiter> {
        let places = self.places.borrow();
        let place = places.get(ticket.place as usize)?;
        if place.generation.get() != ticket.generation {
            return None;
        }
        match place.state.get() {
            State::Pending(waiter) => {
                place.state.set(State::Done(outcome));
                self.pending.set(self.pending.get() - 1);
                Some(Waiter::Coroutine(waiter))
            }
            State::Asleep => {
                let dormant = place.dormant.take();
                drop(places);
                self.end(ticket);
                dormant.map(Waiter::Dormant)
            }
            State::Free | State::Done(_) => None,
        }
    }

    /// How an operation ended, if it has.
    #[inline]
    pub(super) fn outcome(&self, ticket: Ticket) -> Option<Outcome> {
        match self.places.borrow()[ticket.place as usize].state.get() {
            State::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Gives back the place of an operation that is over, or was never pushed.
    #[inline]
    pub(super) fn end(&self, ticket: Ticket) {
        let places = self.places.borrow();
        let place = &places[ticket.place as usize];
        debug_assert_eq!(place.generation.get(), ticket.generation);
        if let State::Pending(_) | State::Asleep = place.state.get() {
            self.pending.set(self.pending.get() - 1);
        }
        place.state.set(State::Free);
        place.generation.set(place.generation.get().wrapping_add(1) & GENERATION);
        self.free.borrow_mut().push(ticket.place);
    }

    /// How many have not ended.
    pub(super) fn pending(&self) -> usize {
        self.pending.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Slot;

    const KINDS: [Kind; 6] =
        [Kind::Own, Kind::Sent, Kind::Listed, Kind::Cancel, Kind::Bell, Kind::Together];
    const OUTCOME: Outcome = Outcome { result: 7, flags: 0 };

    #[expect(unsafe_code, reason = "a slot outside a scheduler")]
    fn of(slot: &Slot) -> SlotRef {
        // SAFETY: the slot of a test outlives its table.
        unsafe { SlotRef::new(slot) }
    }

    #[test]
    fn marks_are_read_as_they_were_written() {
        for ticket in [
            Ticket { place: 0, generation: 0 },
            Ticket { place: u32::MAX, generation: GENERATION },
            Ticket { place: 5, generation: 1 << 20 },
        ] {
            for kind in KINDS {
                assert_eq!(read_mark(mark(kind, ticket)), Some((kind, ticket)));
            }
        }
        assert_eq!(read_mark(0), None);
        assert_eq!(read_mark(u64::MAX), None);
    }

    #[test]
    fn a_late_completion_finds_nobody() {
        let slot = Slot::new(0);
        let table = Operations::default();
        let first = table.begin(of(&slot));
        assert_eq!((table.outcome(first), table.pending()), (None, 1));
        assert!(table.complete(first, OUTCOME).is_some());
        assert_eq!((table.outcome(first), table.pending()), (Some(OUTCOME), 0));
        // A second last completion of the same operation is none.
        assert!(table.complete(first, OUTCOME).is_none());
        table.end(first);
        let second = table.begin(of(&slot));
        assert_eq!(second.place, first.place, "places are used again");
        assert!(table.complete(first, OUTCOME).is_none(), "of the one before");
        assert_eq!(table.outcome(second), None);
        assert!(table.complete(second, OUTCOME).is_some());
        table.end(second);
        assert_eq!(table.pending(), 0);
    }

    #[test]
    fn generations_come_round() {
        let slot = Slot::new(0);
        let table = Operations::default();
        let ticket = table.begin(of(&slot));
        table.end(ticket);
        table.places.borrow()[0].generation.set(GENERATION);
        let last = table.begin(of(&slot));
        assert_eq!(last.generation, GENERATION);
        table.end(last);
        assert_eq!(table.begin(of(&slot)).generation, 0);
    }
}
