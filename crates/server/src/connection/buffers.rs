//! The buffers of connections: lent by the thread while there is something in them.
//!
//! ```text
//!   the worker's stock ──taken when bytes come──► a connection's input
//!                      ◄──given back when it is empty and waits─────
//! ```
//! A connection that waits for its peer has none, and what is lent is what was last used, still in
//! the processor's cache: a busy worker gets by with a few, however many connections it has. The
//! input is lent by the driver that receives, see `socket::seam::recv_lent`, the output here.
//!
//! What is not lent: the memory of a datagram or of a message, which may be larger.

use std::cell::RefCell;
use std::mem;

use socket::seam::{BUFFER_BYTES, Buffer};

/// Reads of this much go past the buffer.
pub(super) const INPUT_BYTES: usize = BUFFER_BYTES;
/// Bytes that are written before they are sent: a page holds an answer's head, two hold most.
pub(super) const OUTPUT_BYTES: usize = 8 * 1024;
/// The most that a datagram of any family here can hold, near enough: the 16-bit length of UDP.
pub(super) const DATAGRAM_BYTES: usize = 65_535;
/// An output up to this size is a connection's own: to get one costs more than to keep it.
pub(super) const OWN_BYTES: usize = 128;
/// How many outputs a thread keeps.
const STOCK: usize = 16;

thread_local! {
    static OUTPUTS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes received and not yet read by the handler.
///
/// ```text
///   bytes: [ read already | position .. end: to be read | room ]
/// ```
#[derive(Default)]
pub(super) struct Input {
    pub(super) lent: Option<Buffer>,
    /// Instead of that, of a datagram or message.
    pub(super) own: Vec<u8>,
    pub(super) position: usize,
    pub(super) end: usize,
}

impl Input {
    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        match &self.lent {
            Some(lent) => &lent[self.position..self.end],
            // What was lent may be gone, see `answer`, or back where it came from.
            None => self.own.get(self.position..self.end).unwrap_or_default(),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.position == self.end
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.end - self.position
    }
}

/// Makes room in an output for so many bytes more. `more`: there will be other answers, since more
/// has been received than this one is for.
#[inline(never)]
pub(super) fn grow(output: &mut Vec<u8>, bytes: usize, more: bool) {
    let needed = output.len() + bytes;
    if needed <= OWN_BYTES && !more {
        return output.reserve_exact(OWN_BYTES - output.len());
    }
    if needed > OUTPUT_BYTES {
        // A datagram may be larger than what is lent, but not larger than this.
        return output.reserve_exact(DATAGRAM_BYTES - output.len());
    }
    let mut larger = taken().unwrap_or_else(|| Vec::with_capacity(OUTPUT_BYTES));
    larger.extend_from_slice(output);
    *output = larger;
}

/// Gives back an output that has been sent.
#[inline]
pub(super) fn sent(output: &mut Vec<u8>) {
    output.clear();
    if output.capacity() > OWN_BYTES {
        give_back_output(output);
    }
}

#[inline(never)]
fn give_back_output(output: &mut Vec<u8>) {
    let output = mem::take(output);
    if output.capacity() == OUTPUT_BYTES {
        give_back(output);
    }
}

/// An output of the stock; none where the thread is about to end.
fn taken() -> Option<Vec<u8>> {
    OUTPUTS.try_with(|stock| stock.borrow_mut().pop()).ok().flatten()
}

fn give_back(buffer: Vec<u8>) {
    let _ended = OUTPUTS.try_with(|stock| {
        let mut stock = stock.borrow_mut();
        if stock.len() < STOCK {
            stock.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_output_stays_and_a_large_one_is_given_back() {
        let mut output = Vec::new();
        grow(&mut output, 1, false);
        let own = output.as_ptr();
        sent(&mut output);
        assert_eq!((output.as_ptr(), output.capacity()), (own, OWN_BYTES));
        output.extend_from_slice(b"kept");
        grow(&mut output, 1000, false);
        assert_eq!((&*output, output.capacity()), (&b"kept"[..], OUTPUT_BYTES));
        let lent = output.as_ptr();
        sent(&mut output);
        assert_eq!(output.capacity(), 0);
        grow(&mut output, 1, true);
        assert_eq!(output.as_ptr(), lent);
    }
}
