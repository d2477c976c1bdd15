//! The Berkeley socket API, in blocking style, safe, with deadlines.
//!
//! A [`Socket`] is a descriptor and a time limit. Its methods carry the C names and **block their
//! caller**; who the caller is, the current thread decides (see [`seam`]): a plain thread waits in
//! the kernel, a coroutine is parked. Code above need not know which.
//!
//! | file | what is in it |
//! |---|---|
//! | [`Socket`] | create, bind, listen, accept, connect, send, receive, shut down |
//! | [`Family`], [`Type`], [`Protocol`] | `AF_*`, `SOCK_*`, `IPPROTO_*`, unknown values kept |
//! | [`SockAddr`] | what the kernel calls an address |
//! | [`Address`] | what people write: `tcp://127.0.0.1:7007`, `[::1]:80`, `/run/x.sock`, `@name` |
//! | [`Ancillary`], [`Flags`] | what goes with a message: descriptors, packet info, times … |
//! | [`names`] | names to numbers and back: `getaddrinfo` and all its kin |
//! | [`constants`] | the numbers of C under their names, for a glob import |
//! | [`create_connection`], [`create_server`] | a connection to a name, a listener, in one call |
//! | [`everyday`] | [`TcpStream`], [`UdpSocket`], [`UnixListener`] … with std's names |
//! | [`errors`] | what went wrong, and how to ask it |
//! | [`options`] | every socket option, one row each |
//! | [`poll()`] | wait for several descriptors at once |
//! | [`inherited_block`] | sockets that this process was started with; [`Socket::inherited`] |
//! | [`signal`] | signals as descriptors, for servers that must stop cleanly |
//! | [`process`] | forked children, none lost or mistaken, and memory shared with them |
//! | [`seam`] | the one place where a blocking call meets whoever runs it |
//!
//! What it deliberately does not do: buffer, frame, retry for you across connections, or hide
//! which system call is made. Those belong above.
//!
//! ```
//! use socket::{Family, Socket, Type};
//!
//! let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
//! left.send_all(b"hello")?;
//! let mut buffer = [0; 16];
//! let count = right.recv(&mut buffer)?;
//! assert_eq!(&buffer[..count], b"hello");
//! # std::io::Result::Ok(())
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod address;
pub mod constants;
mod create_connection;
mod create_server;
mod deadline;
mod default_timeout;
mod descriptor;
mod endpoints;
pub mod errors;
pub mod everyday;
#[cfg(feature = "fault-points")]
#[doc(hidden)]
pub mod fault;
mod flag_set;
#[doc(hidden)]
pub mod fuzz;
mod happy_eyeballs;
mod identity;
mod inherited;
mod kinds;
mod loopback_pair;
mod makefile;
mod message;
pub mod names;
mod operation;
pub mod options;
mod poll;
pub mod process;
mod read_write;
pub mod seam;
mod sendfile;
pub mod signal;
mod sockaddr;
mod socket;
mod splice;
mod sys;
mod thread_driver;
mod unix_path;

pub use address::{Address, Host, ParseAddressError, Place, Scheme};
pub use create_connection::{ConnectOptions, create_connection};
pub use create_server::{DEFAULT_BACKLOG, ServerOptions, create_server};
pub use deadline::{Deadline, coarse_time};
pub use default_timeout::{default_timeout, set_default_timeout};
pub use endpoints::ToEndpoints;
pub use errors::{BindError, ConnectError, FailedAttempt};
pub use everyday::{
    TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixSeqpacket,
    UnixSeqpacketListener, UnixStream,
};
pub use inherited::inherited_block;
pub use kinds::{Family, Protocol, Type};
pub use makefile::{SocketReader, SocketWriter};
pub use message::{
    Ancillary, ControlBuffer, Credentials, ErrorOrigin, ExtendedError, Flags, Incoming, Messages,
    Outgoing, PacketInfo, PacketInfo6, Received, RecvBatch, Segments, Timestamping, cmsg_len,
    cmsg_space,
};
pub use names::{Endpoint, ResolveError};
pub use poll::{Interest, Poll, poll};
pub use sockaddr::{
    AlgAddr, CanAddr, NetlinkAddr, PacketAddr, QipcrtrAddr, SockAddr, TipcAddr, UnixAddr, VsockAddr,
};
pub use socket::Socket;
pub use splice::Splice;
pub use unix_path::BoundPath;

/// The programs in `docs/socket.md` are tested as documentation is.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/socket.md")]
struct FromPython;
