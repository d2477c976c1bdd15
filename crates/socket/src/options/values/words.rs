//! Small integers whose values have names, and sets of flags.
//!
//! Each is the kernel's number in a type of its own: a number without a name here passes through
//! unchanged and prints as a number.

use crate::constants;
use crate::flag_set::flag_set;

/// Makes types around a number, with named values.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident($int:ty) { $($(#[$row:meta])* $name:ident = $value:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $type(pub $int);

        impl $type {
            $(
                $(#[$row])*
                pub const $name: $type = $type($value as $int);
            )*
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $(if *self == $type::$name { return f.write_str(stringify!($name)); })*
                write!(f, "{}", self.0)
            }
        }

        crossing! { $type $int }
    };
}

/// As wide a number as the type holds, written as a C `int`.
macro_rules! crossing {
    ($type:ident $int:ty) => {
        impl $crate::options::encoding::Get for $type {
            type Value = $type;
            fn get(from: $crate::options::encoding::Slot<'_>) -> std::io::Result<$type> {
                Ok($type(from.int()? as $int))
            }
        }

        impl $crate::options::encoding::Set<$type> for $type {
            fn set(to: $crate::options::encoding::Slot<'_>, value: $type) -> std::io::Result<()> {
                to.set(&(value.0 as i32).to_ne_bytes())
            }
        }
    };
}

words! {
    /// How a socket finds the largest packet that reaches its peer whole. `ip(7)`, `ipv6(7)`.
    PathMtuDiscovery(i32) {
        /// Never forbids fragmenting.
        DONT = libc::IP_PMTUDISC_DONT,
        /// As the route says: forbids it, and fragments what is too big. The default.
        WANT = libc::IP_PMTUDISC_WANT,
        /// Always forbids it; what is too big fails with `EMSGSIZE`.
        DO = libc::IP_PMTUDISC_DO,
        /// Forbids it and ignores the path's known size, for programs that probe for it.
        PROBE = libc::IP_PMTUDISC_PROBE,
        /// Uses the interface's size only and never forbids fragmenting; what the network says
        /// about the path is not believed.
        INTERFACE = libc::IP_PMTUDISC_INTERFACE,
        /// As `INTERFACE`, and what is too big is fragmented here.
        OMIT = libc::IP_PMTUDISC_OMIT,
    }
}

flag_set! {
    /// Which buffer sizes were set by hand, so that the kernel leaves them alone. `SO_BUF_LOCK`.
    BufLock(u32) from libc {
        /// The send buffer's.
        SNDBUF = SOCK_SNDBUF_LOCK (1),
        /// The receive buffer's.
        RCVBUF = SOCK_RCVBUF_LOCK (2),
    }
}

crossing! { BufLock u32 }

flag_set! {
    /// Which moments of a packet are reported, and by which clock. `SO_TIMESTAMPING`; the kernel's
    /// `Documentation/networking/timestamping.rst`.
    TimestampingFlags(u32) from libc {
        /// When the network card sent it.
        TX_HARDWARE = SOF_TIMESTAMPING_TX_HARDWARE,
        /// When it left the kernel for the driver.
        TX_SOFTWARE = SOF_TIMESTAMPING_TX_SOFTWARE,
        /// When the network card received it.
        RX_HARDWARE = SOF_TIMESTAMPING_RX_HARDWARE,
        /// When it entered the kernel.
        RX_SOFTWARE = SOF_TIMESTAMPING_RX_SOFTWARE,
        /// Report software times.
        SOFTWARE = SOF_TIMESTAMPING_SOFTWARE,
        /// Report the network card's own times.
        RAW_HARDWARE = SOF_TIMESTAMPING_RAW_HARDWARE,
        /// Number the packets, so that a report finds its packet.
        OPT_ID = SOF_TIMESTAMPING_OPT_ID,
        /// When it entered the packet scheduler.
        TX_SCHED = SOF_TIMESTAMPING_TX_SCHED,
        /// When the peer acknowledged it. TCP.
        TX_ACK = SOF_TIMESTAMPING_TX_ACK,
        /// Ancillary data on every report, not only on those with data.
        OPT_CMSG = SOF_TIMESTAMPING_OPT_CMSG,
        /// Reports carry no copy of the packet.
        OPT_TSONLY = SOF_TIMESTAMPING_OPT_TSONLY,
    }
}

crossing! { TimestampingFlags u32 }

flag_set! {
    /// Which source address IPv6 chooses where it has several. RFC 5014.
    AddrPreferences(u32) from constants {
        /// A temporary one (RFC 8981).
        SRC_TMP = IPV6_PREFER_SRC_TMP,
        /// A public one.
        SRC_PUBLIC = IPV6_PREFER_SRC_PUBLIC,
        /// Whichever the system prefers of the two above.
        SRC_PUBTMP_DEFAULT = IPV6_PREFER_SRC_PUBTMP_DEFAULT,
        /// A care-of address of mobile IPv6.
        SRC_COA = IPV6_PREFER_SRC_COA,
        /// A home address of mobile IPv6.
        SRC_HOME = IPV6_PREFER_SRC_HOME,
        /// A cryptographically generated one.
        SRC_CGA = IPV6_PREFER_SRC_CGA,
        /// One that is not.
        SRC_NONCGA = IPV6_PREFER_SRC_NONCGA,
    }
}

crossing! { AddrPreferences u32 }

words! {
    /// Which queue of a connection under repair the next options are about. `TCP_REPAIR_QUEUE`.
    RepairQueue(i32) {
        /// None yet.
        NO_QUEUE = 0,
        /// What was received and not yet read.
        RECV_QUEUE = 1,
        /// What was sent and not yet acknowledged.
        SEND_QUEUE = 2,
    }
}

words! {
    /// What is inside the datagrams of a tunnel. `UDP_ENCAP`.
    UdpEncap(i32) {
        /// Nothing: the datagrams are the program's own.
        NONE = 0,
        /// IPsec as an early draft had it.
        ESPINUDP_NON_IKE = 1,
        /// IPsec, RFC 3948.
        ESPINUDP = 2,
        /// Layer 2 tunnels, RFC 2661.
        L2TPINUDP = 3,
        /// GPRS tunnels, version 0.
        GTP0 = 4,
        /// GPRS tunnels, version 1.
        GTP1U = 5,
        /// Remote procedure calls of AFS.
        RXRPC = 6,
    }
}

words! {
    /// Whether a list of sources names those that may be heard or those that may not. RFC 3678.
    FilterMode(u32) {
        /// Only the sources named are heard.
        INCLUDE = 1,
        /// All but the sources named are heard.
        EXCLUDE = 0,
    }
}

words! {
    /// The state of a TCP connection. RFC 9293, section 3.3.2.
    TcpState(u8) {
        /// Both directions open.
        ESTABLISHED = 1,
        /// The first segment is sent, the answer awaited.
        SYN_SENT = 2,
        /// The first segment has come, ours is sent.
        SYN_RECV = 3,
        /// We have finished sending; that is not acknowledged yet.
        FIN_WAIT1 = 4,
        /// We have finished sending and the peer knows; it has not finished.
        FIN_WAIT2 = 5,
        /// Both have finished; late segments are waited for.
        TIME_WAIT = 6,
        /// Not connected.
        CLOSE = 7,
        /// The peer has finished sending, we have not.
        CLOSE_WAIT = 8,
        /// The peer finished first, then we; that is not acknowledged yet.
        LAST_ACK = 9,
        /// Waiting for connections.
        LISTEN = 10,
        /// Both finished at the same time.
        CLOSING = 11,
    }
}

words! {
    /// The layout of a packet ring's frames. `PACKET_VERSION`.
    TpacketVersion(i32) {
        /// The first.
        V1 = 0,
        /// 64-bit safe, with VLAN tags.
        V2 = 1,
        /// Blocks of frames of any length.
        V3 = 2,
    }
}

words! {
    /// How urgent the messages of a TIPC socket are. `TIPC_IMPORTANCE`.
    TipcImportance(u32) {
        /// The default.
        LOW = 0,
        /// Above `LOW`.
        MEDIUM = 1,
        /// Above `MEDIUM`.
        HIGH = 2,
        /// Never dropped for lack of room before the others.
        CRITICAL = 3,
    }
}
