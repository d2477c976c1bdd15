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
//! ask the name service **block their thread** for as long as it takes: `getaddrinfo(3)` cannot be
//! interrupted and takes no time limit, only `resolv.conf(5)` has one (`timeout` and `attempts`;
//! 5 seconds and 2 for each server). A caller with a deadline asks on another thread and stops
//! waiting. Numeric hosts never get that far.
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

/// Makes a set of flags around the integer that C takes.
macro_rules! flags {
    ($(#[$doc:meta])* $type:ident { $($(#[$row:meta])* $name:ident = $c:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $type(pub i32);

        impl $type {
            $(
                $(#[$row])*
                #[doc = concat!("C name `", stringify!($c), "`.")]
                pub const $name: $type = $type($crate::constants::$c);
            )*

            /// None of them.
            pub const NONE: $type = $type(0);

            /// Every flag with its C name.
            pub const ALL: &[(&'static str, $type)] = &[$((stringify!($c), $type::$name),)*];

            /// Whether all of `flags` are set.
            #[must_use]
            pub const fn contains(self, flags: $type) -> bool {
                self.0 & flags.0 == flags.0
            }
        }

        impl std::ops::BitOr for $type {
            type Output = $type;

            fn bitor(self, other: $type) -> $type {
                $type(self.0 | other.0)
            }
        }

        /// The C names; what has none as a number. `0` for none.
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut rest = self.0;
                let mut between = "";
                for (name, flag) in $type::ALL.iter().filter(|(_, flag)| self.contains(*flag)) {
                    write!(f, "{between}{name}")?;
                    rest &= !flag.0;
                    between = "|";
                }
                match rest {
                    0 if !between.is_empty() => Ok(()),
                    _ => write!(f, "{between}{rest:#x}"),
                }
            }
        }
    };
}

use flags;
