//! The slab: all stacks of a worker, as equal slots of a few large reservations.
//!
//! ```text
//!   one chunk: 256 slots, one mapping, made when the one before is full
//!   ├ guard ┼──── slot 0 ────┼ guard ┼──── slot 1 ────┼ guard ┼ … ┼─── slot 255 ───┼ guard ┤
//!           ▲ limit     base ▲
//!             ◄── grows down
//! ```
//! A slot costs address space; memory only where it was touched. Guards are installed when a slot
//! is used for the first time. Free slots are a list of numbers outside the stacks, last in first
//! out, so that a slot in use again is a warm one. Slots that lay free from one
//! [sweep](Slab::sweep) to the next are cold, and their pages go back to the system: nothing is
//! given back per coroutine, and one deep call does not keep its pages for ever.
//!
//! A chunk with an abandoned stack in it is never unmapped: somebody may still point there.
//!
//! Deliberately absent: stacks of different sizes in one slab, and stacks that grow.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;

use corosensei::stack::{Stack, StackPointer};

use super::guard::{self, Guards, page_bytes};

/// Slots in a chunk.
pub(crate) const CHUNK: usize = 256;

/// The size of a guard in pages. Rust touches each page of a frame in turn, C does not, so a guard
/// has to be larger than a careless C frame.
const GUARD_PAGES: usize = 16;

/// The smallest stack, in pages: a panic with its message needs half of it.
const LEAST_PAGES: usize = 4;

/// The stacks of one worker.
#[derive(Debug)]
pub(crate) struct Slab {
    guards: Guards,
    stack_bytes: usize,
    guard_bytes: usize,
    limit: usize,
    chunks: RefCell<Vec<Chunk>>,
    /// How many slots have ever been used; the next new one has this number.
    carved: Cell<usize>,
    free: RefCell<Free>,
    /// Whether a free slot may have pages.
    dirty: Cell<bool>,
    /// The most that was seen touched of any stack, in bytes.
    deepest: Cell<usize>,
}

#[derive(Debug)]
struct Chunk {
    start: usize,
    /// Whether it must stay mapped for ever.
    leaked: bool,
}

#[derive(Debug, Default)]
struct Free {
    slots: Vec<u32>,
    /// So many at the bottom have no pages.
    clean: usize,
    /// So many at the bottom have not been used since the last sweep.
    cold: usize,
}

/// The memory of one slot.
#[derive(Debug)]
pub(crate) struct SlotStack {
    base: StackPointer,
    limit: StackPointer,
}

// SAFETY: `limit..base` is one slot of a slab, which nobody else has until it is given back; the
// page below `limit` is a guard (`Slab::carve`), and it is never smaller than `LEAST_PAGES`.
unsafe impl Stack for SlotStack {
    #[inline]
    fn base(&self) -> StackPointer {
        self.base
    }

    #[inline]
    fn limit(&self) -> StackPointer {
        self.limit
    }
}

impl Slab {
    /// A slab of up to `limit` stacks of at least `stack_bytes`, none of them mapped yet.
    pub(crate) fn new(stack_bytes: usize, limit: usize, guards: Guards) -> Slab {
        let page = page_bytes();
        let pages = stack_bytes.div_ceil(page).max(LEAST_PAGES);
        Slab {
            guards,
            stack_bytes: pages * page,
            guard_bytes: GUARD_PAGES * page,
            limit: limit.min(guards.most_stacks()),
            chunks: RefCell::default(),
            carved: Cell::new(0),
            free: RefCell::default(),
            dirty: Cell::new(false),
            deepest: Cell::new(0),
        }
    }

    /// A slot that nobody uses, and its number.
    ///
    /// # Errors
    /// `OutOfMemory`, saying which limit has been reached.
    pub(crate) fn take(&self) -> io::Result<(u32, SlotStack)> {
        let slot = match self.free.borrow_mut().pop() {
            Some(slot) => slot,
            None => self.carve()?,
        };
        Ok((slot, self.stack(slot)))
    }

    /// Takes a slot back whose coroutine is done.
    pub(crate) fn give_back(&self, slot: u32, _done: SlotStack) {
        self.free.borrow_mut().slots.push(slot);
        self.dirty.set(true);
    }

    /// Leaves a slot to its suspended coroutine for ever.
    pub(crate) fn abandon(&self, slot: u32) {
        self.chunks.borrow_mut()[slot as usize / CHUNK].leaked = true;
    }

    /// Gives back the pages of slots that were free all the time since the last sweep.
    pub(crate) fn sweep(&self) {
        let mut free = self.free.borrow_mut();
        for at in free.clean..free.cold {
            let stack = self.stack(free.slots[at]);
            if cfg!(debug_assertions) {
                // Its pages are about to be forgotten.
                self.note_depth(self.touched(free.slots[at], &mut Vec::new()));
            }
            // SAFETY: the slot is free: its last coroutine is done and no other has it yet.
            unsafe { guard::discard(stack.limit.get(), self.stack_bytes) };
        }
        free.clean = free.cold.max(free.clean);
        free.cold = free.slots.len();
        self.dirty.set(free.clean < free.cold);
    }

    /// Whether a sweep may find something, now or later.
    #[inline]
    pub(crate) fn wants_sweep(&self) -> bool {
        self.dirty.get()
    }

    /// The size of each stack.
    pub(crate) fn stack_bytes(&self) -> usize {
        self.stack_bytes
    }

    /// Where a stack is.
    pub(crate) fn range(&self, slot: u32) -> Range<usize> {
        let SlotStack { base, limit } = self.stack(slot);
        limit.get()..base.get()
    }

    /// How much of a stack has been touched, in bytes from its base to its lowest page that has
    /// memory, by whoever has had it since its pages were last given back. `pages` is room to look.
    pub(crate) fn touched(&self, slot: u32, pages: &mut Vec<u8>) -> usize {
        let range = self.range(slot);
        match guard::resident(range.start, range.len(), pages) {
            Ok(()) => self.depth(pages),
            // Out of memory: it cannot be said.
            Err(_) => 0,
        }
    }

    /// The most that was touched of any stack: of what has not been given back, and of what this
    /// or a sweep saw before.
    pub(crate) fn deepest(&self) -> usize {
        let (page, mut pages) = (page_bytes(), Vec::new());
        let (stride, guard) = (self.stride() / page, self.guard_bytes / page);
        for (number, chunk) in self.chunks.borrow().iter().enumerate() {
            let slots = (self.carved.get() - number * CHUNK).min(CHUNK);
            if guard::resident(chunk.start, slots * self.stride(), &mut pages).is_ok() {
                let depths = pages.chunks(stride).map(|slot| self.depth(&slot[guard..]));
                self.note_depth(depths.max().unwrap_or(0));
            }
        }
        self.deepest.get()
    }

    fn note_depth(&self, bytes: usize) {
        self.deepest.set(self.deepest.get().max(bytes));
    }

    /// From the lowest of the pages of a stack that has memory to its base, in bytes.
    fn depth(&self, pages: &[u8]) -> usize {
        let lowest = pages.iter().position(|page| *page == 1);
        lowest.map_or(0, |lowest| (pages.len() - lowest) * page_bytes())
    }

    /// The slot whose lower guard `address` is in. Takes no lock and no memory, for the handler of
    /// a fault; none while the slab is growing.
    pub(crate) fn overflowed(&self, address: usize) -> Option<u32> {
        let chunks = self.chunks.try_borrow().ok()?;
        let at = chunks
            .iter()
            .position(|chunk| (chunk.start..chunk.start + self.chunk_bytes()).contains(&address))?;
        let inside = address - chunks[at].start;
        let (slot, offset) = (inside / self.stride(), inside % self.stride());
        (offset < self.guard_bytes && slot < CHUNK).then_some((at * CHUNK + slot) as u32)
    }

    /// A slot that has never been used, with guards on both sides of it.
    fn carve(&self) -> io::Result<u32> {
        let slot = self.carved.get();
        if slot >= self.limit {
            return Err(self.exhausted());
        }
        if slot / CHUNK == self.chunks.borrow().len() {
            self.grow()?;
        }
        let above = self.chunk_start(slot) + (slot % CHUNK + 1) * self.stride();
        guard::install(above, self.guard_bytes, self.guards).map_err(no_memory)?;
        self.carved.set(slot + 1);
        Ok(slot as u32)
    }

    /// One more chunk, with its lowest guard.
    fn grow(&self) -> io::Result<()> {
        let start = guard::reserve(self.chunk_bytes()).map_err(no_memory)?;
        if let Err(error) = guard::install(start, self.guard_bytes, self.guards) {
            // SAFETY: the mapping has just been made, and nothing points into it.
            unsafe { guard::release(start, self.chunk_bytes()) };
            return Err(no_memory(error));
        }
        self.chunks.borrow_mut().push(Chunk { start, leaked: false });
        Ok(())
    }

    fn stack(&self, slot: u32) -> SlotStack {
        let slot = slot as usize;
        let below = self.chunk_start(slot) + slot % CHUNK * self.stride();
        let limit = NonZeroUsize::new(below + self.guard_bytes).expect("no mapping is at zero");
        let base = limit.checked_add(self.stack_bytes).expect("mappings do not wrap");
        SlotStack { base, limit }
    }

    fn chunk_start(&self, slot: usize) -> usize {
        self.chunks.borrow()[slot / CHUNK].start
    }

    fn stride(&self) -> usize {
        self.guard_bytes + self.stack_bytes
    }

    fn chunk_bytes(&self) -> usize {
        CHUNK * self.stride() + self.guard_bytes
    }

    fn exhausted(&self) -> io::Error {
        let why = if self.limit == self.guards.most_stacks() {
            let allowed = guard::mappings_allowed();
            format!("vm.max_map_count = {allowed} allows no more: raise it (two for each)")
        } else {
            "the limit of this worker is reached (Settings::coroutines)".to_owned()
        };
        let limit = self.limit;
        io::Error::new(io::ErrorKind::OutOfMemory, format!("{limit} coroutine stacks: {why}"))
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        let length = self.chunk_bytes();
        for chunk in self.chunks.get_mut().iter().filter(|chunk| !chunk.leaked) {
            // SAFETY: no coroutine of this chunk is left: those that are done gave their slots
            // back, and one that is not has marked the chunk as leaked.
            unsafe { guard::release(chunk.start, length) };
        }
    }
}

impl Free {
    fn pop(&mut self) -> Option<u32> {
        let slot = self.slots.pop()?;
        self.clean = self.clean.min(self.slots.len());
        self.cold = self.cold.min(self.slots.len());
        Some(slot)
    }
}

fn no_memory(error: io::Error) -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, format!("no memory for a coroutine stack: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(address: usize) {
        // SAFETY: the address is in a slot that the test has taken.
        unsafe { (address as *mut u8).write_volatile(1) };
    }

    /// Whether the page of this address has memory.
    fn is_resident(address: usize) -> bool {
        let (page, mut pages) = (page_bytes(), Vec::new());
        guard::resident(address / page * page, page, &mut pages).unwrap();
        pages == [1]
    }

    fn both(test: impl Fn(Guards)) {
        test(Guards::Protected);
        if Guards::probe().unwrap() == Guards::Marked {
            test(Guards::Marked);
        }
    }

    #[test]
    fn slots_are_apart_and_as_large_as_asked() {
        both(|guards| {
            let slab = Slab::new(100_000, 600, guards);
            assert_eq!(slab.stack_bytes() % page_bytes(), 0);
            let mut stacks: Vec<_> = (0..600).map(|_| slab.take().unwrap()).collect();
            assert!(slab.take().is_err());
            stacks.sort_by_key(|(_, stack)| stack.base);
            for (number, stack) in &stacks {
                let (limit, base) = (stack.limit.get(), stack.base.get());
                assert_eq!(base - limit, slab.stack_bytes());
                write(limit);
                write(base - 1);
                assert_eq!(slab.overflowed(limit - 1), Some(*number));
                assert_eq!(slab.overflowed(limit - GUARD_PAGES * page_bytes()), Some(*number));
                assert_eq!(slab.overflowed(limit), None);
                assert_eq!(slab.overflowed(base - 1), None);
            }
            let gaps = stacks.windows(2).map(|two| two[1].1.limit.get() - two[0].1.base.get());
            assert!(gaps.min().unwrap() >= GUARD_PAGES * page_bytes());
        });
    }

    #[test]
    fn the_last_in_is_the_first_out() {
        let slab = Slab::new(65_536, 10, Guards::probe().unwrap());
        let (one, two) = (slab.take().unwrap(), slab.take().unwrap());
        let numbers = (one.0, two.0);
        slab.give_back(one.0, one.1);
        slab.give_back(two.0, two.1);
        assert_eq!((slab.take().unwrap().0, slab.take().unwrap().0), (numbers.1, numbers.0));
    }

    #[test]
    fn a_sweep_takes_the_pages_of_what_nobody_used() {
        let slab = Slab::new(65_536, 10, Guards::probe().unwrap());
        let (cold, warm) = (slab.take().unwrap(), slab.take().unwrap());
        let deep = [cold.1.limit.get(), warm.1.limit.get()];
        deep.into_iter().for_each(write);
        assert!(!slab.wants_sweep());
        slab.give_back(cold.0, cold.1);
        slab.give_back(warm.0, warm.1);
        slab.sweep();
        assert_eq!(deep.map(is_resident), [true, true], "both were used since the last one");
        let warm = slab.take().unwrap();
        slab.give_back(warm.0, warm.1);
        slab.sweep();
        assert_eq!(deep.map(is_resident), [false, true]);
        assert!(slab.wants_sweep());
        slab.sweep();
        assert_eq!(deep.map(is_resident), [false, false]);
        assert!(!slab.wants_sweep());
        // Guards survive it.
        assert_eq!(slab.overflowed(deep[0] - 1), Some(0));
    }

    #[test]
    fn what_was_touched_is_seen_and_the_deepest_is_remembered() {
        both(|guards| {
            let (page, pages) = (page_bytes(), &mut Vec::new());
            let slab = Slab::new(65_536, 600, guards);
            let stacks: Vec<_> = (0..300).map(|_| slab.take().unwrap()).collect();
            assert_eq!((slab.touched(7, pages), slab.deepest()), (0, 0), "nothing yet");
            for (number, stack) in &stacks {
                assert_eq!(slab.range(*number), stack.limit.get()..stack.base.get());
                write(stack.base.get() - 1);
                assert_eq!(slab.touched(*number, pages), page);
            }
            let deep = |at: usize, depth: usize| write(stacks[at].1.base.get() - depth * page);
            deep(299, 5);
            let number = stacks[299].0;
            assert_eq!((slab.touched(number, pages), slab.deepest()), (5 * page, 5 * page));
            deep(3, 16);
            assert_eq!(slab.deepest(), 65_536, "all of it");
            assert_eq!(slab.touched(number, pages), 5 * page, "each for itself");
            stacks.into_iter().for_each(|(number, stack)| slab.give_back(number, stack));
            slab.sweep();
            slab.sweep();
            assert_eq!((slab.touched(3, pages), slab.deepest()), (0, 65_536));
        });
    }

    /// In debug builds also what nobody has asked for before its pages went.
    #[test]
    #[cfg(debug_assertions)]
    fn a_sweep_remembers_what_it_takes() {
        let slab = Slab::new(65_536, 10, Guards::probe().unwrap());
        let (number, stack) = slab.take().unwrap();
        write(stack.limit.get());
        slab.give_back(number, stack);
        slab.sweep();
        slab.sweep();
        assert_eq!((slab.touched(number, &mut Vec::new()), slab.deepest()), (0, 65_536));
    }

    #[test]
    fn a_chunk_with_an_abandoned_stack_stays_mapped() {
        let slab = Slab::new(65_536, 10, Guards::probe().unwrap());
        let (number, stack) = slab.take().unwrap();
        write(stack.limit.get());
        slab.abandon(number);
        drop(slab);
        assert!(is_resident(stack.limit.get()));
    }

    #[test]
    fn the_limit_of_protected_guards_says_what_to_raise() {
        let slab = Slab::new(65_536, usize::MAX, Guards::Protected);
        assert_eq!(slab.limit, Guards::Protected.most_stacks());
        assert!(slab.exhausted().to_string().contains("vm.max_map_count"));
    }
}
