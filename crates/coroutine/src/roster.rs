//! Where a debugger finds the coroutines: a list of all workers from one symbol.
//!
//! ```text
//!   SWITCHBOARD_COROUTINES ─► worker ─► tables: 256 slots, 256 names │ as many │ …
//!     (layouts)                 └─► worker ─► …
//! ```
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
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

use crate::slot::Slot;
use crate::stack::slab::CHUNK;

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
    name_bytes: usize,
    /// In a name, where the address of its text is, and where its length.
    name_text: AtomicUsize,
    name_length: AtomicUsize,
    workers: AtomicPtr<Entry>,
}

/// The only one. Its name is an interface: debuggers look for it.
// SAFETY: the name is this crate's own, and nothing else in a program is called that.
#[unsafe(no_mangle)]
pub(crate) static SWITCHBOARD_COROUTINES: Root = Root {
    version: 1,
    chunk: CHUNK,
    slot_bytes: size_of::<Slot>(),
    slot_state: offset_of!(Slot, state),
    slot_id: offset_of!(Slot, id),
    slot_fiber: offset_of!(Slot, fiber),
    fiber_bytes: Slot::FIBER_BYTES,
    name_bytes: size_of::<Mutex<String>>(),
    name_text: AtomicUsize::new(0),
    name_length: AtomicUsize::new(0),
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
    tables: *const Table,
    count: usize,
}

/// The slots and names of up to 256 coroutines; null until there are some.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: AtomicPtr<Slot>,
    names: AtomicPtr<Mutex<String>>,
}

/// The tables of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Tables(Arc<[Table]>);

impl Tables {
    /// Tables for so many coroutines.
    pub(crate) fn new(coroutines: usize) -> Tables {
        Tables((0..coroutines.div_ceil(CHUNK)).map(|_| Table::default()).collect())
    }

    /// Notes the slots from `number` on, which stay where they are.
    pub(crate) fn note_slots(&self, number: u32, slots: &[Slot]) {
        self.0[number as usize / CHUNK].slots.store(slots.as_ptr().cast_mut(), Release);
    }

    /// The same of their names.
    pub(crate) fn note_names(&self, number: u32, names: &[Mutex<String>]) {
        self.0[number as usize / CHUNK].names.store(names.as_ptr().cast_mut(), Release);
    }
}

/// While it lives, a debugger finds the worker.
#[derive(Debug)]
pub(crate) struct Listed {
    entry: *mut Entry,
    /// What the entry points to.
    _tables: Tables,
}

/// Held while the list changes.
static CHANGING: Mutex<()> = Mutex::new(());

impl Listed {
    /// Lists a worker of this thread.
    pub(crate) fn new(thread: i32, stack_bytes: usize, tables: &Tables) -> Listed {
        let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        let root = &SWITCHBOARD_COROUTINES;
        if let Some((text, length)) = name_layout() {
            root.name_text.store(text, Relaxed);
            root.name_length.store(length, Relaxed);
        }
        let entry = Box::into_raw(Box::new(Entry {
            next: AtomicPtr::new(root.workers.load(Relaxed)),
            thread: thread as usize,
            stack_bytes,
            tables: tables.0.as_ptr(),
            count: tables.0.len(),
        }));
        root.workers.store(entry, Release);
        Listed { entry, _tables: tables.clone() }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Where in a `Mutex<String>` the address of the text is, and where its length. The standard
/// library does not say, so it is looked up in one whose text is known.
fn name_layout() -> Option<(usize, usize)> {
    const LENGTH: usize = 11;
    const ROOM: usize = 77;
    let mut text = String::with_capacity(ROOM);
    text.push_str(&"x".repeat(LENGTH));
    let address = text.as_ptr() as usize;
    let name = Mutex::new(text);
    let inside = {
        let locked = name.lock().unwrap_or_else(PoisonError::into_inner);
        ptr::from_ref::<String>(&locked) as usize - ptr::from_ref(&name) as usize
    };
    let text = name.into_inner().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: a `String` is three words, none of them padding: address, length and room.
    let words = unsafe { std::mem::transmute::<&String, &[usize; 3]>(&text) };
    let at = |value| words.iter().position(|word| *word == value).map(|at| inside + at * WORD);
    Some((at(address)?, at(LENGTH)?))
}

const WORD: usize = size_of::<usize>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_of_a_name_is_found() {
        let (text, length) = name_layout().expect("the words are there");
        assert!(text != length && text.max(length) + WORD <= size_of::<Mutex<String>>());
    }

    #[test]
    fn a_worker_is_in_the_list_while_it_runs() {
        let in_list = |entry: *mut Entry| {
            let _changing = CHANGING.lock().unwrap();
            let mut at = SWITCHBOARD_COROUTINES.workers.load(Relaxed);
            while !at.is_null() && at != entry {
                // SAFETY: in the list, which does not change meanwhile.
                at = unsafe { &(*at).next }.load(Relaxed);
            }
            at == entry
        };
        let tables = Tables::new(1);
        let (one, two) = (Listed::new(1, 1, &tables), Listed::new(2, 1, &tables));
        let (first, second) = (one.entry, two.entry);
        assert!(in_list(first) && in_list(second));
        drop(one);
        assert!(!in_list(first) && in_list(second));
        drop(two);
        assert!(!in_list(second));
    }
}
