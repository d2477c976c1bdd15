//! Who waits for a descriptor: a doubly linked list whose nodes are on the waiters' stacks.
//!
//! ```text
//!   registration ─► first ⇄ node ⇄ node ⇄ last      a node lives in `Waiters::during`, on the
//!         │                 │      │                stack of the coroutine that is parked there
//!       reader              slot   slot
//! ```
//! The usual case, one who reads, is kept without a node.
//!
//! No allocation and no limit: one coroutine may read while another writes, and many may wait for
//! the same thing. Whoever stops waiting takes its node out, also when it is unwound. The node of
//! an abandoned coroutine stays in the list, and its stack stays where it is.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::slot::SlotRef;

/// Waits to read. These are epoll's own bits.
pub(crate) const READ: u32 = libc::EPOLLIN as u32;
/// Waits to write.
pub(crate) const WRITE: u32 = libc::EPOLLOUT as u32;
/// What a failure is for everybody.
pub(crate) const FAILURE: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;

/// The list.
#[derive(Debug)]
pub(crate) struct Waiters {
    /// Reads, and came when nobody else was waiting.
    reader: Cell<Option<SlotRef>>,
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
        Waiters {
            reader: Cell::new(None),
            first: Cell::new(ptr::null()),
            last: Cell::new(ptr::null()),
        }
    }

    /// Runs `park` while `slot` is in the list, last of all.
    #[inline]
    pub(crate) fn during<T>(&self, slot: SlotRef, wants: u32, park: impl FnOnce() -> T) -> T {
        let node = Node::new(slot, wants);
        self.link(&node);
        let _linked = Linked { list: self, node: &node };
        park()
    }

    /// [`during`](Self::during), for whoever waits to read.
    #[inline(always)]
    pub(crate) fn while_reading<T>(&self, slot: SlotRef, park: impl FnOnce() -> T) -> T {
        if !self.is_empty() {
            return self.while_reading_with_others(slot, park);
        }
        let _reads = self.read(slot);
        park()
    }

    /// Whether nobody waits.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.reader.get().is_none() && self.first.get().is_null()
    }

    /// Who reads, if nobody else waits.
    #[inline(always)]
    pub(crate) fn only_reader(&self) -> Option<SlotRef> {
        match self.first.get().is_null() {
            true => self.reader.get(),
            false => None,
        }
    }

    /// Makes `slot` the reader until what is answered is dropped. The list must be
    /// [empty](Self::is_empty).
    #[inline(always)]
    pub(crate) fn read(&self, slot: SlotRef) -> Reads<'_> {
        self.reader.set(Some(slot));
        Reads(self)
    }

    #[cold]
    #[inline(never)]
    fn while_reading_with_others<T>(&self, slot: SlotRef, park: impl FnOnce() -> T) -> T {
        self.during(slot, READ, park)
    }

    /// Puts `slot` in the list, last of all, until what is answered is dropped. For whoever waits
    /// in several lists at once.
    pub(crate) fn join(&self, slot: SlotRef, wants: u32) -> Joined<'_> {
        let node = Box::new(Node::new(slot, wants));
        self.link(&node);
        Joined { list: self, node }
    }

    /// Puts a node in, which its caller takes out before it goes.
    #[inline]
    fn link(&self, node: &Node) {
        node.previous.set(self.last.get());
        match self.node(self.last.get()) {
            Some(last) => last.next.set(node),
            None => self.first.set(node),
        }
        self.last.set(node);
    }

    #[inline]
    fn unlink(&self, node: &Node) {
        let (previous, next) = (node.previous.get(), node.next.get());
        match self.node(previous) {
            Some(previous) => previous.next.set(next),
            None => self.first.set(next),
        }
        match self.node(next) {
            Some(next) => next.previous.set(previous),
            None => self.last.set(previous),
        }
    }

    /// Calls `wake` for everybody who wants any of `has`, in the order of their coming, and answers
    /// whether there is a reader without a node.
    #[inline]
    pub(crate) fn wake(&self, has: u32, wake: impl Fn(SlotRef)) -> bool {
        let reader = self.reader.get();
        if has & (READ | FAILURE) != 0
            && let Some(reader) = reader
        {
            wake(reader);
        }
        let mut next = self.first.get();
        while let Some(node) = self.node(next) {
            next = node.next.get();
            if node.wants & has != 0 {
                wake(node.slot);
            }
        }
        reader.is_some()
    }

    #[inline]
    fn node(&self, node: *const Node) -> Option<&Node> {
        // SAFETY: a pointer in this list is null or a node that is in it. Such a node is alive and
        // where it was: it is taken out before `during` returns or unwinds, or before the box that
        // holds it is freed; a stack on which neither happens is never freed, and nor is the box.
        // There are only shared references to nodes, and only one thread has the list.
        NonNull::new(node.cast_mut()).map(|node| unsafe { node.as_ref() })
    }
}

impl Node {
    #[inline]
    fn new(slot: SlotRef, wants: u32) -> Node {
        let (next, previous) = (Cell::new(ptr::null()), Cell::new(ptr::null()));
        Node { next, previous, slot, wants: wants | FAILURE }
    }
}

/// Takes the reader out.
pub(crate) struct Reads<'a>(&'a Waiters);

impl Drop for Reads<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.reader.set(None);
    }
}

/// Takes a node on the stack out of its list.
struct Linked<'a> {
    list: &'a Waiters,
    node: &'a Node,
}

impl Drop for Linked<'_> {
    #[inline]
    fn drop(&mut self) {
        self.list.unlink(self.node);
    }
}

/// A place in a list, see [`Waiters::join`]. On an abandoned stack it is never dropped, and its
/// node is never freed.
#[derive(Debug)]
pub(crate) struct Joined<'a> {
    list: &'a Waiters,
    node: Box<Node>,
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        self.list.unlink(&self.node);
    }
}
