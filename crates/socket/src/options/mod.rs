//! Socket options: one row each.
//!
//! A row in one of the lists below gives an option's documentation, C name, methods on
//! [`Socket`], encoding, default and a sample value. From it come the getter and the setter, the
//! entry in [`ALL`] (which `switchboard options` prints), and the test against the kernel
//! (`tests/options_round_trip.rs`). To add an option, add a row; the grammar is at the head of
//! `row.rs`.
//!
//! | file | level | options of |
//! |---|---|---|
//! | `socket.rs`, `unix.rs`, `filter.rs` | `SOL_SOCKET` | every socket; Unix; packet filters |
//! | `ip.rs`, `multicast.rs` | `IPPROTO_IP` | IPv4; groups, of IPv6 too |
//! | `ipv6.rs` | `IPPROTO_IPV6` | IPv6 |
//! | `tcp.rs` | `IPPROTO_TCP`, `SOL_MPTCP` | TCP |
//! | `udp.rs` | `IPPROTO_UDP`, `IPPROTO_UDPLITE` | UDP |
//! | `raw.rs` | several | raw sockets |
//! | `packet.rs`, `netlink.rs`, `vsock.rs`, `other.rs` | their own | those families |
//!
//! Values that are more than a number are types of their own: [`TcpInfo`], [`SockFilter`],
//! [`GroupReq`], [`Credentials`](crate::Credentials). What has no row is in [`LEFT_OUT`], with the
//! reason, and can still be read and set by number: [`Socket::getsockopt`],
//! [`Socket::setsockopt`].
//!
//! ```
//! use socket::options::ALL;
//!
//! let row = ALL.iter().copied().flatten().find(|row| row.name == "IP_TTL").unwrap();
//! assert_eq!(row.setter, Some("set_ip_ttl"));
//! let (socket, _peers) = row.subject.open()?;
//! let show = row.show.unwrap();
//! println!("{} is {} on this machine", row.name, show(&socket)?);
//! # std::io::Result::Ok(())
//! ```

pub(crate) mod constants;
mod encoding;
mod filter;
mod ip;
mod ipv6;
mod left_out;
mod multicast;
mod netlink;
mod other;
mod packet;
mod raw;
mod row;
mod socket;
mod subject;
mod tcp;
mod udp;
mod unix;
mod values;
mod vsock;

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::socket::Socket;
use crate::sys::option as sys;
use encoding::{Get, Set, Slot};
use row::options;

pub use left_out::LEFT_OUT;
pub use subject::{State, Subject};
pub use values::filter::SockFilter;
pub use values::ip::{FlowLabelAction, FlowLabelReq, FlowLabelShare, Icmp6Filter, IcmpFilter};
pub use values::multicast::{
    GroupFilter, GroupReq, GroupSourceReq, IpMreqSource, IpMreqn, IpMsfilter, Ipv6Mreq,
};
pub use values::packet::{
    CanFilter, Fanout, PacketMembership, PacketMreq, TpacketRolloverStats, TpacketStats,
};
pub use values::socket::{MemInfo, TxTime};
pub use values::tcp::{Md5Sig, RepairOpt, RepairWindow};
pub use values::tcp_info::{MptcpInfo, TcpInfo};
pub use values::words::{
    AddrPreferences, BufLock, FilterMode, PathMtuDiscovery, RepairQueue, TcpState,
    TimestampingFlags, TipcImportance, TpacketVersion, UdpEncap,
};

/// One option, as data: for listings and tests. The methods are on [`Socket`].
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
    /// The method that reads it.
    pub getter: Option<&'static str>,
    /// The method that sets it.
    pub setter: Option<&'static str>,
    /// The Rust type of the value.
    pub value_type: &'static str,
    /// What it does, in lines of Markdown.
    pub doc: &'static str,
    /// What a new socket has, as Rust writes it or, where the machine decides, in words.
    pub default: Option<&'static str>,
    /// The privilege it needs: `CAP_NET_ADMIN`. `capabilities(7)`.
    pub needs: Option<&'static str>,
    /// The first version of Linux that has it, if that is after 5.10.
    pub since: Option<&'static str>,
    /// What the kernel must be built with, where kernels are commonly built without.
    pub config: Option<&'static str>,
    /// A kind of socket that has it.
    pub subject: Subject,
    /// Reads it and prints the value; `None` where there is no getter.
    pub show: Option<fn(&Socket) -> io::Result<String>>,
    /// Compares the default with what a new socket has; `None` where the machine decides.
    pub check_default: Option<fn(&Socket) -> io::Result<RoundTrip>>,
    /// How the row is tried against the kernel.
    pub check: Check,
}

/// How a row is tried against the kernel.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// Set the sample, if there is one, read it back and compare.
    RoundTrip(fn(&Socket) -> io::Result<RoundTrip>),
    /// It can be read; what it says depends on the machine.
    Readable,
    /// It can be set; there is nothing to read back.
    Settable(fn(&Socket) -> io::Result<()>),
    /// A test of its own does it, in this file below `tests/`.
    Tested(&'static str),
    /// Not tried, for this reason.
    Untried(&'static str),
}

/// What was expected and what the kernel said, printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundTrip {
    /// The sample that was set, or what the kernel is documented to make of it.
    pub expected: String,
    /// The value read.
    pub found: String,
}

/// [`compare`], where both are of one type.
fn agree<T: Debug>(expected: T, found: T) -> io::Result<RoundTrip> {
    compare(&expected, &found)
}

fn compare(expected: &dyn Debug, found: &dyn Debug) -> io::Result<RoundTrip> {
    Ok(RoundTrip { expected: format!("{expected:?}"), found: format!("{found:?}") })
}

/// Every option, level by level.
pub const ALL: &[&[SocketOption]] = &[
    socket::ROWS,
    unix::ROWS,
    filter::ROWS,
    ip::ROWS,
    multicast::ROWS,
    ipv6::ROWS,
    tcp::ROWS,
    tcp::MPTCP_ROWS,
    udp::ROWS,
    udp::LITE_ROWS,
    raw::IP_ROWS,
    raw::ICMP_ROWS,
    raw::ICMPV6_ROWS,
    raw::IPV6_ROWS,
    packet::ROWS,
    netlink::ROWS,
    vsock::ROWS,
    other::CAN_ROWS,
    other::J1939_ROWS,
    other::TIPC_ROWS,
];

/// Options by number, for those that have no row.
impl Socket {
    /// Reads an option by number into `room` and answers the part that was filled. `getsockopt(2)`.
    ///
    /// ```
    /// use socket::constants::{SO_KEEPALIVE, SOL_SOCKET};
    /// use socket::{Family, Socket, Type};
    ///
    /// let socket = Socket::new(Family::INET, Type::STREAM, Default::default())?;
    /// socket.setsockopt(SOL_SOCKET, SO_KEEPALIVE, &1_i32.to_ne_bytes())?;
    /// assert_eq!(socket.getsockopt(SOL_SOCKET, SO_KEEPALIVE, &mut [0; 4])?, 1_i32.to_ne_bytes());
    /// assert!(socket.so_keepalive()?); // nearly every option has a method
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// `ENOPROTOOPT` for an option the kernel does not know at that level; `Unsupported` for the
    /// few that are not bytes but addresses, by which safe code could overwrite memory.
    pub fn getsockopt<'a>(
        &self,
        level: i32,
        name: i32,
        room: &'a mut [u8],
    ) -> io::Result<&'a [u8]> {
        sys::getsockopt(self.as_fd(), level, name, room)
    }

    /// Sets an option by number; most values are a C `int` in the machine's byte order.
    /// `setsockopt(2)`.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for an option the kernel does not know at that level; `EINVAL`; `EPERM`;
    /// `Unsupported` for the few that hold addresses, and for the kernel's time limits, which are
    /// [`set_timeout`](Socket::set_timeout)'s.
    pub fn setsockopt(&self, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
        use constants::{SO_RCVTIMEO, SO_RCVTIMEO_NEW, SO_SNDTIMEO, SO_SNDTIMEO_NEW};
        let limits = [SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW];
        // The kernel's own limits carry out `set_timeout`; changed behind its back a call could
        // overstay.
        if level == libc::SOL_SOCKET && limits.contains(&name) {
            let text = "the socket sets this limit itself: use set_timeout";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        self.note_change(level, name);
        sys::setsockopt(self.as_fd(), level, name, value)
    }
}

/// The error waiting on a socket, if there is one, which is taken by asking. `SO_ERROR`.
pub(crate) fn take_error(fd: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    let (level, name) = (libc::SOL_SOCKET, libc::SO_ERROR);
    encoding::PendingError::get(Slot { fd, level, name })
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
    encoding::Timeval::set(Slot { fd, level: libc::SOL_SOCKET, name }, limit)
}
