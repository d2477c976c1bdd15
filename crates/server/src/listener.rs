//! A bound socket and what it serves.
//!
//! Binding is where a server meets most of its bad luck: a name nobody knows, a port somebody has,
//! a right it lacks. Each gets one sentence with the address and what to do. A Unix path left over
//! by a server that is gone is replaced, but never one on which somebody listens, and never a file
//! that is not a socket; the path is removed again when the listener goes.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use socket::errors::BindError;
use socket::{Address, BoundPath, Endpoint, Family, Host, Place, Scheme, SockAddr, Socket, Type};

use crate::error::{Error, Result};
use crate::handler::Service;

/// A bound socket and what it serves.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) bound: Arc<Bound>,
    pub(crate) site: Arc<Site>,
}

/// A listening socket, or a datagram socket that is received from. Closed when the server takes no
/// more from it, which may be long before its last request is done.
pub(crate) struct Bound {
    /// The path to remove when it goes; dropped before the socket, while the inode is still ours.
    _path: Option<BoundPath>,
    pub(crate) socket: Socket,
}

/// What the requests of a listener know of it.
pub(crate) struct Site {
    /// Its own address, with port 0 resolved.
    pub(crate) local: SockAddr,
    /// The same as people write it.
    pub(crate) address: Address,
    pub(crate) service: Box<dyn Service>,
    /// The socket through which datagrams are answered; `None` if it takes connections.
    pub(crate) datagrams: Option<Arc<Bound>>,
}

/// How listeners are made.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    /// `listen(2)`'s backlog.
    pub(crate) request_queue_size: i32,
    /// `SO_REUSEADDR`.
    pub(crate) allow_reuse_address: bool,
}

impl Binding {
    /// Binds `address` for `service`: the first of its socket addresses that can be had.
    pub(crate) fn bind(&self, address: Address, service: Box<dyn Service>) -> Result<Listener> {
        let unix = matches!(address.place, Place::Unix(_));
        let scheme = if unix { Scheme::Unix } else { Scheme::Tcp };
        let address = address.with_default_scheme(scheme);
        let endpoints = address.resolve().map_err(|error| Error::resolve("bind", error))?;
        let mut failure = None;
        for endpoint in &endpoints {
            match self.listen(endpoint) {
                Ok((socket, path)) => {
                    return Listener::new(socket, path, &address, service)
                        .map_err(|error| Error::io("bind", error).at(&address));
                }
                Err(error) => failure = Some(error),
            }
        }
        let error = failure.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into());
        let remedy = remedy(&error, &address);
        Err(Error::io("bind", error).at(&address).try_this(remedy))
    }

    fn listen(&self, endpoint: &Endpoint) -> io::Result<(Socket, Option<BoundPath>)> {
        let socket = Socket::new(endpoint.family, endpoint.kind, endpoint.protocol)?;
        let inet = matches!(endpoint.family, Family::INET | Family::INET6);
        if endpoint.family == Family::INET6 {
            // "[::]" and "0.0.0.0" are two listeners that do not get in each other's way.
            socket.set_ipv6_v6only(true)?;
        }
        if inet && endpoint.kind == Type::STREAM {
            socket.set_so_reuseaddr(self.allow_reuse_address)?;
            // Accepted sockets inherit both: answers leave at once, vanished peers are found.
            socket.set_tcp_nodelay(true)?;
            socket.set_so_keepalive(true)?;
        }
        let path = bind(&socket, endpoint)?;
        if endpoint.kind != Type::DGRAM {
            socket.listen(self.request_queue_size)?;
        }
        // The accept loop asks for readiness first, and several may ask at once.
        socket.set_blocking(false)?;
        Ok((socket, path))
    }
}

impl Listener {
    fn new(
        socket: Socket,
        path: Option<BoundPath>,
        asked: &Address,
        service: Box<dyn Service>,
    ) -> io::Result<Listener> {
        let local = socket.getsockname()?;
        let place = match &local {
            SockAddr::Unix(name) => Place::Unix(name.clone()),
            other => match other.as_inet() {
                Some(inet) => Place::Inet(Host::Ip(inet.ip()), inet.port()),
                None => asked.place.clone(),
            },
        };
        let address = Address { scheme: asked.scheme, place };
        let datagram = socket.kind()? == Type::DGRAM;
        let bound = Arc::new(Bound { _path: path, socket });
        let datagrams = datagram.then(|| Arc::clone(&bound));
        Ok(Listener { bound, site: Arc::new(Site { local, address, service, datagrams }) })
    }
}

/// Binds; for a Unix path, makes way if what is there is a leftover, and removes it at the end.
fn bind(socket: &Socket, endpoint: &Endpoint) -> io::Result<Option<BoundPath>> {
    let Some(path) = endpoint.address.as_path() else {
        socket.bind(&endpoint.address)?;
        return Ok(None);
    };
    // The address is in our own error already.
    let mut bound =
        socket.bind_path(path).map_err(|error| match error.downcast::<BindError>() {
            Ok(error) => error.into_cause(),
            Err(error) => error,
        })?;
    bound.set_unlink_on_drop(true);
    Ok(Some(bound))
}

/// What to do about a bind that failed.
fn remedy(error: &io::Error, address: &Address) -> Option<&'static str> {
    let unix = matches!(address.place, Place::Unix(_));
    match error.kind() {
        ErrorKind::PermissionDenied if unix => Some("the directory must be writable"),
        ErrorKind::PermissionDenied => {
            Some("ports below 1024 need CAP_NET_BIND_SERVICE; try a higher port")
        }
        ErrorKind::AddrInUse if unix && error.raw_os_error().is_none() => {
            Some("it is left alone; choose another path")
        }
        ErrorKind::AddrInUse if unix => Some("another server listens there"),
        ErrorKind::AddrInUse => Some("another program has it; port 0 picks a free one"),
        ErrorKind::AddrNotAvailable => Some("this machine does not have that address"),
        ErrorKind::NotFound if unix => Some("the directory does not exist"),
        _ => None,
    }
}
