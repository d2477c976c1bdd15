//! Families, types and protocols: `AF_*`, `SOCK_*`, `IPPROTO_*` as values with names.
//!
//! Each is the kernel's integer in a type of its own. A number nobody has named here is as good as
//! any other: it is passed on unchanged and printed as a number. A name is one row in a list.

use std::fmt;

/// Makes a type around the kernel's integer, with its named values.
macro_rules! kinds {
    ($(#[$doc:meta])* $type:ident { $($(#[$row:meta])* $name:ident = $c:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(pub i32);

        impl $type {
            $(
                #[allow(deprecated)] // libc deprecates SOCK_PACKET, which the kernel still has
                $(#[$row])*
                #[doc = concat!("C name `", stringify!($c), "`.")]
                pub const $name: $type = $type(libc::$c);
            )*

            /// The C name, for example `AF_INET`; `None` for a value that has no row here.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                $(if self == $type::$name { return Some(stringify!($c)); })*
                None
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

kinds! {
    /// An address family: which kind of address a socket speaks. See `socket(2)`.
    Family {
        /// Not a family: "any", where a function lets the caller leave it open.
        UNSPEC = AF_UNSPEC,
        /// Sockets of one machine, named in the file system or in the abstract space. `unix(7)`.
        UNIX = AF_UNIX,
        /// IPv4. `ip(7)`.
        INET = AF_INET,
        /// IPv6. `ipv6(7)`.
        INET6 = AF_INET6,
        /// Between a virtual machine and its host. `vsock(7)`.
        VSOCK = AF_VSOCK,
    }
}

kinds! {
    /// A socket type: what the bytes of a socket mean to each other. See `socket(2)`.
    Type {
        /// Connected, ordered, reliable bytes without boundaries: TCP.
        STREAM = SOCK_STREAM,
        /// Messages that may be lost or reordered, each whole: UDP.
        DGRAM = SOCK_DGRAM,
        /// Packets below the transport, for programs that build their own headers. `raw(7)`.
        RAW = SOCK_RAW,
        /// Reliable datagrams without an order.
        RDM = SOCK_RDM,
        /// Connected, ordered, reliable messages with boundaries.
        SEQPACKET = SOCK_SEQPACKET,
        /// The oldest way to link-level packets, kept by Linux. Use `AF_PACKET` instead.
        PACKET = SOCK_PACKET,
    }
}

kinds! {
    /// A protocol within a family, `IPPROTO_*`. See `protocols(5)`.
    Protocol {
        /// The one that goes with family and type. The right choice nearly always.
        DEFAULT = IPPROTO_IP,
        /// Internet control messages. RFC 792.
        ICMP = IPPROTO_ICMP,
        /// RFC 9293.
        TCP = IPPROTO_TCP,
        /// RFC 768.
        UDP = IPPROTO_UDP,
        /// Internet control messages for IPv6. RFC 4443.
        ICMPV6 = IPPROTO_ICMPV6,
    }
}

impl Default for Protocol {
    fn default() -> Protocol {
        Protocol::DEFAULT
    }
}
