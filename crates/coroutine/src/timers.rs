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

    /// Takes out a coroutine that has ended.
    #[cold]
    pub(crate) fn remove(&mut self, slot: SlotRef) {
        let at = slot.timer.replace(NO_TIMER) as usize;
        self.heap.swap_remove(at);
        if at < self.heap.len() {
            self.sink(at);
            self.rise(at);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Slot;

    fn slots(count: u32) -> Box<[Slot]> {
        (0..count).map(Slot::new).collect()
    }

    #[expect(unsafe_code, reason = "slots outside a scheduler")]
    fn of(slot: &Slot) -> SlotRef {
        // SAFETY: the slots of a test are in a box that outlives its timers.
        unsafe { SlotRef::new(slot) }
    }

    fn all_due(timers: &mut Timers, now: Moment) -> Vec<u32> {
        std::iter::from_fn(|| timers.due(now)).map(|slot| slot.number).collect()
    }

    #[test]
    fn what_is_due_comes_in_order_and_nothing_else_does() {
        let slots = slots(200);
        let mut timers = Timers::default();
        let deadline = |number: u32| u64::from(number * 7919 % 200) + 10;
        for slot in &*slots {
            timers.set(of(slot), deadline(slot.number));
        }
        assert_eq!(timers.next(), 10);
        assert_eq!(all_due(&mut timers, 9), []);
        let first = all_due(&mut timers, 109);
        let rest = all_due(&mut timers, 1000);
        assert_eq!((first.len(), rest.len(), timers.next()), (100, 100, NEVER));
        let times: Vec<_> = first.into_iter().chain(rest).map(deadline).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn a_later_deadline_moves_the_entry_when_its_old_time_comes() {
        let slots = slots(2);
        let mut timers = Timers::default();
        timers.set(of(&slots[0]), 10);
        timers.set(of(&slots[1]), 20);
        // Woken by something else, and parked again until later.
        timers.set(of(&slots[0]), 30);
        assert_eq!(all_due(&mut timers, 20), [1]);
        assert_eq!(all_due(&mut timers, 29), []);
        assert_eq!(all_due(&mut timers, 30), [0]);
        // An earlier one moves it at once.
        timers.set(of(&slots[0]), 90);
        timers.set(of(&slots[0]), 50);
        assert_eq!(timers.next(), 50);
        assert_eq!(all_due(&mut timers, 50), [0]);
    }

    #[test]
    fn one_that_has_ended_is_forgotten() {
        let slots = slots(9);
        let mut timers = Timers::default();
        let times = [50, 20, 70, 10, 40, 90, 30, 80, 60];
        slots.iter().zip(times).for_each(|(slot, time)| timers.set(of(slot), time));
        // The first, the last and two in between.
        [3, 8, 1, 2].into_iter().for_each(|at: usize| timers.remove(of(&slots[at])));
        assert_eq!(slots[3].timer.get(), NO_TIMER);
        assert_eq!(all_due(&mut timers, 100), [6, 4, 0, 7, 5]);
    }

    #[test]
    fn one_without_a_deadline_any_more_is_not_due() {
        let slots = slots(2);
        let mut timers = Timers::default();
        timers.set(of(&slots[0]), 10);
        timers.set(of(&slots[1]), 10);
        slots[0].deadline.set(NEVER);
        assert_eq!(all_due(&mut timers, 10), [1]);
        assert_eq!(timers.next(), NEVER);
    }
}
