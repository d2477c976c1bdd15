//! Who waits for a descriptor: a doubly linked list whose nodes are on the waiters' stacks.
//!
//! ```text
//!   registration ─► first ⇄ node ⇄ node ⇄ last      a node lives in `Waiters::during`, on the
//!                           │      │                stack of the coroutine that is parked there
//!                           slot   slot
//! ```
//! No allocation and no limit: one coroutine may read while another writes, and many may wait for
//! the same thing. Whoever stops waiting takes its node out, also when it is unwound. The node of an
//! abandoned coroutine stays in the list, and its stack stays where it is.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::slot::SlotRef;

/// Waits to read.
pub(crate) const READ: u32 = 1;
/// Waits to write.
pub(crate) const WRITE: u32 = 2;
/// What a failure is for everybody.
pub(crate) const FAILURE: u32 = 4;

/// The list.
#[derive(Debug)]
pub(crate) struct Waiters {
    first: Cell<*const Node>,
    last: Cell<*const Node>,
}

#[derive(Debug)]
struct Node {
    next: Cell<*const Node>,
    previous: Cell<*const Node>,
    slot: SlotRef,
    wants: u32,
}

impl Waiters {
    pub(crate) const fn new() -> Waiters {
        Waiters { first: Cell::new(ptr::null()), last: Cell::new(ptr::null()) }
    }

    /// Runs `park` while `slot` is in the list, last of all.
    #[inline]
    pub(crate) fn during<T>(&self, slot: SlotRef, wants: u32, park: impl FnOnce() -> T) -> T {
        let node = Node {
            next: Cell::new(ptr::null()),
            previous: Cell::new(self.last.get()),
            slot,
            wants: wants | FAILURE,
        };
        let here: *const Node = &raw const node;
        match self.node(self.last.get()) {
            Some(last) => last.next.set(here),
            None => self.first.set(here),
        }
        self.last.set(here);
        let _linked = Linked { list: self, node: &node };
        park()
    }

    /// Calls `wake` for everybody who wants any of `has`, in the order of their coming.
    #[inline]
    pub(crate) fn wake(&self, has: u32, wake: impl Fn(SlotRef)) {
        let mut next = self.first.get();
        while let Some(node) = self.node(next) {
            next = node.next.get();
            if node.wants & has != 0 {
                wake(node.slot);
            }
        }
    }

    #[inline]
    fn node(&self, node: *const Node) -> Option<&Node> {
        // SAFETY: a pointer in this list is null or a node that is in it. Such a node is alive: it
        // is taken out before `during` returns or unwinds, and a stack on which neither happens is
        // never freed. Only one thread has the list.
        NonNull::new(node.cast_mut()).map(|node| unsafe { node.as_ref() })
    }
}

/// Takes a node out of its list.
struct Linked<'a> {
    list: &'a Waiters,
    node: &'a Node,
}

impl Drop for Linked<'_> {
    #[inline]
    fn drop(&mut self) {
        let (previous, next) = (self.node.previous.get(), self.node.next.get());
        match self.list.node(previous) {
            Some(previous) => previous.next.set(next),
            None => self.list.first.set(next),
        }
        match self.list.node(next) {
            Some(next) => next.previous.set(previous),
            None => self.list.last.set(previous),
        }
    }
}
