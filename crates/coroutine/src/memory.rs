//! The memory that a coroutine receives into: its own, or a buffer that is lent while it is needed.
//!
//! ```text
//!   stock ──there is something──► the caller's slot ──read──┐
//!     ▲──────────── the caller waits for more ──────────────┘
//! ```
//! A worker with a busy thousand of connections gets by with two or three buffers, which stay in
//! the processor's cache; one that is idle keeps no more than [`STOCK`].
//!
//! What it deliberately does not do: lend for more than one receive at a time.

use std::cell::{Cell, RefCell};

use socket::seam::{Buffer, new_buffer};

/// Where the bytes of a receive go.
pub(crate) trait Memory {
    /// Memory that is not empty. Called again, it is the same.
    fn lend(&mut self) -> &mut [u8];

    /// Nothing was received into it, and nothing will be before it is lent again: the caller is
    /// about to wait.
    fn take_back(&mut self);

    /// Where a buffer may be put in which something has been received already, and where others
    /// are to be had; `None` if it has to be this memory.
    fn slot(&mut self) -> Option<(&mut Option<Buffer>, &Stock)>;
}

/// Memory that the caller has anyway.
pub(crate) struct Own<'a>(pub(crate) &'a mut [u8]);

impl Memory for Own<'_> {
    #[inline(always)]
    fn lend(&mut self) -> &mut [u8] {
        self.0
    }

    #[inline(always)]
    fn take_back(&mut self) {}

    #[inline(always)]
    fn slot(&mut self) -> Option<(&mut Option<Buffer>, &Stock)> {
        None
    }
}

/// A buffer of the stock, put where the caller wants it.
pub(crate) struct Lent<'a> {
    pub(crate) buffer: &'a mut Option<Buffer>,
    pub(crate) stock: &'a Stock,
}

impl Memory for Lent<'_> {
    #[inline(always)]
    fn lend(&mut self) -> &mut [u8] {
        &mut self.buffer.get_or_insert_with(|| self.stock.take())[..]
    }

    #[inline(always)]
    fn take_back(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.stock.put(buffer);
        }
    }

    #[inline(always)]
    fn slot(&mut self) -> Option<(&mut Option<Buffer>, &Stock)> {
        Some((self.buffer, self.stock))
    }
}

/// Buffers that nobody uses.
#[derive(Default)]
pub(crate) struct Stock {
    /// The one that was used last.
    hot: Cell<Option<Buffer>>,
    others: RefCell<Vec<Buffer>>,
}

/// How many are kept: what connections of one turn can need at once, where each holds on to
/// something unread.
const STOCK: usize = 16;

impl Stock {
    /// One of them, or a new one.
    #[inline(always)]
    pub(crate) fn take(&self) -> Buffer {
        match self.hot.take() {
            Some(buffer) => buffer,
            None => self.another(),
        }
    }

    #[inline(never)]
    fn another(&self) -> Buffer {
        self.others.borrow_mut().pop().unwrap_or_else(new_buffer)
    }

    /// Takes one back.
    #[inline(always)]
    pub(crate) fn put(&self, buffer: Buffer) {
        if let Some(before) = self.hot.replace(Some(buffer)) {
            self.keep(before);
        }
    }

    #[inline(never)]
    fn keep(&self, buffer: Buffer) {
        let mut others = self.others.borrow_mut();
        if others.len() < STOCK {
            others.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_that_was_used_last_is_lent_next() {
        let stock = Stock::default();
        let (mut first, mut second) = (None, None);
        let mut one = Lent { buffer: &mut first, stock: &stock };
        let mut other = Lent { buffer: &mut second, stock: &stock };
        let addresses = (one.lend().as_ptr(), other.lend().as_ptr());
        assert_ne!(addresses.0, addresses.1);
        assert_eq!(one.lend().as_ptr(), addresses.0);
        one.take_back();
        other.take_back();
        assert_eq!((one.lend().as_ptr(), other.lend().as_ptr()), (addresses.1, addresses.0));
    }

    #[test]
    fn no_more_than_a_few_are_kept() {
        let stock = Stock::default();
        (0..100).map(|_| new_buffer()).collect::<Vec<_>>().into_iter().for_each(|b| stock.put(b));
        assert_eq!(stock.others.borrow().len(), STOCK);
    }
}
