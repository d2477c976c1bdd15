//! What every load generator stands on: connections from many addresses, bytes to compare, a wait
//! that ends, and the CPU it has used itself.

use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Waits for events, which replace those in the list; after a signal there are none.
///
/// # Errors
///
/// `TimedOut` when nothing at all happens for five seconds.
pub(crate) fn wait(epoll: &OwnedFd, events: &mut Vec<epoll::Event>) -> io::Result<()> {
    events.clear();
    match epoll::wait(epoll, rustix::buffer::spare_capacity(events), Some(&STALL)) {
        Ok(0) => Err(stalled()),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A connection to 127.0.0.1:`port` from a source address that `index` chooses: each address of
/// 127.1.0.0/16 is used for a few connections only, so that neither the range of ephemeral ports
/// nor a server's limit per address decides the result.
pub(crate) fn connect_from(index: usize, port: u16, flags: SocketFlags) -> io::Result<TcpStream> {
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        flags,
        Some(ipproto::TCP),
    )?;
    rustix::net::bind(&socket, &SocketAddr::from((source(index), 0)))?;
    match rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}

/// The address that connection `index` comes from.
pub(crate) fn source(index: usize) -> Ipv4Addr {
    let group = index / CONNECTIONS_PER_SOURCE + 1;
    Ipv4Addr::new(127, 1, (group >> 8) as u8, group as u8)
}

/// Bytes without a short period (a 64-bit linear congruential generator, Knuth's MMIX constants).
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(PATTERN_INCREMENT);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// A pattern of `period` bytes, followed by its own first `more` bytes: from every place in the
/// period there are as many to compare with, however often it repeats.
pub(crate) fn repeating(period: usize, more: usize) -> Vec<u8> {
    let mut bytes = pattern(period);
    bytes.extend_from_within(..more);
    bytes
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("CPU time is not negative")
}

pub(crate) fn stalled() -> io::Error {
    failure(ErrorKind::TimedOut, "no answer for five seconds")
}

pub(crate) fn failure(kind: ErrorKind, message: &str) -> io::Error {
    io::Error::new(kind, message)
}

const PATTERN_INCREMENT: u64 = 1_442_695_040_888_963_407;
/// Distinct windows; a prime, so that the steps visit all of them.
pub(crate) const WINDOWS: usize = 251;
pub(crate) const WINDOW_STEP: usize = 7;
pub(crate) const EVENTS: usize = 256;
const STALL: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
pub(crate) const STALL_LIMIT: Duration = Duration::from_secs(5);
/// Connections in the list from one address, next to each other.
pub(crate) const CONNECTIONS_PER_SOURCE: usize = 16;
