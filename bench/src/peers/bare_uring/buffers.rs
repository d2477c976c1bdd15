//! Memory that is shared with the kernel: buffers, and the ring by which it gets them.

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU16, Ordering};

/// The buffers that the kernel fills, and the ring by which it gets them.
pub(super) struct Buffers {
    entries: *mut BufRingEntry,
    memory: *mut u8,
    /// How many there are so far.
    count: u16,
    /// Given back so far, of which the kernel knows after [`Buffers::publish`].
    tail: u16,
}

impl Buffers {
    pub(super) fn new(ring: &IoUring) -> io::Result<Buffers> {
        let map = |bytes| -> io::Result<*mut u8> {
            let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
            // SAFETY: a fresh mapping where the kernel likes; it replaces nothing.
            let memory = unsafe { mmap_anonymous(ptr::null_mut(), bytes, access, flags) };
            // Never unmapped: the peer lives as long as its process.
            Ok(memory?.cast())
        };
        let entries: *mut BufRingEntry = map(COUNT as usize * size_of::<BufRingEntry>())?.cast();
        let mut buffers =
            Buffers { entries, memory: map(COUNT as usize * BYTES as usize)?, count: 0, tail: 0 };
        // SAFETY: the ring of entries is mapped, page-aligned, zeroed and stays for good.
        let registered = unsafe {
            ring.submitter().register_buf_ring_with_flags(entries as u64, COUNT, GROUP, 0)
        };
        registered?;
        buffers.add();
        buffers.publish();
        Ok(buffers)
    }

    /// Hands out some more, while there are any.
    pub(super) fn add(&mut self) {
        let all = COUNT.min(self.count + STEP);
        (self.count..all).for_each(|buffer| self.give_back(buffer));
        self.count = all;
    }

    pub(super) fn address(&self, buffer: u16) -> u64 {
        self.memory as u64 + u64::from(buffer) * u64::from(BYTES)
    }

    pub(super) fn give_back(&mut self, buffer: u16) {
        let address = self.address(buffer);
        // SAFETY: the index is below the number of entries.
        let entry = unsafe { self.entries.add(usize::from(self.tail % COUNT)) };
        // SAFETY: mapped above; the kernel does not look at an entry beyond the published tail, and
        // no more than COUNT buffers are ever out.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address);
        entry.set_len(BYTES);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
    }

    pub(super) fn publish(&self) {
        // SAFETY: the address of the first entry of a mapped ring.
        let tail = unsafe { BufRingEntry::tail(self.entries) };
        // SAFETY: the tail lies in the mapping, is aligned, and only this thread writes it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

/// A power of two; 16 MiB of them, more than bursts of ten thousand connections need.
const COUNT: u16 = 4096;
const STEP: u16 = 256;
const BYTES: u32 = 4096;
/// Its number among the groups of buffers, of which there is one.
pub(super) const GROUP: u16 = 0;
