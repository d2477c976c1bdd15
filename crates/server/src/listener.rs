//! A bound socket and what it serves.
//!
//! Binding is where a server meets most of its bad luck: a name nobody knows, a port somebody has,
//! a right it lacks. Each gets one sentence with the address and what to do. A Unix path left over
//! by a server that is gone is replaced, but never one on which somebody listens, and never a file
//! that is not a socket; the path is removed again when the listener goes.
//!
//! A socket that somebody else has bound is taken as it is, once it is clear that it can be served.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use socket::errors::BindError;
use socket::{
    Address, BoundPath, Endpoint, Family, Host, Place, Scheme, SockAddr, Socket, Type, UnixAddr,
};

use crate::caught::caught;
use crate::error::{Error, Result};
use crate::event::Tally;
use crate::handler::Service;
use crate::switches::{Counted, Switches};

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
    pub(crate) service: Arc<dyn Service>,
    /// Its name.
    pub(crate) name: Arc<str>,
    /// The socket through which datagrams are answered; `None` if it takes connections.
    pub(crate) datagrams: Option<Arc<Bound>>,
    /// Whether its connections carry messages instead of a stream of bytes.
    pub(crate) messages: bool,
    /// Its place in the server's list of numbers.
    pub(crate) index: usize,
    /// Its numbers.
    pub(crate) tally: Arc<Tally>,
    /// Whether it has been told that it listens.
    told: AtomicBool,
}

impl Site {
    /// Whether nobody has asked this before: who does tells that it listens.
    pub(crate) fn tell_once(&self) -> bool {
        !self.told.swap(true, SeqCst)
    }

    /// Tells the service that its listener is closed.
    pub(crate) fn closed(&self) {
        let _ = caught(|| self.service.server_close());
    }
}

/// The kernel's limit, `net.core.somaxconn`, cuts this down to what the system allows.
const REQUEST_QUEUE_SIZE: i32 = 4096;

/// How listeners are made.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    /// `listen(2)`'s backlog.
    pub(crate) request_queue_size: i32,
    /// `SO_REUSEADDR`.
    pub(crate) allow_reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub(crate) allow_reuse_port: bool,
}

impl Default for Binding {
    fn default() -> Binding {
        Binding {
            request_queue_size: REQUEST_QUEUE_SIZE,
            allow_reuse_address: true,
            allow_reuse_port: false,
        }
    }
}

/// Tells services that their requests will run in processes of their own.
pub(crate) fn serve_apart(listeners: &[Listener]) -> Result {
    listeners.iter().try_for_each(|Listener { site, .. }| {
        let prepared = site.service.serve_apart();
        prepared.map_err(|error| Error::io("serve", error).at(&site.address))
    })
}

impl Binding {
    /// Binds `address` for `service`: the first of its socket addresses that can be had.
    pub(crate) fn bind(
        &self,
        address: Address,
        service: Arc<dyn Service>,
        switches: &Switches,
    ) -> Result<Listener> {
        let unix = matches!(address.place, Place::Unix(_));
        let scheme = if unix { Scheme::Unix } else { Scheme::Tcp };
        let address = address.with_default_scheme(scheme);
        let endpoints = address.resolve().map_err(|error| Error::resolve("bind", error))?;
        let mut failure = None;
        for endpoint in &endpoints {
            match self.listen(endpoint, &*service) {
                Ok((socket, path)) => {
                    return Listener::new(socket, path, &address, service, switches)
                        .map_err(|error| Error::io("bind", error).at(&address));
                }
                Err(error) => failure = Some(error),
            }
        }
        // The socket is closed by now.
        let _ = caught(|| service.server_close());
        let error = failure.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into());
        let remedy = remedy(&error, &address);
        let error = Error::io("bind", error).at(&address);
        Err(match remedy {
            Some(remedy) => error.try_this(remedy),
            None => error,
        })
    }

    /// Takes a socket that is bound already.
    pub(crate) fn adopt(
        &self,
        socket: Socket,
        service: Arc<dyn Service>,
        switches: &Switches,
    ) -> Result<Listener> {
        let address = own_address(&socket).map_err(|error| Error::io("serve", error))?;
        self.prepare_adopted(&socket, &*service)
            .and_then(|()| Listener::new(socket, None, &address, service, switches))
            .map_err(|error| Error::io("serve", error).at(&address))
    }

    fn prepare_adopted(&self, socket: &Socket, service: &dyn Service) -> io::Result<()> {
        let stream = socket.kind()? != Type::DGRAM;
        if stream && !socket.so_acceptconn()? {
            if socket.getpeername().is_ok() {
                let why = "it is a connection, not a listener (in systemd: Accept=no)";
                return Err(io::Error::new(ErrorKind::InvalidInput, why));
            }
            caught(|| service.server_activate(socket))??;
            socket.listen(self.request_queue_size)?;
        }
        let inet = matches!(socket.family()?, Family::INET | Family::INET6);
        if stream && inet {
            inherited_options(socket)?;
        }
        socket.set_blocking(false)
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
        service: &dyn Service,
    ) -> io::Result<(Socket, Option<BoundPath>)> {
        let socket = Socket::new(endpoint.family, endpoint.kind, endpoint.protocol)?;
        let inet = matches!(endpoint.family, Family::INET | Family::INET6);
        if endpoint.family == Family::INET6 {
            // "[::]" and "0.0.0.0" are two listeners that do not get in each other's way.
            socket.set_ipv6_v6only(true)?;
        }
        if inet && endpoint.kind == Type::STREAM {
            socket.set_so_reuseaddr(self.allow_reuse_address)?;
            inherited_options(&socket)?;
        }
        if inet && self.allow_reuse_port {
            socket.set_so_reuseport(true)?;
        }
        caught(|| service.server_bind(&socket))??;
        let path = bind(&socket, endpoint)?;
        caught(|| service.server_activate(&socket))??;
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
        service: Arc<dyn Service>,
        switches: &Switches,
    ) -> io::Result<Listener> {
        let local = socket.getsockname()?;
        let place = place(&local).unwrap_or_else(|| asked.place.clone());
        let address = Address { scheme: asked.scheme, place };
        let kind = socket.kind()?;
        let bound = Arc::new(Bound { _path: path, socket });
        let datagrams = (kind == Type::DGRAM).then(|| Arc::clone(&bound));
        let (mut known, tally) = (switches.known(), Arc::<Tally>::default());
        let index = known.listeners.len();
        known.listeners.push(Counted {
            address: address.clone(),
            service: service.name().to_owned(),
            tally: Arc::clone(&tally),
        });
        let told = AtomicBool::new(false);
        let messages = kind == Type::SEQPACKET;
        let name = service.name().into();
        let site = Site { local, address, service, name, datagrams, messages, index, tally, told };
        Ok(Listener { bound, site: Arc::new(site) })
    }
}

/// The place of a socket address, where people write such.
fn place(address: &SockAddr) -> Option<Place> {
    Some(match address {
        SockAddr::Unix(name) => Place::Unix(name.clone()),
        SockAddr::Vsock(vsock) => Place::Vsock(vsock.cid, vsock.port),
        other => {
            let inet = other.as_inet()?;
            Place::Inet(Host::Ip(inet.ip()), inet.port())
        }
    })
}

/// The address that a socket is bound to.
fn own_address(socket: &Socket) -> io::Result<Address> {
    let refused = |why: String| io::Error::new(ErrorKind::InvalidInput, why);
    let (family, kind, local) = (socket.family()?, socket.kind()?, socket.getsockname()?);
    let scheme = match (family, kind) {
        (Family::INET | Family::INET6, Type::STREAM) => Scheme::Tcp,
        (Family::INET | Family::INET6, Type::DGRAM) => Scheme::Udp,
        _ => {
            let fits = |scheme: &&Scheme| scheme.family() == family && scheme.kind() == kind;
            let why = || refused(format!("a socket of {family} and {kind} cannot be served"));
            *Scheme::ALL.iter().find(fits).ok_or_else(why)?
        }
    };
    let unbound = match &local {
        SockAddr::Unix(name) => *name == UnixAddr::Unnamed,
        other => other.as_inet().is_some_and(|inet| inet.port() == 0),
    };
    match place(&local) {
        Some(place) if !unbound => Ok(Address { scheme: Some(scheme), place }),
        _ => Err(refused("the socket is not bound to an address".into())),
    }
}

/// What accepted sockets inherit: answers leave at once, vanished peers are found.
fn inherited_options(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_so_keepalive(true)
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

/// What to do about a bind that failed: words, and where it would do, an address to bind instead.
fn remedy(error: &io::Error, address: &Address) -> Option<Cow<'static, str>> {
    let at = |port| match &address.place {
        Place::Inet(host, _) => {
            Address { place: Place::Inet(host.clone(), port), ..address.clone() }
        }
        _ => address.clone(),
    };
    let words = match (error.kind(), &address.place) {
        (ErrorKind::PermissionDenied, Place::Unix(_)) => "the directory must be writable",
        (ErrorKind::PermissionDenied, Place::Inet(_, port @ 1..PRIVILEGED)) => {
            let other = at(port + BESIDE);
            let why = "ports below 1024 need CAP_NET_BIND_SERVICE";
            return Some(format!("{why}; try {other}").into());
        }
        (ErrorKind::AddrInUse, Place::Unix(_)) if error.raw_os_error().is_none() => {
            "it is left alone; choose another path"
        }
        (ErrorKind::AddrInUse, Place::Unix(_)) => {
            "another server listens there; choose another path"
        }
        (ErrorKind::AddrInUse, Place::Inet(..)) => {
            let any = at(0);
            return Some(
                format!("another program has it; try {any}, which picks a free port").into(),
            );
        }
        (ErrorKind::AddrInUse, _) => "another program has it",
        (ErrorKind::AddrNotAvailable, Place::Inet(..)) => {
            "this machine does not have that address; ip address lists those it has"
        }
        (ErrorKind::NotFound, Place::Unix(_)) => "the directory does not exist; make it first",
        _ => return None,
    };
    Some(words.into())
}

/// Ports below it are kept for whoever may have them. `ip(7)`, `ip_unprivileged_port_start`.
const PRIVILEGED: u16 = 1024;
/// From such a port to the one that is used in its place: 80 becomes 8080, 443 becomes 8443.
const BESIDE: u16 = 8000;
