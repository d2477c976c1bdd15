//! Where a debugger finds the coroutines: a list of all workers from one symbol.
//!
//! ```text
//!   SWITCHBOARD_COROUTINES ─► worker ─► tables: 256 stacks │ as many │ …
//!     (layouts)                 └─► worker ─► …
//! ```
//! Slot and name of a coroutine are at the top of its stack, see `stack/head.rs`.
//! `tools/gdb/coroutines.py` walks this, in a process that is stopped and in a core file, also of a
//! program without debug information: so the root says how large a slot is and where in it lies
//! what. It costs a running program two stores for every 256 coroutines that live at once.
//!
//! The stack pointer of a suspended coroutine is in its `Fiber`, which is corosensei's and private.
//! The script takes every word of it that points into the stack: there are two, where the coroutine
//! began and where it is, and the lower one is the latter. While it runs there is only the first.
//!
//! What it deliberately does not do: serve anything but a debugger. Nobody reads it in here.

#![allow(unsafe_code)]

use std::mem::{offset_of, size_of};
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

use socket::process::hold_forks;

use crate::slot::Slot;
use crate::stack::slab::{CHUNK, Layout};

/// The root. Its first word says how the rest is to be read, and the script refuses what it does
/// not know.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Root {
    version: usize,
    chunk: usize,
    slot_bytes: usize,
    slot_state: usize,
    slot_id: usize,
    slot_fiber: usize,
    fiber_bytes: usize,
    workers: AtomicPtr<Entry>,
}

/// The only one. Its name is an interface: debuggers look for it.
// SAFETY: the name is this crate's own, and nothing else in a program is called that.
#[unsafe(no_mangle)]
pub(crate) static SWITCHBOARD_COROUTINES: Root = Root {
    version: 2,
    chunk: CHUNK,
    slot_bytes: size_of::<Slot>(),
    slot_state: offset_of!(Slot, state),
    slot_id: offset_of!(Slot, id),
    slot_fiber: offset_of!(Slot, fiber),
    fiber_bytes: Slot::FIBER_BYTES,
    workers: AtomicPtr::new(ptr::null_mut()),
};

/// One worker.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Entry {
    next: AtomicPtr<Entry>,
    /// Its thread, as `gettid(2)` says.
    thread: usize,
    stack_bytes: usize,
    /// From one stack to the next: what is between them is a guard.
    stride: usize,
    tables: *const Table,
    count: usize,
}

/// Where the stacks of up to 256 coroutines begin; zero while there are none.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Table {
    stacks: AtomicUsize,
}

/// The tables of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Tables(Arc<[Table]>);

impl Tables {
    /// Tables for so many coroutines.
    pub(crate) fn new(coroutines: usize) -> Tables {
        Tables((0..coroutines.div_ceil(CHUNK)).map(|_| Table::default()).collect())
    }

    /// Notes where the stacks of a chunk begin.
    pub(crate) fn note(&self, chunk: usize, stacks: usize) {
        self.0[chunk].stacks.store(stacks, Release);
    }

    /// Notes that a chunk is about to go.
    pub(crate) fn forget(&self, chunk: usize) {
        self.note(chunk, 0);
    }

    /// Notes that all are.
    pub(crate) fn forget_all(&self) {
        (0..self.0.len()).for_each(|chunk| self.forget(chunk));
    }

    /// Where the chunk of this slot's stack begins, if there is one.
    pub(crate) fn stacks_of(&self, number: u32) -> Option<usize> {
        let start = self.0.get(number as usize / CHUNK)?.stacks.load(Acquire);
        (start != 0).then_some(start)
    }
}

/// While it lives, a debugger finds the worker.
#[derive(Debug)]
pub(crate) struct Listed {
    entry: *mut Entry,
    /// What the entry points to.
    _tables: Tables,
}

/// Held while the list changes; and no child is forked meanwhile, which would find it locked.
fn changing() -> impl Sized {
    static CHANGING: Mutex<()> = Mutex::new(());
    let forks = hold_forks();
    (CHANGING.lock().unwrap_or_else(PoisonError::into_inner), forks)
}

impl Listed {
    /// Lists a worker of this thread.
    pub(crate) fn new(thread: i32, layout: Layout, tables: &Tables) -> Listed {
        let _changing = changing();
        let root = &SWITCHBOARD_COROUTINES;
        let entry = Box::into_raw(Box::new(Entry {
            next: AtomicPtr::new(root.workers.load(Relaxed)),
            thread: thread as usize,
            stack_bytes: layout.stack_bytes,
            stride: layout.stride(),
            tables: tables.0.as_ptr(),
            count: tables.0.len(),
        }));
        root.workers.store(entry, Release);
        Listed { entry, _tables: tables.clone() }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let _changing = changing();
        // SAFETY: made by `new` and freed only below.
        let next = unsafe { &(*self.entry).next }.load(Relaxed);
        let mut link = &SWITCHBOARD_COROUTINES.workers;
        while link.load(Relaxed) != self.entry {
            // SAFETY: what is in the list lives until its own drop, which takes the same lock, and
            // this entry comes later in it.
            link = unsafe { &(*link.load(Relaxed)).next };
        }
        link.store(next, Release);
        // SAFETY: from `into_raw`, and no longer in the list.
        drop(unsafe { Box::from_raw(self.entry) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_in_the_list_while_it_runs() {
        let in_list = |entry: *mut Entry| {
            let _changing = changing();
            let mut at = SWITCHBOARD_COROUTINES.workers.load(Relaxed);
            while !at.is_null() && at != entry {
                // SAFETY: in the list, which does not change meanwhile.
                at = unsafe { &(*at).next }.load(Relaxed);
            }
            at == entry
        };
        let tables = Tables::new(1);
        let layout = Layout::new(1);
        let (one, two) = (Listed::new(1, layout, &tables), Listed::new(2, layout, &tables));
        let (first, second) = (one.entry, two.entry);
        assert!(in_list(first) && in_list(second));
        drop(one);
        assert!(!in_list(first) && in_list(second));
        drop(two);
        assert!(!in_list(second));
    }
}
