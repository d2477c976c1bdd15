//! The head of a stack: the slot and the name of its coroutine, above where the stack begins.
//!
//! ```text
//!   ├ guard ┼ …      ◄── grows down ── base │ text of the name │ length │ slot ┼ guard ┤
//!                                            ◄───────── the head ─────────────► top
//! ```
//! A coroutine has the last page of its stack whatever it does, and seldom all of it: what is kept
//! there costs nothing.
//!
//! What it deliberately does not know: who may look when. A name is written before its coroutine
//! begins and stays until the stack is given back; `Shared` has the lock.

#![allow(unsafe_code)]

use std::num::NonZeroUsize;
use std::ptr;
use std::slice;

use super::slab::SlotStack;
use crate::slot::Slot;

/// The most that is kept of a name, in bytes: enough for the longest address.
const MOST: usize = 240;
/// What a stack begins at a multiple of, on every machine that this runs on.
const ALIGNED: usize = 16;
/// How far below the top the length is.
const LENGTH_AT: usize = size_of::<Slot>() + size_of::<usize>();

/// Where the slot of a stack is.
#[inline]
pub(crate) fn slot(top: usize) -> *mut Slot {
    (top - size_of::<Slot>()) as *mut Slot
}

/// Names the coroutine that is to have this stack, which begins below that.
pub(super) fn write(stack: SlotStack, name: &str) -> SlotStack {
    let length = name.floor_char_boundary(MOST);
    let (top, text) = (stack.base.get(), &name[..length]);
    // SAFETY: the word lies in the stack, which nobody has but the caller, and is aligned as its
    // end is; a stack is larger than this.
    unsafe { ptr::write((top - LENGTH_AT) as *mut usize, length) };
    let to = (top - LENGTH_AT - length) as *mut u8;
    // SAFETY: as above; the name is not in there.
    unsafe { ptr::copy_nonoverlapping(text.as_ptr(), to, length) };
    let base = (top - LENGTH_AT - length) / ALIGNED * ALIGNED;
    SlotStack { base: NonZeroUsize::new(base).expect("no stack is at zero"), ..stack }
}

/// The name of the coroutine whose stack ends at `top`.
///
/// # Safety
/// It has been [written](write), or the page is zero; and nobody writes or unmaps it meanwhile.
pub(crate) unsafe fn read<T>(top: usize, see: impl FnOnce(&[u8]) -> T) -> T {
    // SAFETY: the caller's promise; it is aligned as in `write`.
    let length = unsafe { ptr::read((top - LENGTH_AT) as *const usize) }.min(MOST);
    // SAFETY: as above.
    see(unsafe { slice::from_raw_parts((top - LENGTH_AT - length) as *const u8, length) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::guard::Guards;
    use crate::stack::slab::Slab;

    fn read_back(top: usize) -> String {
        // SAFETY: written by the test, on a stack that it has taken.
        unsafe { read(top, |name| String::from_utf8(name.to_vec()).unwrap()) }
    }

    #[test]
    fn a_name_is_read_as_it_was_written_and_the_stack_begins_below() {
        let slab = Slab::new(65_536, 10, Guards::probe().unwrap());
        for name in ["", "a", "sixteen bytes !!", "n\u{e4}me #1 127.0.0.1:1"] {
            let (number, stack) = slab.take().unwrap();
            let top = slab.range(number).end;
            assert_eq!(read_back(top), "", "nothing yet");
            let named = write(stack, name);
            assert_eq!(read_back(top), name);
            assert!(
                named.base.get().is_multiple_of(ALIGNED) && named.base.get() + name.len() < top
            );
        }
    }

    #[test]
    fn of_a_long_name_whole_letters_are_kept() {
        let slab = Slab::new(65_536, 10, Guards::probe().unwrap());
        let (number, stack) = slab.take().unwrap();
        let named = write(stack, &"\u{20ac}".repeat(1000));
        assert_eq!(read_back(slab.range(number).end), "\u{20ac}".repeat(MOST / 3));
        assert!(slab.range(number).end - named.base.get() <= MOST + LENGTH_AT + ALIGNED);
    }
}
