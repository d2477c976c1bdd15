//! Interfaces by index and name: `if_nameindex(3)`, `if_nametoindex(3)`, `if_indextoname(3)`.

use std::ffi::{CStr, c_char};
use std::io;

/// Every interface: index and name.
pub(crate) fn if_nameindex() -> io::Result<Vec<(u32, Vec<u8>)>> {
    // SAFETY: takes nothing; answers null or a list that ends in a zero index.
    let list = List(unsafe { libc::if_nameindex() });
    if list.0.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next = list.0.cast_const();
    loop {
        // SAFETY: `next` is an entry of the list: the last one, with index zero, ends the loop.
        let entry = unsafe { &*next };
        if entry.if_index == 0 || entry.if_name.is_null() {
            return Ok(found);
        }
        // SAFETY: a name of the list ends in NUL and lives as long as the list.
        let name = unsafe { CStr::from_ptr(entry.if_name) };
        found.push((entry.if_index, name.to_bytes().to_vec()));
        // SAFETY: this entry is not the last, so there is one after it.
        next = unsafe { next.add(1) };
    }
}

/// The index of the interface with this name.
pub(crate) fn if_nametoindex(name: &CStr) -> io::Result<u32> {
    // SAFETY: the string ends in NUL and outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// The name of the interface with this index.
pub(crate) fn if_indextoname(index: u32) -> io::Result<Vec<u8>> {
    let mut room = [0_u8; libc::IFNAMSIZ];
    let pointer: *mut c_char = room.as_mut_ptr().cast();
    // SAFETY: the array has `IFNAMSIZ` bytes, which is the room the call asks for.
    let answer = unsafe { libc::if_indextoname(index, pointer) };
    if answer.is_null() {
        return Err(io::Error::last_os_error());
    }
    let end = room.iter().position(|byte| *byte == 0).unwrap_or(room.len());
    Ok(room[..end].to_vec())
}

/// A list that libc allocated and takes back when this is dropped.
struct List(*mut libc::if_nameindex);

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the list came from `if_nameindex` and is given back once.
            unsafe { libc::if_freenameindex(self.0) }
        }
    }
}
