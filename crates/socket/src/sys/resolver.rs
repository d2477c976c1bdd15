//! `getaddrinfo(3)` and `getnameinfo(3)`: libc's answers, copied into ours and given back at once.

use std::ffi::{CStr, c_int};
use std::io;
use std::ptr;

use super::sockaddr::RawSockAddr;

/// What is asked for: `struct addrinfo` as hints. Zero leaves a field open.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hints {
    pub(crate) flags: c_int,
    pub(crate) family: c_int,
    pub(crate) kind: c_int,
    pub(crate) protocol: c_int,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) family: c_int,
    pub(crate) kind: c_int,
    pub(crate) protocol: c_int,
    pub(crate) address: RawSockAddr,
}

/// All of them, and the official name of the host if it was asked for.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) canonname: Option<String>,
    pub(crate) list: Vec<Answer>,
}

/// Why there is no answer: an `EAI_` code, and for `EAI_SYSTEM` the error behind it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: c_int,
    pub(crate) cause: Option<io::Error>,
}

/// Asks the system's resolver. Blocks the thread for as long as the resolver takes.
pub(crate) fn getaddrinfo(
    host: Option<&CStr>,
    service: Option<&CStr>,
    hints: Hints,
) -> Result<Answers, Failure> {
    let asked = libc::addrinfo {
        ai_flags: hints.flags,
        ai_family: hints.family,
        ai_socktype: hints.kind,
        ai_protocol: hints.protocol,
        ai_addrlen: 0,
        ai_addr: ptr::null_mut(),
        ai_canonname: ptr::null_mut(),
        ai_next: ptr::null_mut(),
    };
    let host = host.map_or(ptr::null(), CStr::as_ptr);
    let service = service.map_or(ptr::null(), CStr::as_ptr);
    let mut list = List(ptr::null_mut());
    // SAFETY: both strings are null or end in NUL, `asked` is fully initialised, and all of them
    // outlive the call, which stores one pointer in `list`.
    let code = unsafe { libc::getaddrinfo(host, service, &raw const asked, &raw mut list.0) };
    failure(code)?;
    Ok(Answers { canonname: list.canonname(), list: list.answers() })
}

/// Asks the system's resolver for the host and the service of an address. Blocks as above.
pub(crate) fn getnameinfo(
    address: &RawSockAddr,
    flags: c_int,
) -> Result<(String, String), Failure> {
    let (mut host, mut service) = ([0_u8; HOST_ROOM], [0_u8; SERVICE_ROOM]);
    // SAFETY: the address is `length` initialised bytes, and each buffer has the room that is
    // passed with it; all three outlive the call.
    let code = unsafe {
        libc::getnameinfo(
            address.bytes.as_ptr().cast(),
            address.length,
            host.as_mut_ptr().cast(),
            HOST_ROOM as libc::socklen_t,
            service.as_mut_ptr().cast(),
            SERVICE_ROOM as libc::socklen_t,
            flags,
        )
    };
    failure(code)?;
    let text = |room: &[u8]| {
        let text = CStr::from_bytes_until_nul(room).unwrap_or_default();
        text.to_string_lossy().into_owned()
    };
    Ok((text(&host), text(&service)))
}

/// `NI_MAXHOST`: the longest host name, with its NUL.
const HOST_ROOM: usize = libc::NI_MAXHOST as usize;
/// Four times `NI_MAXSERV`: a service of a local database may be longer than the headers think.
const SERVICE_ROOM: usize = 128;

/// The error of an `EAI_` code; zero is none.
fn failure(code: c_int) -> Result<(), Failure> {
    if code == 0 {
        return Ok(());
    }
    let cause = (code == libc::EAI_SYSTEM).then(io::Error::last_os_error);
    Err(Failure { code, cause })
}

/// The text libc has for an `EAI_` code.
pub(crate) fn gai_text(code: c_int) -> String {
    // SAFETY: takes any integer and answers a string that is never freed.
    let text = unsafe { libc::gai_strerror(code) };
    // SAFETY: `text` is that string; it ends in NUL and nobody writes to it.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The text libc has for an `h_errno` code.
pub(crate) fn host_text(code: c_int) -> String {
    // SAFETY: takes any integer and answers a string that is never freed.
    let text = unsafe { libc::hstrerror(code) };
    // SAFETY: `text` is that string; it ends in NUL and nobody writes to it.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A list that libc allocated and takes back when this is dropped.
struct List(*mut libc::addrinfo);

impl List {
    /// Only the first entry carries it.
    fn canonname(&self) -> Option<String> {
        // SAFETY: null or the first entry of the list, which lives until `self` is dropped.
        let entry = unsafe { self.0.as_ref() }?;
        if entry.ai_canonname.is_null() {
            return None;
        }
        // SAFETY: it ends in NUL and lives as long as the list.
        let name = unsafe { CStr::from_ptr(entry.ai_canonname) };
        Some(name.to_string_lossy().into_owned())
    }

    fn answers(&self) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut next = self.0;
        // SAFETY: `next` is null or an entry of the list, which lives until `self` is dropped.
        while let Some(entry) = unsafe { next.as_ref() } {
            answers.push(Answer {
                family: entry.ai_family,
                kind: entry.ai_socktype,
                protocol: entry.ai_protocol,
                address: copy(entry),
            });
            next = entry.ai_next;
        }
        answers
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the list came from `getaddrinfo` and is given back once.
            unsafe { libc::freeaddrinfo(self.0) }
        }
    }
}

/// The address of an entry, in our own memory.
fn copy(entry: &libc::addrinfo) -> RawSockAddr {
    let mut raw = RawSockAddr::room();
    let length = (entry.ai_addrlen as usize).min(raw.bytes.len());
    raw.length = length as libc::socklen_t;
    if !entry.ai_addr.is_null() {
        // SAFETY: `ai_addr` points at `ai_addrlen` bytes that live as long as the list.
        let bytes = unsafe { std::slice::from_raw_parts(entry.ai_addr.cast(), length) };
        raw.bytes[..length].copy_from_slice(bytes);
    }
    raw
}
