//! From names to numbers and back, through the system's resolver and its files.
//!
//! | question | here | Python |
//! |---|---|---|
//! | addresses of a name | [`getaddrinfo`], [`inet_address`] | `getaddrinfo`, `bind` |
//! | the name of an address | [`getnameinfo`], [`gethostbyaddr`] | the same |
//! | IPv4 only, the older calls | [`gethostbyname`], [`gethostbyname_ex`] | the same |
//! | this machine | [`gethostname`], [`sethostname`], [`getfqdn`] | the same |
//! | services, protocols | [`getservbyname`], [`getservbyport`], [`getprotobyname`] | the same |
//! | interfaces | [`if_nameindex`], [`if_nametoindex`], [`if_indextoname`] | the same |
//! | texts of addresses | [`inet_aton`], [`inet_ntoa`], [`inet_pton`], [`inet_ntop`] | the same |
//! | byte order | [`htons`], [`htonl`], [`ntohs`], [`ntohl`] | the same |
//! | what IPv6 can do here | [`has_ipv6`], [`has_dualstack_ipv6`] | the same |
//!
//! Every function may be called from any thread; the re-entrant calls of libc are used. Those that
//! ask the name service **block their caller**, by [`seam::blocking`](crate::seam::blocking), for
//! as long as it takes: `getaddrinfo(3)` cannot be interrupted and takes no time limit, only
//! `resolv.conf(5)` has one (`timeout` and `attempts`; 5 seconds and 2 for each server). On a plain
//! thread that is the thread; elsewhere it is whoever the thread's driver says, and the thread goes
//! on. A caller with a deadline asks on another thread or in another coroutine and stops waiting.
//! Numeric hosts never get that far.
//!
//! What this deliberately does not do: speak DNS itself, cache, or try again.
//!
//! # Platform
//! Answers are libc's. They are tested against Python on glibc; musl knows fewer flags and answers
//! some questions in other words.

mod addrinfo;
mod byte_order;
mod error;
mod host;
mod idna;
mod inet;
mod interface;
mod interface_address;
mod ipv6;
mod nameinfo;
mod service;

pub use addrinfo::{AddrInfo, AddrInfoFlags, Endpoint, Hints, Port, getaddrinfo, inet_address};
pub(crate) use addrinfo::{addresses, service_port};
pub use byte_order::{htonl, htons, ntohl, ntohs};
pub use error::{GaiCode, HostCode, Reason, ResolveError};
pub use host::{
    HostEntry, getfqdn, gethostbyaddr, gethostbyname, gethostbyname_ex, gethostname, sethostname,
};
pub(crate) use idna::to_ascii;
pub use inet::{inet_aton, inet_ntoa, inet_ntop, inet_pton};
pub use interface::{Interface, if_indextoname, if_nameindex, if_nametoindex};
pub(crate) use interface_address::read_answer;
pub use interface_address::{InterfaceAddress, interface_addresses};
pub use ipv6::{has_dualstack_ipv6, has_ipv6};
pub use nameinfo::{NameInfoFlags, getnameinfo};
pub use service::{getprotobyname, getservbyname, getservbyport};
