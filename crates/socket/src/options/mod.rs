//! Socket options: one row each.
//!
//! A row in one of the lists below gives an option's documentation, C name, methods on
//! [`Socket`], encoding and a sample value. From it come the getter and the setter, the entry in
//! [`ALL`] (which `switchboard options` prints), and the round-trip test against the kernel
//! (`tests/options_round_trip.rs`). Levels are files; `encoding.rs` holds the ways in which the
//! kernel writes a value down.
//!
//! An option without a row can still be read and set, by number:
//! [`Socket::getsockopt`](crate::Socket::getsockopt),
//! [`Socket::setsockopt`](crate::Socket::setsockopt).

mod encoding;
mod ip;
mod ipv6;
mod socket;
mod tcp;

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::kinds::{Family, Type};
use crate::socket::Socket;
use encoding::{Encoding, Timeval};

/// One option, as data: for listings and tests. The methods of the same name are on [`Socket`].
#[derive(Debug, Clone, Copy)]
pub struct SocketOption {
    /// The C name: `SO_REUSEADDR`.
    pub name: &'static str,
    /// The C name of the level: `SOL_SOCKET`.
    pub level_name: &'static str,
    /// The level's number.
    pub level: i32,
    /// The option's number within the level.
    pub number: i32,
    /// The Rust type of the value.
    pub value_type: &'static str,
    /// What it does, with unit and default.
    pub doc: &'static str,
    /// Reads it and prints the value; `None` where there is no getter.
    pub show: Option<fn(&Socket) -> io::Result<String>>,
    /// How the kernel is asked whether the row is true.
    pub check: Check,
}

/// How a row is tried against the kernel.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// Set the sample on a new socket of this family and type, then read it back.
    RoundTrip(Family, Type, fn(&Socket) -> io::Result<RoundTrip>),
    /// There is only something to read.
    ReadOnly(Family, Type),
    /// Not tried, for this reason.
    Untried(&'static str),
}

/// What was set and what came back, printed.
#[derive(Debug)]
pub struct RoundTrip {
    /// The sample that was set, or what the kernel is documented to make of it.
    pub expected: String,
    /// The value read afterwards.
    pub found: String,
}

/// Every option, level by level.
pub const ALL: &[&[SocketOption]] = &[socket::ROWS, ip::ROWS, ipv6::ROWS, tcp::ROWS];

/// Makes the methods and the rows of one level.
///
/// ```text
/// /// What it does, unit, default.
/// getter [/ setter]: Encoding = C_NAME { check };
/// ```
/// where `check` is `sample VALUE`, `sample VALUE, becomes VALUE` (the kernel rounds or doubles),
/// `read only`, or `untried "reason"`.
macro_rules! options {
    (level $level:ident on $family:ident $kind:ident; $(
        $(#[doc = $doc:literal])+
        $getter:ident $(/ $setter:ident)? : $encoding:ident = $name:ident { $($check:tt)+ };
    )+) => {
        impl $crate::socket::Socket { $(
            $crate::options::getter! { [$($doc),+] $level $name $encoding $getter }
            $crate::options::setter! { [$($doc),+] $level $name $encoding $($setter)? }
        )+ }

        pub(super) const ROWS: &[$crate::options::SocketOption] = &[ $(
            $crate::options::SocketOption {
                name: stringify!($name),
                level_name: stringify!($level),
                level: libc::$level,
                number: libc::$name,
                value_type: <$crate::options::encoding::$encoding
                    as $crate::options::encoding::Encoding>::TYPE,
                doc: concat!($($doc),+),
                show: Some(|socket| Ok(format!("{:?}", socket.$getter()?))),
                check: $crate::options::check!(
                    $family, $kind, $getter $(/ $setter)?, $($check)+),
            },
        )+ ];
    };
}

/// The method that reads an option.
macro_rules! getter {
    ([$($doc:literal),+] $level:ident $name:ident $encoding:ident $getter:ident) => {
        $(#[doc = $doc])+
        ///
        #[doc = concat!("C name `", stringify!($name), "`, level `", stringify!($level), "`.")]
        ///
        /// # Errors
        /// `ENOPROTOOPT` where this socket's protocol does not have the option.
        pub fn $getter(&self) -> std::io::Result<$crate::options::encoding::value!($encoding)> {
            $crate::options::read::<$crate::options::encoding::$encoding>(
                std::os::fd::AsFd::as_fd(self), libc::$level, libc::$name)
        }
    };
}

/// The method that sets an option, where it can be set.
macro_rules! setter {
    ([$($doc:literal),+] $level:ident $name:ident $encoding:ident) => {};
    ([$($doc:literal),+] $level:ident $name:ident $encoding:ident $setter:ident) => {
        $(#[doc = $doc])+
        ///
        #[doc = concat!("C name `", stringify!($name), "`, level `", stringify!($level), "`.")]
        ///
        /// # Errors
        /// `ENOPROTOOPT` where this socket's protocol does not have the option, `EINVAL` for a
        /// value it does not take, `EPERM` where it needs a privilege.
        pub fn $setter(
            &self,
            value: $crate::options::encoding::value!($encoding),
        ) -> std::io::Result<()> {
            $crate::options::write::<$crate::options::encoding::$encoding>(
                std::os::fd::AsFd::as_fd(self), libc::$level, libc::$name, &value)
        }
    };
}

/// The last column of a row.
macro_rules! check {
    ($family:ident, $kind:ident, $getter:ident / $setter:ident,
        sample $sample:expr, becomes $kept:expr) => {
        $crate::options::Check::RoundTrip(
            $crate::kinds::Family::$family, $crate::kinds::Type::$kind, |socket| {
                socket.$setter($sample)?;
                let found = format!("{:?}", socket.$getter()?);
                Ok($crate::options::RoundTrip { expected: format!("{:?}", $kept), found })
            })
    };
    ($family:ident, $kind:ident, $getter:ident / $setter:ident, sample $sample:expr) => {
        $crate::options::check!(
            $family, $kind, $getter / $setter, sample $sample, becomes $sample)
    };
    ($family:ident, $kind:ident, $getter:ident, read only) => {
        $crate::options::Check::ReadOnly(
            $crate::kinds::Family::$family, $crate::kinds::Type::$kind)
    };
    ($family:ident, $kind:ident, $getter:ident $(/ $setter:ident)?, untried $reason:literal) => {
        $crate::options::Check::Untried($reason)
    };
}

use {check, getter, options, setter};

/// Reads one option.
fn read<E: Encoding>(fd: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<E::Value> {
    let mut room = E::room();
    E::decode(crate::sys::option::getsockopt(fd, level, name, room.as_mut())?)
}

/// Sets one option.
fn write<E: Encoding>(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    value: &E::Value,
) -> io::Result<()> {
    crate::sys::option::setsockopt(fd, level, name, E::encode(value)?.as_ref())
}

/// The error waiting on a socket, if there is one, which is taken by asking. `SO_ERROR`.
pub(crate) fn take_error(fd: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    read::<encoding::PendingError>(fd, libc::SOL_SOCKET, libc::SO_ERROR)
}

/// Which of the kernel's two limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// `SO_RCVTIMEO`
    Receive,
    /// `SO_SNDTIMEO`
    Send,
}

/// How long the kernel lets a waiting call take; zero is no limit.
pub(crate) fn set_kernel_limit(
    fd: BorrowedFd<'_>,
    direction: Direction,
    limit: Duration,
) -> io::Result<()> {
    let name = match direction {
        Direction::Receive => libc::SO_RCVTIMEO,
        Direction::Send => libc::SO_SNDTIMEO,
    };
    write::<Timeval>(fd, libc::SOL_SOCKET, name, &limit)
}
