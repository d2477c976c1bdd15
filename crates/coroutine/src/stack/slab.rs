//! The slab: all stacks of a worker, as equal slots of a few large reservations.
//!
//! ```text
//!   one chunk: 256 slots, one mapping, made when the one before is full
//!   ├ guard ┼──── slot 0 ────┼ guard ┼──── slot 1 ────┼ guard ┼ … ┼─── slot 255 ───┼ guard ┤
//!           ▲ limit     base ▲
//!             ◄── grows down
//! ```
//! At the base is the [head](super::head). A slot costs address space; memory only where it was
//! touched. Guards are installed when a slot is used for the first time. Free slots are a list of
//! numbers outside the stacks, last in first out, so that a slot in use again is a warm one. Slots
//! that lay free from one [sweep](Slab::sweep) to the next are cold, and their pages go back to the
//! system: nothing is given back per coroutine, and one deep call does not keep its pages for ever.
//!
//! A chunk of which nothing is used goes as a whole: its page tables, which a slot of 256 KiB has
//! 640 bytes of, are given back in no other way. Of slots without pages the lowest is taken first,
//! so that the highest chunks empty.
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
use super::head;

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
    layout: Layout,
    limit: usize,
    chunks: RefCell<Vec<Chunk>>,
    /// How many slots there are.
    carved: Cell<usize>,
    /// The chunk from which new ones are cut.
    open: Cell<usize>,
    free: RefCell<Free>,
    /// Whether a free slot may have pages.
    dirty: Cell<bool>,
    /// The most that was seen touched of any stack, in bytes.
    deepest: Cell<usize>,
}

/// How a chunk is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) stack_bytes: usize,
    guard_bytes: usize,
}

impl Layout {
    /// That of stacks of at least so many bytes.
    pub(crate) fn new(stack_bytes: usize) -> Layout {
        let page = page_bytes();
        let pages = stack_bytes.div_ceil(page).max(LEAST_PAGES);
        Layout { stack_bytes: pages * page, guard_bytes: GUARD_PAGES * page }
    }

    /// From one stack to the next.
    pub(crate) fn stride(self) -> usize {
        self.guard_bytes + self.stack_bytes
    }

    fn chunk_bytes(self) -> usize {
        CHUNK * self.stride() + self.guard_bytes
    }

    /// Where a stack ends, in a chunk that begins at `start`.
    pub(crate) fn top(self, start: usize, slot: u32) -> usize {
        start + (slot as usize % CHUNK + 1) * self.stride()
    }
}

#[derive(Debug)]
struct Chunk {
    /// Zero: there is none, or no longer.
    start: usize,
    /// How many of its slots have ever been used.
    carved: usize,
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
    pub(super) base: StackPointer,
    pub(super) limit: StackPointer,
}

impl SlotStack {
    /// Names the coroutine that is to have it, and keeps room for its slot.
    pub(crate) fn named(self, name: &str) -> SlotStack {
        head::write(self, name)
    }
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
        Slab {
            guards,
            layout: Layout::new(stack_bytes),
            limit: limit.min(guards.most_stacks()),
            chunks: RefCell::default(),
            carved: Cell::new(0),
            open: Cell::new(0),
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
            unsafe { guard::discard(stack.limit.get(), self.layout.stack_bytes) };
        }
        free.clean = free.cold.max(free.clean);
        free.cold = free.slots.len();
        self.dirty.set(free.clean < free.cold);
        let clean = free.clean;
        free.slots[..clean].sort_unstable_by(|one, other| other.cmp(one));
    }

    /// A chunk of whose slots none is used or has pages, if there is one. It is nobody's then, and
    /// is to be [released](Self::release).
    pub(crate) fn unused(&self) -> Option<usize> {
        let (mut free, chunks) = (self.free.borrow_mut(), self.chunks.borrow());
        let (mut first, mut found) = (0, None);
        // Sorted by the sweep, so those of one chunk stand together.
        let one_chunk = |one: &u32, other: &u32| *one as usize / CHUNK == *other as usize / CHUNK;
        for slots in free.slots[..free.clean].chunk_by(one_chunk) {
            let chunk = slots[0] as usize / CHUNK;
            if slots.len() == chunks[chunk].carved {
                found = Some((chunk, first..first + slots.len()));
                break;
            }
            first += slots.len();
        }
        let (chunk, slots) = found?;
        free.clean -= slots.len();
        free.cold -= slots.len();
        free.slots.drain(slots);
        Some(chunk)
    }

    /// Gives back a chunk that was [unused](Self::unused).
    pub(crate) fn release(&self, chunk: usize) {
        let mut chunks = self.chunks.borrow_mut();
        self.carved.set(self.carved.get() - chunks[chunk].carved);
        let start = std::mem::take(&mut chunks[chunk].start);
        chunks[chunk].carved = 0;
        // SAFETY: all of its slots were free, so nothing points there, and they are no longer in
        // the list.
        unsafe { guard::release(start, self.layout.chunk_bytes()) };
    }

    /// Whether a sweep may find something, now or later.
    #[inline]
    pub(crate) fn wants_sweep(&self) -> bool {
        self.dirty.get()
    }

    /// How its chunks are cut.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Where the chunk of a slot that is in use begins.
    pub(crate) fn start_of(&self, slot: u32) -> usize {
        self.chunk_start(slot as usize)
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
        let (stride, guard) = (self.layout.stride() / page, self.layout.guard_bytes / page);
        for chunk in self.chunks.borrow().iter().filter(|chunk| chunk.carved > 0) {
            let length = chunk.carved * self.layout.stride();
            if guard::resident(chunk.start, length, &mut pages).is_ok() {
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
        let length = self.layout.chunk_bytes();
        let is_in = |chunk: &Chunk| {
            chunk.start != 0 && (chunk.start..chunk.start + length).contains(&address)
        };
        let at = chunks.iter().position(is_in)?;
        let inside = address - chunks[at].start;
        let (slot, offset) = (inside / self.layout.stride(), inside % self.layout.stride());
        (offset < self.layout.guard_bytes && slot < CHUNK).then_some((at * CHUNK + slot) as u32)
    }

    /// A slot that has never been used, with guards on both sides of it.
    fn carve(&self) -> io::Result<u32> {
        if self.carved.get() >= self.limit {
            return Err(self.exhausted());
        }
        if self.chunks.borrow().get(self.open.get()).is_none_or(Chunk::is_full) {
            self.grow()?;
        }
        let open = self.open.get();
        let chunk = &mut self.chunks.borrow_mut()[open];
        let slot = (open * CHUNK + chunk.carved) as u32;
        let above = self.layout.top(chunk.start, slot);
        guard::install(above, self.layout.guard_bytes, self.guards).map_err(no_memory)?;
        chunk.carved += 1;
        self.carved.set(self.carved.get() + 1);
        Ok(slot)
    }

    /// One more chunk, with its lowest guard, from which slots are cut from now on.
    fn grow(&self) -> io::Result<()> {
        let start = guard::reserve(self.layout.chunk_bytes()).map_err(no_memory)?;
        if let Err(error) = guard::install(start, self.layout.guard_bytes, self.guards) {
            // SAFETY: the mapping has just been made, and nothing points into it.
            unsafe { guard::release(start, self.layout.chunk_bytes()) };
            return Err(no_memory(error));
        }
        let mut chunks = self.chunks.borrow_mut();
        let chunk = Chunk { start, carved: 0, leaked: false };
        let at = chunks.iter().position(|chunk| chunk.start == 0).unwrap_or(chunks.len());
        match chunks.get_mut(at) {
            Some(gone) => *gone = chunk,
            None => chunks.push(chunk),
        }
        self.open.set(at);
        Ok(())
    }

    fn stack(&self, slot: u32) -> SlotStack {
        let top = self.layout.top(self.chunk_start(slot as usize), slot);
        let limit = NonZeroUsize::new(top - self.layout.stack_bytes);
        let limit = limit.expect("no mapping is at zero");
        let base = NonZeroUsize::new(top).expect("mappings do not wrap");
        SlotStack { base, limit }
    }

    fn chunk_start(&self, slot: usize) -> usize {
        self.chunks.borrow()[slot / CHUNK].start
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
        let length = self.layout.chunk_bytes();
        for chunk in self.chunks.get_mut().iter().filter(|chunk| chunk.start != 0 && !chunk.leaked)
        {
            // SAFETY: no coroutine of this chunk is left: those that are done gave their slots
            // back, and one that is not has marked the chunk as leaked.
            unsafe { guard::release(chunk.start, length) };
        }
    }
}

impl Chunk {
    /// Whether nothing can be cut from it.
    fn is_full(&self) -> bool {
        self.start == 0 || self.carved == CHUNK
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
            assert_eq!(slab.layout().stack_bytes % page_bytes(), 0);
            let mut stacks: Vec<_> = (0..600).map(|_| slab.take().unwrap()).collect();
            assert!(slab.take().is_err());
            stacks.sort_by_key(|(_, stack)| stack.base);
            for (number, stack) in &stacks {
                let (limit, base) = (stack.limit.get(), stack.base.get());
                assert_eq!(base - limit, slab.layout().stack_bytes);
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
    fn a_chunk_that_nobody_uses_goes_and_another_may_come_in_its_place() {
        both(|guards| {
            let slab = Slab::new(65_536, 600, guards);
            let mut stacks: Vec<_> = (0..600).map(|_| slab.take().unwrap()).collect();
            let start = slab.start_of(256);
            let kept = stacks.swap_remove(300);
            let give_back = |(number, stack)| slab.give_back(number, stack);
            stacks.into_iter().for_each(give_back);
            slab.sweep();
            assert_eq!(slab.unused(), None, "used since the sweep before");
            slab.sweep();
            // One of the second chunk is in use, and the third is not full.
            let mut unused: Vec<_> = std::iter::from_fn(|| slab.unused()).collect();
            unused.sort_unstable();
            assert_eq!(unused, [0, 2]);
            unused.into_iter().for_each(|chunk| slab.release(chunk));
            assert_eq!((slab.carved.get(), slab.free.borrow().slots.len()), (256, 255));
            assert_eq!(slab.overflowed(8), None, "at no address is no stack");
            assert_eq!((slab.start_of(kept.0), slab.deepest()), (start, 0));
            // The lowest first, then new ones up to the limit, which fill the gaps.
            let mut again: Vec<u32> = (0..599).map(|_| slab.take().unwrap().0).collect();
            assert!(again[..255].is_sorted() && again[0] == 256);
            assert!(slab.take().is_err());
            again.push(kept.0);
            again.sort_unstable();
            assert_eq!(again, (0..600).collect::<Vec<u32>>());
            let (limit, number) = (slab.range(599).start, Some(599));
            write(limit);
            assert_eq!((slab.overflowed(limit - 1), slab.overflowed(limit)), (number, None));
        });
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
