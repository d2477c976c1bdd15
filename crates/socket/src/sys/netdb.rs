//! Hosts, services and protocols by the older calls, in their re-entrant form.
//!
//! `getservbyname_r(3)` and its kin write a structure of pointers into a buffer of the caller's. A
//! buffer that is too small is `ERANGE`, and the call is made again with twice the room. libc's
//! crate does not declare them, so they are declared here as `netdb.h` of glibc has them.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use libc::{hostent, protoent, servent};

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// No such name or number.
    NotFound,
    /// An `h_errno`, for hosts.
    Host(c_int),
    /// Something failed on the way: an `errno`.
    System(c_int),
}

/// A host: of `hosts(5)`, or what the DNS makes of it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: Vec<u8>,
    pub(crate) aliases: Vec<Vec<u8>>,
    /// Each of as many bytes as the family's addresses have.
    pub(crate) addresses: Vec<Vec<u8>>,
}

/// `gethostbyname_r(3)`: IPv4. Blocks the thread for as long as the resolver takes.
pub(crate) fn gethostbyname(name: &CStr) -> Result<Host, Missing> {
    let mut code = 0;
    let call = |record, room, length, found| {
        // SAFETY: the name ends in NUL; `record`, `length` bytes of `room`, `found` and `code` are
        // ours to write for the whole call.
        unsafe { gethostbyname_r(name.as_ptr(), record, room, length, found, &raw mut code) }
    };
    // SAFETY: `ask` passes on a record that the call has filled, with the room it points into.
    ask(call, |record| unsafe { host(record) }).map_err(|missing| host_error(missing, code))
}

/// `gethostbyaddr_r(3)`. Blocks the thread for as long as the resolver takes.
pub(crate) fn gethostbyaddr(address: &[u8], family: c_int) -> Result<Host, Missing> {
    let mut code = 0;
    let (bytes, size): (*const c_void, _) = (address.as_ptr().cast(), address.len() as u32);
    let call = |record, room, length, found| {
        let code = &raw mut code;
        // SAFETY: `size` bytes can be read; `record`, `length` bytes of `room`, `found` and `code`
        // are ours to write for the whole call.
        unsafe { gethostbyaddr_r(bytes, size, family, record, room, length, found, code) }
    };
    // SAFETY: `ask` passes on a record that the call has filled, with the room it points into.
    ask(call, |record| unsafe { host(record) }).map_err(|missing| host_error(missing, code))
}

/// `getservbyname_r(3)`: the port, in host byte order.
pub(crate) fn getservbyname(name: &CStr, protocol: Option<&CStr>) -> Result<u16, Missing> {
    let (name, protocol) = (name.as_ptr(), protocol.map_or(ptr::null(), CStr::as_ptr));
    let call = |record, room, length, found| {
        // SAFETY: the name ends in NUL, the protocol is null or does so too; `record`, `length`
        // bytes of `room` and `found` are ours to write for the whole call.
        unsafe { getservbyname_r(name, protocol, record, room, length, found) }
    };
    // The port stands in the low sixteen bits, in network byte order.
    ask(call, |record: &servent| u16::from_be(record.s_port as u16))
}

/// `getservbyport_r(3)`: the name. The port is in host byte order.
pub(crate) fn getservbyport(port: u16, protocol: Option<&CStr>) -> Result<Vec<u8>, Missing> {
    let protocol = protocol.map_or(ptr::null(), CStr::as_ptr);
    let port = c_int::from(port.to_be());
    let call = |record, room, length, found| {
        // SAFETY: the protocol is null or ends in NUL; `record`, `length` bytes of `room` and
        // `found` are ours to write for the whole call.
        unsafe { getservbyport_r(port, protocol, record, room, length, found) }
    };
    // SAFETY: `ask` passes on a record that the call has filled; its name ends in NUL.
    ask(call, |record: &servent| unsafe { text(record.s_name) })
}

/// `getprotobyname_r(3)`: the number.
#[cfg(target_env = "gnu")]
pub(crate) fn getprotobyname(name: &CStr) -> Result<c_int, Missing> {
    let call = |record, room, length, found| {
        // SAFETY: the name ends in NUL; `record`, `length` bytes of `room` and `found` are ours to
        // write for the whole call.
        unsafe { getprotobyname_r(name.as_ptr(), record, room, length, found) }
    };
    ask(call, |record: &protoent| record.p_proto)
}

/// `getprotobyname(3)`: the number. Other libcs have no re-entrant form; one caller at a time.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn getprotobyname(name: &CStr) -> Result<c_int, Missing> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    // A forked child finds it open.
    let _forks = crate::process::hold_forks();
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // SAFETY: the name ends in NUL. The record is libc's own, and nobody else here asks for one
    // while the lock is held.
    let record: *const protoent = unsafe { libc::getprotobyname(name.as_ptr()) };
    // SAFETY: null, or that record.
    unsafe { record.as_ref() }.map(|record| record.p_proto).ok_or(Missing::NotFound)
}

/// Room for a record at first, and at most, in bytes.
const ROOM: usize = 1024;
const ROOM_MAX: usize = 1 << 20;

/// Makes a call with as much room as it needs and reads the record it found.
fn ask<R, T>(
    mut call: impl FnMut(*mut R, *mut c_char, usize, *mut *mut R) -> c_int,
    read: impl FnOnce(&R) -> T,
) -> Result<T, Missing> {
    let mut room = vec![0_u8; ROOM];
    loop {
        let (mut record, mut found) = (MaybeUninit::<R>::uninit(), ptr::null_mut());
        let pointer = room.as_mut_ptr().cast();
        let status = call(record.as_mut_ptr(), pointer, room.len(), &raw mut found);
        if status == libc::ERANGE && room.len() < ROOM_MAX {
            room.resize(room.len() * 2, 0);
            continue;
        }
        // SAFETY: null, or the address of `record`, which the call has filled then.
        return match (unsafe { found.as_ref() }, status) {
            (Some(record), 0) => Ok(read(record)),
            // glibc says ENOENT where the file of the database itself is missing.
            (_, 0 | libc::ENOENT) => Err(Missing::NotFound),
            (_, status) => Err(Missing::System(status)),
        };
    }
}

/// What a host call means by its code: positive ones are `h_errno`, others look at `errno`.
fn host_error(missing: Missing, code: c_int) -> Missing {
    if code > 0 { Missing::Host(code) } else { missing }
}

/// A host in our own memory.
///
/// # Safety
/// Every pointer in `record` is as `gethostbyname(3)` leaves it.
unsafe fn host(record: &hostent) -> Host {
    let size = usize::try_from(record.h_length).unwrap_or(0);
    // SAFETY: the list ends in null.
    let addresses = unsafe { entries(record.h_addr_list) };
    // SAFETY: the list ends in null.
    let aliases = unsafe { entries(record.h_aliases) };
    // SAFETY: each entry has `h_length` bytes.
    let addresses = addresses.into_iter().map(|entry| unsafe { bytes(entry, size) });
    // SAFETY: each entry ends in NUL.
    let aliases = aliases.into_iter().map(|entry| unsafe { text(entry) });
    // SAFETY: the name ends in NUL.
    let name = unsafe { text(record.h_name) };
    Host { name, aliases: aliases.collect(), addresses: addresses.collect() }
}

/// The entries of a list that ends in null.
///
/// # Safety
/// `list` is null or such a list.
unsafe fn entries(list: *mut *mut c_char) -> Vec<*const c_char> {
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: `next` is null or points at an entry: the null at the end stops the loop.
    while let Some(entry) = unsafe { next.as_ref() }.filter(|entry| !entry.is_null()) {
        found.push(entry.cast_const());
        // SAFETY: this entry is not the last, so there is one after it.
        next = unsafe { next.add(1) };
    }
    found
}

/// A string in our own memory.
///
/// # Safety
/// `text` is null or ends in NUL.
unsafe fn text(text: *const c_char) -> Vec<u8> {
    if text.is_null() {
        return Vec::new();
    }
    // SAFETY: it ends in NUL.
    unsafe { CStr::from_ptr(text) }.to_bytes().to_vec()
}

/// `size` bytes in our own memory.
///
/// # Safety
/// `bytes` points at that many.
unsafe fn bytes(bytes: *const c_char, size: usize) -> Vec<u8> {
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), size) }.to_vec()
}

unsafe extern "C" {
    fn gethostbyname_r(
        name: *const c_char,
        record: *mut hostent,
        room: *mut c_char,
        length: usize,
        found: *mut *mut hostent,
        code: *mut c_int,
    ) -> c_int;
    fn gethostbyaddr_r(
        address: *const c_void,
        size: libc::socklen_t,
        family: c_int,
        record: *mut hostent,
        room: *mut c_char,
        length: usize,
        found: *mut *mut hostent,
        code: *mut c_int,
    ) -> c_int;
    fn getservbyname_r(
        name: *const c_char,
        protocol: *const c_char,
        record: *mut servent,
        room: *mut c_char,
        length: usize,
        found: *mut *mut servent,
    ) -> c_int;
    fn getservbyport_r(
        port: c_int,
        protocol: *const c_char,
        record: *mut servent,
        room: *mut c_char,
        length: usize,
        found: *mut *mut servent,
    ) -> c_int;
    #[cfg(target_env = "gnu")]
    fn getprotobyname_r(
        name: *const c_char,
        record: *mut protoent,
        room: *mut c_char,
        length: usize,
        found: *mut *mut protoent,
    ) -> c_int;
}
