//! The slots of a worker: where they are, and which of them have a coroutine.
//!
//! A slot stands at the very top of its stack, above the name, in the page that a coroutine has in
//! any case. So it costs nothing of its own, and comes and goes with that page: where nobody has a
//! stack, there is nothing to be read. Which slots are taken is therefore known apart.
//!
//! What it deliberately does not know: when a stack is given back.

#![allow(unsafe_code)]

use std::cell::Cell;

use crate::reactor::uring::GENERATION;
use crate::slot::{Slot, SlotRef};
use crate::stack::head;
use crate::stack::slab::{CHUNK, Layout};

/// See the head of this file.
pub(crate) struct Slots {
    layout: Layout,
    chunks: Box<[Chunk]>,
    /// Where the next slot goes on to count its operations: at least where every one before it has
    /// ended. It is not in the slots, whose pages go.
    generation: Cell<u32>,
}

#[derive(Default)]
struct Chunk {
    /// Where the stacks begin; zero where there are none.
    stacks: Cell<usize>,
    /// A bit for each slot.
    taken: [Cell<u64>; CHUNK / BITS],
}

const BITS: usize = u64::BITS as usize;

impl Slots {
    /// Room for so many.
    pub(crate) fn new(coroutines: usize, layout: Layout) -> Slots {
        let chunks = coroutines.div_ceil(CHUNK);
        let chunks = (0..chunks).map(|_| Chunk::default()).collect();
        Slots { layout, chunks, generation: Cell::new(0) }
    }

    /// Where there may be a slot of this number, taken or not.
    #[inline]
    fn place(&self, number: u32) -> Option<*mut Slot> {
        let stacks = self.chunks.get(number as usize / CHUNK)?.stacks.get();
        (stacks != 0).then(|| head::slot(self.layout.top(stacks, number)))
    }

    /// The slot of this number, which is or has been taken, if there is one.
    #[inline]
    pub(crate) fn find(&self, number: u32) -> Option<SlotRef> {
        let slot = self.place(number).filter(|_| self.is_taken(number))?;
        // SAFETY: it was made by `take`, and is there until it is given back with its stack:
        // references to it are kept by the scheduler and the reactor beside it for as long as it
        // has a coroutine, and on that coroutine's stack.
        Some(unsafe { SlotRef::at(slot) })
    }

    /// Makes the slot of a stack that has been taken, in a chunk of them that begins at `stacks`.
    pub(crate) fn take(&self, number: u32, stacks: usize) -> SlotRef {
        let chunk = &self.chunks[number as usize / CHUNK];
        chunk.stacks.set(stacks);
        let word = &chunk.taken[number as usize % CHUNK / BITS];
        word.set(word.get() | bit(number));
        let slot = head::slot(self.layout.top(stacks, number));
        // SAFETY: it lies in a stack that nobody else has; the end of a stack is aligned to a page,
        // and a slot is a multiple of its own alignment.
        unsafe { slot.write(Slot::new(number)) };
        // SAFETY: as in `find`.
        let slot = unsafe { SlotRef::at(slot) };
        // What the kernel may still have to say is of one before.
        slot.handed.generation.set(self.generation.get());
        slot
    }

    /// Notes that nobody has the slot any more, and how far it has counted.
    pub(crate) fn give_back(&self, slot: SlotRef) {
        let (number, counted) = (slot.number, slot.handed.generation.get());
        let ahead = counted.wrapping_sub(self.generation.get()) & GENERATION;
        if ahead <= GENERATION / 2 {
            self.generation.set(counted);
        }
        let word = &self.chunks[number as usize / CHUNK].taken[number as usize % CHUNK / BITS];
        word.set(word.get() & !bit(number));
    }

    /// Notes that the stacks of a chunk, none of which is taken, are about to go.
    pub(crate) fn forget(&self, chunk: usize) {
        self.chunks[chunk].stacks.set(0);
    }

    /// Whether the slot is taken.
    #[inline]
    fn is_taken(&self, number: u32) -> bool {
        let chunk = self.chunks.get(number as usize / CHUNK);
        let word = chunk.map(|chunk| chunk.taken[number as usize % CHUNK / BITS].get());
        word.is_some_and(|word| word & bit(number) != 0)
    }

    /// Every slot with a coroutine that may still run.
    pub(crate) fn all(&self) -> impl Iterator<Item = SlotRef> {
        let chunks = self.chunks.iter().enumerate().filter(|(_, chunk)| chunk.stacks.get() != 0);
        let words =
            chunks.flat_map(|(at, chunk)| chunk.taken.iter().zip((at * CHUNK..).step_by(BITS)));
        let numbers =
            words.flat_map(|(word, first)| ones(word.get()).map(move |at| first as u32 + at));
        numbers.filter_map(|number| self.find(number)).filter(|slot| slot.is_alive())
    }
}

/// The places of the bits that are set, which may change meanwhile.
fn ones(mut bits: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let at = bits.trailing_zeros();
        bits &= bits.checked_sub(1)?;
        Some(at)
    })
}

fn bit(number: u32) -> u64 {
    1 << (number as usize % BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::guard::Guards;
    use crate::stack::slab::Slab;

    #[test]
    fn the_bits_that_are_set_are_found() {
        assert_eq!(ones(0).count(), 0);
        assert_eq!(ones(1 << 63 | 1 << 5 | 1).collect::<Vec<_>>(), [0, 5, 63]);
        assert!(ones(u64::MAX).eq(0..64));
    }

    #[test]
    fn a_count_goes_on_where_no_page_remembers_it() {
        let slab = Slab::new(65_536, 10, Guards::probe().unwrap());
        let slots = Slots::new(10, slab.layout());
        let take = || {
            let (number, stack) = slab.take().unwrap();
            (slots.take(number, slab.start_of(number)), stack)
        };
        let ((one, one_stack), (other, other_stack)) = (take(), take());
        one.handed.generation.set(7);
        other.handed.generation.set(3);
        for (slot, stack) in [(one, one_stack), (other, other_stack)] {
            slots.give_back(slot);
            slab.give_back(slot.number, stack);
        }
        let chunk = (0..3).find_map(|_| {
            slab.sweep();
            slab.unused()
        });
        slots.forget(chunk.expect("nobody has any of its stacks"));
        slab.release(0);
        assert_eq!(take().0.handed.generation.get(), 7);
        // It wraps around.
        let (last, stack) = take();
        last.handed.generation.set(2);
        slots.generation.set(GENERATION);
        slots.give_back(last);
        slab.give_back(last.number, stack);
        assert_eq!(take().0.handed.generation.get(), 2);
    }
}
