//! A listening socket with the settings that every server wants.
//!
//! Address reuse is on, so that a restart does not fail on the connections of the run before. What
//! differs between systems, whether `::` also takes IPv4, is always set explicitly.

use std::io;

use crate::endpoints::ToEndpoints;
use crate::errors::BindError;
use crate::kinds::{Family, Type};
use crate::names::Endpoint;
use crate::socket::Socket;

/// How many connections wait to be accepted where the caller does not say: Python's
/// `min(SOMAXCONN, 128)`.
pub const DEFAULT_BACKLOG: i32 = if libc::SOMAXCONN < 128 { libc::SOMAXCONN } else { 128 };

/// How to listen. `..ServerOptions::default()` fills in the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// How many connections may wait to be accepted, see [`Socket::listen`]. Starts at
    /// [`DEFAULT_BACKLOG`].
    pub backlog: i32,
    /// Whether other sockets with this set may listen on the same address, and share its
    /// connections. Starts off.
    pub reuse_port: bool,
    /// Whether an IPv6 socket also takes IPv4. Only `::` can. Starts off.
    pub dualstack_ipv6: bool,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions { backlog: DEFAULT_BACKLOG, reuse_port: false, dualstack_ipv6: false }
    }
}

/// Makes a socket that listens on `address`: a stream, or of the type that the address names. Port
/// 0 takes a free one, which [`Socket::getsockname`] tells. Of several addresses the first that can
/// be bound is taken.
///
/// It takes a Unix path as it is; one that a dead server left behind is in the way.
/// [`UnixListener`](crate::UnixListener) knows what to do about that.
///
/// # Errors
/// A [`BindError`] with the address and the kernel's error inside: `EADDRINUSE`, `EACCES`,
/// `EADDRNOTAVAIL`; of several addresses that of the last. `InvalidInput` when the address is none,
/// is one for datagrams, or is not IPv6 although `dualstack_ipv6` asks for it.
///
/// ```
/// use socket::{ServerOptions, create_server};
///
/// let both = ServerOptions { dualstack_ipv6: true, ..Default::default() };
/// let server = create_server("[::]:0", &both)?;
/// assert!(!server.ipv6_v6only()?);
///
/// let error = create_server(server.getsockname()?, &Default::default()).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
/// assert!(error.to_string().starts_with("bind [::]:"));
/// # std::io::Result::Ok(())
/// ```
pub fn create_server(address: impl ToEndpoints, options: &ServerOptions) -> io::Result<Socket> {
    let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no address to listen on");
    for endpoint in address.to_endpoints(Type::STREAM)? {
        if endpoint.kind == Type::DGRAM {
            return Err(invalid("a datagram socket does not listen: bind one instead"));
        }
        if options.dualstack_ipv6 && endpoint.family != Family::INET6 {
            return Err(invalid("dualstack_ipv6 needs an IPv6 address"));
        }
        match listening(&endpoint, options) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = BindError::new(endpoint.address, error).into(),
        }
    }
    Err(last)
}

fn listening(endpoint: &Endpoint, options: &ServerOptions) -> io::Result<Socket> {
    let socket = Socket::new(endpoint.family, endpoint.kind, endpoint.protocol)?;
    if endpoint.address.as_inet().is_some() {
        socket.set_so_reuseaddr(true)?;
    }
    if options.reuse_port {
        socket.set_so_reuseport(true)?;
    }
    if endpoint.family == Family::INET6 {
        socket.set_ipv6_v6only(!options.dualstack_ipv6)?;
    }
    socket.bind(&endpoint.address)?;
    socket.listen(options.backlog)?;
    Ok(socket)
}
