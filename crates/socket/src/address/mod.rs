//! Addresses as people write them, and one parser for all of them.
//!
//! ```text
//!   address  = [ scheme "://" ] place  |  "-"  |  "fd:" number  |  "fd:" name
//!   scheme   = tcp tcp4 tcp6 udp udp4 udp6 unix unixgram unixseq vsock http
//!   place    = host ":" port  |  "[" IPv6 [ "%" zone ] "]" ":" port  |  ":" port  |  port
//!            | "unix:" path  |  a path with "/"  |  "@" abstract name  |  cid ":" port   (vsock)
//! ```
//! A bare port is loopback, for servers and clients alike: opening up is something one has to say.
//! A port may be a service name (`localhost:http`). What is printed reads back as the same address.
//!
//! An [`Address`] may still hold a name; [`Address::resolve`] asks for its numbers.

mod parse;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;

use crate::kinds::{Family, Protocol, Type};
use crate::names::{self, Endpoint, ResolveError};
use crate::sockaddr::{SockAddr, UnixAddr, VsockAddr, text};

pub use parse::ParseAddressError;

/// Where to listen or connect, as written. See the grammar at the head of this module.
///
/// ```
/// use socket::Address;
///
/// let address: Address = "7007".parse()?;
/// assert_eq!(address.to_string(), "127.0.0.1:7007");
/// let address: Address = "tcp://[::1]:80".parse()?;
/// assert_eq!(address.to_string(), "tcp://[::1]:80");
/// let error = "::1:80".parse::<Address>().unwrap_err();
/// assert!(error.to_string().contains("[::1]:80"));
/// # Ok::<(), socket::ParseAddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// How to talk there; `None` leaves it to whoever uses the address.
    pub scheme: Option<Scheme>,
    /// Where that is.
    pub place: Place,
}

/// The place of an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A host and a port; port 0 lets the system pick a free one.
    Inet(Host, u16),
    /// A Unix socket.
    Unix(UnixAddr),
    /// A virtual machine (context id) and a port. `vsock(7)`.
    Vsock(u32, u32),
    /// A descriptor that is open already: `fd:3`.
    Descriptor(u32),
    /// A descriptor, or several, that are open already, by the name that whoever started this
    /// process gave them: `fd:web`. `sd_listen_fds_with_names(3)`.
    DescriptorName(String),
    /// Standard input and output: `-`.
    Stdio,
}

/// A host: a number or a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
    /// An IPv6 address with the interface it is meant on: `fe80::1%eth0`, `fe80::1%2`.
    Zoned(Ipv6Addr, String),
    /// A name for the resolver.
    Name(String),
}

/// Makes the list of schemes: the word and what it means, one row each.
macro_rules! schemes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $family:ident, $kind:ident;)*) => {
        /// How to talk to an address.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Scheme { $($(#[$doc])* $name,)* }

        impl Scheme {
            /// Every scheme.
            pub const ALL: &[Scheme] = &[$(Scheme::$name,)*];

            /// The word before `://`.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Scheme::$name => $word,)* }
            }

            /// The family it asks for; `UNSPEC` where several will do.
            #[must_use]
            pub fn family(self) -> Family {
                match self { $(Scheme::$name => Family::$family,)* }
            }

            /// The socket type it stands for.
            #[must_use]
            pub fn kind(self) -> Type {
                match self { $(Scheme::$name => Type::$kind,)* }
            }
        }
    };
}

schemes! {
    /// TCP over IPv4 or IPv6.
    Tcp = "tcp", UNSPEC, STREAM;
    /// TCP over IPv4.
    Tcp4 = "tcp4", INET, STREAM;
    /// TCP over IPv6.
    Tcp6 = "tcp6", INET6, STREAM;
    /// UDP over IPv4 or IPv6.
    Udp = "udp", UNSPEC, DGRAM;
    /// UDP over IPv4.
    Udp4 = "udp4", INET, DGRAM;
    /// UDP over IPv6.
    Udp6 = "udp6", INET6, DGRAM;
    /// A Unix stream socket.
    Unix = "unix", UNIX, STREAM;
    /// A Unix datagram socket.
    UnixGram = "unixgram", UNIX, DGRAM;
    /// A Unix socket of whole, ordered messages.
    UnixSeq = "unixseq", UNIX, SEQPACKET;
    /// A stream between a virtual machine and its host.
    Vsock = "vsock", VSOCK, STREAM;
    /// HTTP over TCP.
    Http = "http", UNSPEC, STREAM;
}

impl Address {
    /// The same place with a scheme, if it had none.
    #[must_use]
    pub fn with_default_scheme(mut self, scheme: Scheme) -> Address {
        self.scheme.get_or_insert(scheme);
        self
    }

    /// Every socket address this may mean, in the order in which to try them. A numeric one is
    /// answered at once; a name asks the system's resolver, which may take seconds.
    ///
    /// Without a scheme it is TCP, or a Unix stream.
    ///
    /// # Errors
    /// A name nobody knows, or one without an address in the family the scheme asks for; a place
    /// that has no socket address (`-`, `fd:3`).
    pub fn resolve(&self) -> Result<Vec<Endpoint>, ResolveError> {
        let unix = matches!(self.place, Place::Unix(_));
        let scheme = self.scheme.unwrap_or(if unix { Scheme::Unix } else { Scheme::Tcp });
        let one = |address: SockAddr| {
            let (kind, protocol) = (scheme.kind(), Protocol::DEFAULT);
            vec![Endpoint { family: address.family(), kind, protocol, address }]
        };
        match &self.place {
            Place::Inet(Host::Ip(ip), port) if scheme.takes(*ip) => {
                Ok(one(std::net::SocketAddr::new(*ip, *port).into()))
            }
            Place::Inet(host, port) => {
                let name = host.to_string();
                names::addresses(&name, *port, scheme.family(), scheme.kind())
            }
            Place::Unix(name) => Ok(one(SockAddr::Unix(name.clone()))),
            Place::Vsock(cid, port) => Ok(one(VsockAddr::new(*cid, *port).into())),
            Place::Descriptor(_) | Place::DescriptorName(_) | Place::Stdio => {
                Err(ResolveError::unsupported(&self.to_string()))
            }
        }
    }
}

impl Scheme {
    fn takes(self, ip: IpAddr) -> bool {
        let family = if ip.is_ipv4() { Family::INET } else { Family::INET6 };
        self.family() == Family::UNSPEC || self.family() == family
    }
}

/// As one would type it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.scheme {
            write!(f, "{}://", scheme.word())?;
        }
        match &self.place {
            Place::Inet(host @ (Host::Ip(IpAddr::V6(_)) | Host::Zoned(..)), port) => {
                write!(f, "[{host}]:{port}")
            }
            Place::Inet(host, port) => write!(f, "{host}:{port}"),
            Place::Unix(name) => self.write_unix(f, name),
            Place::Vsock(cid, port) => {
                let word = if self.scheme.is_none() { "vsock://" } else { "" };
                write!(f, "{word}{cid}:{port}")
            }
            Place::Descriptor(number) => write!(f, "fd:{number}"),
            Place::DescriptorName(name) => write!(f, "fd:{name}"),
            Place::Stdio => f.write_str("-"),
        }
    }
}

impl Address {
    /// The name as it is typed. Only what cannot be typed is escaped, and does not read back.
    fn write_unix(&self, f: &mut fmt::Formatter<'_>, name: &UnixAddr) -> fmt::Result {
        let (sign, name) = match name {
            UnixAddr::Unnamed => ("", &[][..]),
            UnixAddr::Abstract(name) => ("@", name.as_slice()),
            UnixAddr::Path(path) => {
                let name = path.as_os_str().as_bytes();
                // A path that begins with the sign of an abstract name would read back as one, and
                // one that begins with a word and a colon as something with a scheme.
                let sign = match name.first() {
                    Some(b'@') => "./",
                    Some(b'/') => "",
                    _ if self.scheme.is_some() => "",
                    _ => "unix:",
                };
                (sign, name)
            }
        };
        f.write_str(sign)?;
        text::write_name(f, name, &[])
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(ip) => ip.fmt(f),
            Host::Zoned(ip, zone) => write!(f, "{ip}%{zone}"),
            Host::Name(name) => f.write_str(name),
        }
    }
}
