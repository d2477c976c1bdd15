//! Everything that says where to connect or to listen, as one trait.
//!
//! A function that takes `impl ToEndpoints` can be given what the program happens to have:
//!
//! | given | for example |
//! |---|---|
//! | text, in the grammar of [`Address`] | `"localhost:http"`, `"[::1]:80"`, `"unix:/run/x.sock"` |
//! | host and port, as in Python | `("localhost", 80)`, `("", 80)` for every address of it |
//! | addresses of std | `SocketAddr`, `(IpAddr, u16)`, a slice of `SocketAddr` |
//! | addresses of this crate | [`Address`], [`SockAddr`], a slice of [`Endpoint`] |
//!
//! Only a name asks the resolver, and then the call takes as long as the resolver does.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::address::{Address, Host, Place, Scheme};
use crate::kinds::{Protocol, Type};
use crate::names::Endpoint;
use crate::sockaddr::SockAddr;

/// Where to connect or to listen.
///
/// ```
/// use socket::{ToEndpoints, Type};
///
/// for place in ["127.0.0.1:80", "tcp://127.0.0.1:80", "80"] {
///     let endpoints = place.to_endpoints(Type::STREAM)?;
///     assert_eq!(endpoints, ("127.0.0.1", 80).to_endpoints(Type::STREAM)?);
/// }
/// # std::io::Result::Ok(())
/// ```
pub trait ToEndpoints {
    /// Every place this may mean, in the order in which to try them. Sockets are of type `kind`
    /// unless the address itself says otherwise (`udp://…`).
    ///
    /// # Errors
    /// `InvalidInput` with a [`ParseAddressError`](crate::ParseAddressError) for text that is not
    /// an address; with a [`ResolveError`](crate::ResolveError) what the resolver says of a name.
    fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>>;
}

impl<T: ToEndpoints + ?Sized> ToEndpoints for &T {
    fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>> {
        (**self).to_endpoints(kind)
    }
}

impl ToEndpoints for Address {
    fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>> {
        let scheme = match (&self.place, kind) {
            (Place::Unix(_), Type::DGRAM) => Scheme::UnixGram,
            (Place::Unix(_), Type::SEQPACKET) => Scheme::UnixSeq,
            (Place::Unix(_), _) => Scheme::Unix,
            (_, Type::DGRAM) => Scheme::Udp,
            _ => Scheme::Tcp,
        };
        Ok(self.clone().with_default_scheme(scheme).resolve()?)
    }
}

impl ToEndpoints for str {
    fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>> {
        self.parse::<Address>()?.to_endpoints(kind)
    }
}

impl ToEndpoints for String {
    fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>> {
        self.as_str().to_endpoints(kind)
    }
}

/// An empty host is every address of this machine, in IPv4, as in Python.
impl ToEndpoints for (&str, u16) {
    fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>> {
        let (name, port) = *self;
        let host = match (name.parse::<IpAddr>(), name.split_once('%')) {
            (Ok(ip), _) => Host::Ip(ip),
            (_, Some((ip, zone))) => match ip.parse() {
                Ok(ip) => Host::Zoned(ip, zone.to_owned()),
                Err(_) => Host::Name(name.to_owned()),
            },
            _ if name.is_empty() => Host::Ip(Ipv4Addr::UNSPECIFIED.into()),
            _ => Host::Name(name.to_owned()),
        };
        Address { scheme: None, place: Place::Inet(host, port) }.to_endpoints(kind)
    }
}

impl ToEndpoints for (String, u16) {
    fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>> {
        (self.0.as_str(), self.1).to_endpoints(kind)
    }
}

impl ToEndpoints for SockAddr {
    fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>> {
        let (family, address) = (self.family(), self.clone());
        Ok(vec![Endpoint { family, kind, protocol: Protocol::DEFAULT, address }])
    }
}

impl ToEndpoints for [Endpoint] {
    fn to_endpoints(&self, _kind: Type) -> io::Result<Vec<Endpoint>> {
        Ok(self.to_vec())
    }
}

impl ToEndpoints for [SocketAddr] {
    fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>> {
        let each = self.iter().map(|address| address.to_endpoints(kind));
        Ok(each.collect::<io::Result<Vec<_>>>()?.concat())
    }
}

/// The types of which each value is one address of std.
macro_rules! one_address {
    ($($type:ty,)+) => { $(
        impl ToEndpoints for $type {
            fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>> {
                SockAddr::from(SocketAddr::from(*self)).to_endpoints(kind)
            }
        }
    )+ };
}

one_address! {
    SocketAddr, SocketAddrV4, SocketAddrV6,
    (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16), ([u8; 4], u16),
}

/// The containers of which each value is what its slice is.
macro_rules! as_slice {
    ($([$($generic:tt)*] $type:ty,)+) => { $(
        impl<$($generic)*> ToEndpoints for $type {
            fn to_endpoints(&self, kind: Type) -> io::Result<Vec<Endpoint>> {
                self.as_slice().to_endpoints(kind)
            }
        }
    )+ };
}

as_slice! {
    [] Vec<Endpoint>, [] Vec<SocketAddr>, [const N: usize] [SocketAddr; N],
}
