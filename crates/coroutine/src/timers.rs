//! Timers: which parked coroutine has to be woken when.
//!
//! A binary heap with one entry for each coroutine that has ever had a deadline and not been looked
//! at since. A later deadline only changes the slot, and the entry is put right when its old time
//! comes: a server whose every read has a deadline, which is hardly ever reached, touches the heap
//! once per deadline and not once per read. Due coroutines come out in the exact order of their
//! deadlines.
//!
//! It deliberately does not read a clock.

use crate::clock::{Moment, NEVER};
use crate::slot::{NO_TIMER, SlotRef};

/// The heap, earliest first.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: Vec<(Moment, SlotRef)>,
}

impl Timers {
    /// Has `slot` come due at `deadline`, which replaces its earlier one.
    #[inline]
    pub(crate) fn set(&mut self, slot: SlotRef, deadline: Moment) {
        slot.deadline.set(deadline);
        let at = slot.timer.get();
        if at == NO_TIMER {
            self.heap.push((deadline, slot));
            self.rise(self.heap.len() - 1);
        } else if deadline < self.heap[at as usize].0 {
            self.heap[at as usize].0 = deadline;
            self.rise(at as usize);
        }
    }

    /// No later than the first coroutine comes due.
    #[inline]
    pub(crate) fn next(&self) -> Moment {
        self.heap.first().map_or(NEVER, |first| first.0)
    }

    /// Takes out the earliest coroutine that is due at `now`.
    pub(crate) fn due(&mut self, now: Moment) -> Option<SlotRef> {
        while let Some(&(time, slot)) = self.heap.first() {
            if time > now {
                return None;
            }
            let deadline = slot.deadline.get();
            if deadline > now && deadline != NEVER {
                self.heap[0].0 = deadline;
                self.sink(0);
                continue;
            }
            self.remove_first();
            // One without a deadline was woken by something else.
            if deadline == time {
                return Some(slot);
            }
            if deadline != NEVER {
                self.set(slot, deadline);
            }
        }
        None
    }

    fn remove_first(&mut self) {
        let (_, slot) = self.heap.swap_remove(0);
        slot.timer.set(NO_TIMER);
        if !self.heap.is_empty() {
            self.sink(0);
        }
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.heap[parent].0 <= self.heap[at].0 {
                break;
            }
            self.heap.swap(parent, at);
            self.note(at);
            at = parent;
        }
        self.note(at);
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let mut least = at;
            for child in [left, right] {
                if child < self.heap.len() && self.heap[child].0 < self.heap[least].0 {
                    least = child;
                }
            }
            if least == at {
                break;
            }
            self.heap.swap(least, at);
            self.note(at);
            at = least;
        }
        self.note(at);
    }

    fn note(&self, at: usize) {
        self.heap[at].1.timer.set(at as u32);
    }
}
