//! How values cross to the kernel: the two traits, and the encodings of plain values.
//!
//! A type that the kernel writes in one way only implements [`Get`] and [`Set`] itself: `bool`,
//! `i32`, [`TcpInfo`](super::TcpInfo). Where one Rust type is written in several ways, the way is
//! a type without values, and the row names it: `Duration as Seconds`.
//!
//! An answer that is too short for its value is `InvalidData`, never a guess; a value that does
//! not fit is `InvalidInput`. What a value means is said where its type is.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::SockFilter;
// The encodings that stand beside their values, so that rows find all of them here.
pub(crate) use super::values::filter::Program;
pub(crate) use super::values::ip::{MtuInfo, NetworkOrder, PortRange};
pub(crate) use super::values::multicast::MulticastIf;
pub(crate) use super::values::packet::{CanFilter, GroupBits};
pub(crate) use super::values::text::{Bytes, Name, NameOrNone, Text};
use crate::kinds::{Family, Protocol, Type};
use crate::sys::option as sys;

/// One option of one socket.
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a> {
    pub(crate) fd: BorrowedFd<'a>,
    pub(crate) level: i32,
    pub(crate) name: i32,
}

/// Reading a value.
pub(crate) trait Get {
    /// The value in Rust.
    type Value;
    /// Asks the kernel.
    fn get(from: Slot<'_>) -> io::Result<Self::Value>;
}

/// Setting a value given as a `T`.
pub(crate) trait Set<T> {
    /// Tells the kernel.
    fn set(to: Slot<'_>, value: T) -> io::Result<()>;
}

impl Slot<'_> {
    /// An answer of up to `N` bytes; what the kernel leaves unsaid is zero, and its length beside.
    pub(crate) fn room<const N: usize>(self) -> io::Result<([u8; N], usize)> {
        let mut room = [0; N];
        let length = sys::getsockopt(self.fd, self.level, self.name, &mut room)?.len();
        Ok((room, length))
    }

    /// An answer of exactly `N` bytes.
    pub(crate) fn bytes<const N: usize>(self) -> io::Result<[u8; N]> {
        match self.room()? {
            (room, length) if length == N => Ok(room),
            _ => Err(short()),
        }
    }

    /// An answer of some length up to `capacity`.
    pub(crate) fn list(self, capacity: usize) -> io::Result<Vec<u8>> {
        let mut room = vec![0; capacity];
        let length = sys::getsockopt(self.fd, self.level, self.name, &mut room)?.len();
        room.truncate(length);
        Ok(room)
    }

    /// A C `int`. A few options answer a single byte where the value fits in one.
    pub(crate) fn int(self) -> io::Result<i32> {
        match self.room()? {
            (room, 4) => Ok(i32::from_ne_bytes(room)),
            (room, 1) => Ok(i32::from(room[0])),
            _ => Err(short()),
        }
    }

    /// A program that the kernel reads behind a pointer.
    pub(crate) fn set_program(self, program: &[SockFilter]) -> io::Result<()> {
        sys::setsockopt_program(self.fd, self.level, self.name, program)
    }

    /// The value as it is.
    pub(crate) fn set(self, bytes: &[u8]) -> io::Result<()> {
        sys::setsockopt(self.fd, self.level, self.name, bytes)
    }
}

/// The number at `offset` of an answer.
macro_rules! number {
    ($int:ty, $bytes:expr, $offset:expr) => {
        $bytes
            .get($offset..)
            .and_then(|rest| rest.first_chunk())
            .map(|chunk| <$int>::from_ne_bytes(*chunk))
    };
}

pub(super) use number;

pub(super) fn short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "socket option answered fewer bytes than it has")
}

pub(super) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

impl Get for bool {
    type Value = bool;
    fn get(from: Slot<'_>) -> io::Result<bool> {
        Ok(from.int()? != 0)
    }
}

impl Set<bool> for bool {
    fn set(to: Slot<'_>, value: bool) -> io::Result<()> {
        to.set(&i32::from(value).to_ne_bytes())
    }
}

impl Get for i32 {
    type Value = i32;
    fn get(from: Slot<'_>) -> io::Result<i32> {
        from.int()
    }
}

impl Set<i32> for i32 {
    fn set(to: Slot<'_>, value: i32) -> io::Result<()> {
        to.set(&value.to_ne_bytes())
    }
}

impl Get for u32 {
    type Value = u32;
    fn get(from: Slot<'_>) -> io::Result<u32> {
        Ok(from.int()? as u32)
    }
}

impl Set<u32> for u32 {
    fn set(to: Slot<'_>, value: u32) -> io::Result<()> {
        to.set(&value.to_ne_bytes())
    }
}

impl Get for u64 {
    type Value = u64;
    fn get(from: Slot<'_>) -> io::Result<u64> {
        Ok(u64::from_ne_bytes(from.bytes()?))
    }
}

impl Set<u64> for u64 {
    fn set(to: Slot<'_>, value: u64) -> io::Result<()> {
        to.set(&value.to_ne_bytes())
    }
}

/// An unsigned number of 16 bits, where the kernel looks at no more of it.
impl Set<u16> for u16 {
    fn set(to: Slot<'_>, value: u16) -> io::Result<()> {
        to.set(&i32::from(value).to_ne_bytes())
    }
}

impl Get for u16 {
    type Value = u16;
    fn get(from: Slot<'_>) -> io::Result<u16> {
        from.int()?.try_into().map_err(|_| short())
    }
}

/// A method without a value: the kernel wants an `int` and does not look at it.
impl Set<()> for () {
    fn set(to: Slot<'_>, (): ()) -> io::Result<()> {
        to.set(&0_i32.to_ne_bytes())
    }
}

/// A C `int` that counts units of time. Parts of a unit are rounded up.
macro_rules! durations {
    ($($(#[$doc:meta])* $unit:ident = $nanos:literal;)+) => { $(
        $(#[$doc])*
        pub(crate) enum $unit {}

        impl Get for $unit {
            type Value = Duration;
            fn get(from: Slot<'_>) -> io::Result<Duration> {
                let count = u64::try_from(from.int()?).unwrap_or(0);
                Ok(Duration::from_nanos(count.saturating_mul($nanos)))
            }
        }

        impl Set<Duration> for $unit {
            fn set(to: Slot<'_>, value: Duration) -> io::Result<()> {
                let count = i32::try_from(value.as_nanos().div_ceil($nanos));
                to.set(&count.map_err(|_| too_long())?.to_ne_bytes())
            }
        }
    )+ };
}

durations! {
    /// Whole seconds.
    Seconds = 1_000_000_000;
    /// Whole milliseconds.
    Milliseconds = 1_000_000;
    /// Whole microseconds.
    Microseconds = 1_000;
}

/// `struct timeval`; zero is no limit. Parts of a microsecond are rounded up.
pub(crate) enum Timeval {}

impl Get for Timeval {
    type Value = Duration;
    fn get(from: Slot<'_>) -> io::Result<Duration> {
        let bytes: [u8; size_of::<libc::timeval>()] = from.bytes()?;
        let seconds = number!(libc::time_t, bytes, 0).ok_or_else(short)?;
        let micros =
            number!(libc::suseconds_t, bytes, size_of::<libc::time_t>()).ok_or_else(short)?;
        Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
            + Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }
}

impl Set<Duration> for Timeval {
    fn set(to: Slot<'_>, value: Duration) -> io::Result<()> {
        let micros = value.as_nanos().div_ceil(1_000);
        let seconds = libc::time_t::try_from(micros / 1_000_000).map_err(|_| too_long())?;
        let rest = (micros % 1_000_000) as libc::suseconds_t;
        to.set(&[seconds.to_ne_bytes(), rest.to_ne_bytes()].concat())
    }
}

fn too_long() -> io::Error {
    invalid("duration too long for the socket option")
}

/// `struct linger`: whether closing waits for unsent data, and how long, in whole seconds.
pub(crate) enum Linger {}

impl Get for Linger {
    type Value = Option<Duration>;
    fn get(from: Slot<'_>) -> io::Result<Option<Duration>> {
        let bytes: [u8; 8] = from.bytes()?;
        let on = number!(i32, bytes, 0).ok_or_else(short)? != 0;
        let seconds = number!(i32, bytes, 4).ok_or_else(short)?;
        Ok(on.then(|| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
    }
}

impl Set<Option<Duration>> for Linger {
    fn set(to: Slot<'_>, value: Option<Duration>) -> io::Result<()> {
        let on = i32::from(value.is_some());
        let whole = value.unwrap_or_default();
        let wait = i32::try_from(whole.as_nanos().div_ceil(1_000_000_000));
        let wait = wait.map_err(|_| too_long())?;
        to.set(&[on.to_ne_bytes(), wait.to_ne_bytes()].concat())
    }
}

/// An `errno` that waits to be told; zero is none.
pub(crate) enum PendingError {}

impl Get for PendingError {
    type Value = Option<io::Error>;
    fn get(from: Slot<'_>) -> io::Result<Option<io::Error>> {
        let code = from.int()?;
        Ok((code != 0).then(|| io::Error::from_raw_os_error(code)))
    }
}

/// Bytes of a fixed length.
impl<const N: usize> Get for [u8; N] {
    type Value = [u8; N];
    fn get(from: Slot<'_>) -> io::Result<[u8; N]> {
        from.bytes()
    }
}

impl<const N: usize> Set<[u8; N]> for [u8; N] {
    fn set(to: Slot<'_>, value: [u8; N]) -> io::Result<()> {
        to.set(&value)
    }
}

/// Numbers of 32 bits, up to as many as a process can have groups (`NGROUPS_MAX`).
pub(crate) enum Numbers {}

impl Get for Numbers {
    type Value = Vec<u32>;
    fn get(from: Slot<'_>) -> io::Result<Vec<u32>> {
        let bytes = from.list(65_536 * 4)?;
        Ok(bytes.as_chunks().0.iter().map(|chunk| u32::from_ne_bytes(*chunk)).collect())
    }
}

/// A descriptor lent to the kernel for the call.
pub(crate) enum Descriptor {}

impl Set<BorrowedFd<'_>> for Descriptor {
    fn set(to: Slot<'_>, value: BorrowedFd<'_>) -> io::Result<()> {
        to.set(&value.as_raw_fd().to_ne_bytes())
    }
}

/// A descriptor that the kernel opens as its answer.
impl Get for OwnedFd {
    type Value = OwnedFd;
    fn get(from: Slot<'_>) -> io::Result<OwnedFd> {
        sys::getsockopt_fd(from.fd, from.level, from.name)
    }
}

/// Types around a C `int`.
macro_rules! ints {
    ($($type:ident)+) => { $(
        impl Get for $type {
            type Value = $type;
            fn get(from: Slot<'_>) -> io::Result<$type> {
                from.int().map($type)
            }
        }
    )+ };
}

ints! { Family Type Protocol }

impl Set<Family> for Family {
    fn set(to: Slot<'_>, value: Family) -> io::Result<()> {
        to.set(&value.0.to_ne_bytes())
    }
}
