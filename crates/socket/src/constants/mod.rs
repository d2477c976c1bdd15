//! The numbers of the socket interface under their C names, for `use socket::constants::*`.
//!
//! This is what `from socket import *` is in Python: code that was written against the C names
//! finds them here. What [`Socket::new`](crate::Socket::new) takes is typed (`AF_INET` is a
//! [`Family`], `SOCK_STREAM` a [`Type`](crate::Type), `IPPROTO_TCP` a [`Protocol`]); everything
//! else is the plain integer of libc. As an option level `IPPROTO_TCP` is written `SOL_TCP`, or
//! `IPPROTO_TCP.0`.
//!
//! Each name is listed once, in the file of its group. What libc lacks is defined here, with the
//! header it comes from. [`GROUPS`] is all of it as data, for listings and tests. It deliberately
//! holds nothing of other systems (`SIO_*`, `SYSPROTO_*`, `HV_*`) and nothing of Bluetooth.
//!
//! ```
//! use socket::Socket;
//! use socket::constants::*;
//!
//! let socket = Socket::new(AF_INET, SOCK_STREAM, IPPROTO_TCP)?;
//! socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, &1_i32.to_ne_bytes())?;
//! # std::io::Result::Ok(())
//! ```

mod can;
mod cluster;
mod link;
mod messages;
mod names;
mod options;

use crate::kinds::Family;
#[cfg(doc)]
use crate::kinds::Protocol;

pub use crate::kinds::families::*;
pub use crate::kinds::protocols::*;
pub use crate::kinds::types::*;
pub use can::*;
pub use cluster::*;
pub use link::*;
pub use messages::*;
pub use names::*;
pub use options::*;

/// Makes the protocol families: the address families under their older names.
macro_rules! protocol_families {
    ($($name:ident = $family:ident,)*) => {
        $(
            #[doc = concat!("[`Family::", stringify!($family), "`] under its older name.")]
            pub const $name: Family = Family::$family;
        )*

        const PF: Group = Group {
            doc: " Address families under their older names. `socket(2)`.",
            origin: "libc",
            rows: &[$((stringify!($name), Family::$family.0 as i64)),*],
        };
    };
}

protocol_families! {
    PF_UNSPEC = UNSPEC,
    PF_UNIX = UNIX,
    PF_LOCAL = LOCAL,
    PF_INET = INET,
    PF_INET6 = INET6,
    PF_NETLINK = NETLINK,
    PF_PACKET = PACKET,
    PF_CAN = CAN,
    PF_RDS = RDS,
    PF_TIPC = TIPC,
    PF_VSOCK = VSOCK,
}

/// Constants that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// What the group is, with the manual page.
    pub doc: &'static str,
    /// Where the numbers come from: `libc`, or the header for those libc lacks.
    pub origin: &'static str,
    /// C name and number.
    pub rows: &'static [(&'static str, i64)],
}

/// Every group of plain integers. The typed names are [`Family::ALL`],
/// [`Type::ALL`](crate::Type::ALL) and [`Protocol::ALL`].
pub const GROUPS: &[&[Group]] = &[
    &[PF],
    options::GROUPS,
    messages::GROUPS,
    names::GROUPS,
    link::GROUPS,
    can::GROUPS,
    cluster::GROUPS,
];

/// Makes the constants and the groups of one file.
///
/// ```text
/// /// What the group is.
/// GROUP libc { NAME, NAME }
/// GROUP "header" type { NAME = value, NAME = value }
/// ```
macro_rules! groups {
    ($(
        #[doc = $doc:literal]
        $group:ident $origin:tt $($type:ident)? { $($name:ident $(= $value:expr)?),* $(,)? }
    )*) => {
        $(crate::constants::define! { $origin $($type)? { $($name $(= $value)?),* } })*

        pub(super) const GROUPS: &[crate::constants::Group] = &[$(
            crate::constants::Group {
                doc: $doc,
                origin: crate::constants::origin!($origin),
                rows: &[$((stringify!($name), $name as i64)),*],
            },
        )*];
    };
}

/// The constants of one group.
macro_rules! define {
    (libc { $($name:ident),* }) => {
        pub use libc::{$($name),*};
    };
    ($header:literal $type:ident { $($name:ident = $value:expr),* }) => {
        $(
            #[doc = concat!("From `", $header, "`.")]
            pub const $name: $type = $value;
        )*
    };
}

/// Where a group's numbers come from.
macro_rules! origin {
    (libc) => {
        "libc"
    };
    ($header:literal) => {
        $header
    };
}

use {define, groups, origin};
