//! Protocols within a family: `IPPROTO_*`, and the numbers that other families use instead.

use super::kinds;

kinds! {
    /// A protocol within a family. See `protocols(5)`.
    ///
    /// The names are those of IPv4 and IPv6. In other families the number means something else:
    /// `Protocol(constants::NETLINK_ROUTE)`, `Protocol(constants::CAN_RAW)`,
    /// [`Protocol::ethernet`] for packet sockets.
    Protocol in protocols {
        /// The one that goes with family and type. The right choice nearly always.
        DEFAULT = IPPROTO_IP,
        /// Hop-by-hop options of IPv6. RFC 8200.
        HOPOPTS = IPPROTO_HOPOPTS,
        /// Internet control messages. RFC 792.
        ICMP = IPPROTO_ICMP,
        /// Group membership. RFC 3376.
        IGMP = IPPROTO_IGMP,
        /// IPv4 in IPv4. RFC 2003.
        IPIP = IPPROTO_IPIP,
        /// RFC 9293.
        TCP = IPPROTO_TCP,
        /// The exterior gateway protocol. RFC 904.
        EGP = IPPROTO_EGP,
        /// PARC universal packets.
        PUP = IPPROTO_PUP,
        /// RFC 768.
        UDP = IPPROTO_UDP,
        /// Xerox internet datagrams.
        IDP = IPPROTO_IDP,
        /// ISO transport class 4.
        TP = IPPROTO_TP,
        /// Datagram congestion control. RFC 4340.
        DCCP = IPPROTO_DCCP,
        /// IPv6 in IPv4, and the level of its options. RFC 4213.
        IPV6 = IPPROTO_IPV6,
        /// The routing header of IPv6. RFC 8200.
        ROUTING = IPPROTO_ROUTING,
        /// The fragment header of IPv6. RFC 8200.
        FRAGMENT = IPPROTO_FRAGMENT,
        /// Reservations. RFC 2205.
        RSVP = IPPROTO_RSVP,
        /// Generic routing encapsulation. RFC 2784.
        GRE = IPPROTO_GRE,
        /// Encapsulating security payload. RFC 4303.
        ESP = IPPROTO_ESP,
        /// Authentication header. RFC 4302.
        AH = IPPROTO_AH,
        /// Internet control messages for IPv6. RFC 4443.
        ICMPV6 = IPPROTO_ICMPV6,
        /// No next header of IPv6. RFC 8200.
        NONE = IPPROTO_NONE,
        /// Destination options of IPv6. RFC 8200.
        DSTOPTS = IPPROTO_DSTOPTS,
        /// Multicast transport.
        MTP = IPPROTO_MTP,
        /// Bound end-to-end tunnels of IPsec.
        BEETPH = IPPROTO_BEETPH,
        /// Encapsulation. RFC 1241.
        ENCAP = IPPROTO_ENCAP,
        /// Multicast routing. RFC 7761.
        PIM = IPPROTO_PIM,
        /// Payload compression. RFC 3173.
        COMP = IPPROTO_COMP,
        /// Layer 2 tunnels. RFC 3931.
        L2TP = IPPROTO_L2TP (115),
        /// Streams of messages over several paths. RFC 9260.
        SCTP = IPPROTO_SCTP,
        /// The mobility header of IPv6. RFC 6275.
        MH = IPPROTO_MH,
        /// UDP whose checksum covers a part. RFC 3828.
        UDPLITE = IPPROTO_UDPLITE,
        /// MPLS in IP. RFC 4023.
        MPLS = IPPROTO_MPLS,
        /// Ethernet within IPv6. RFC 8986.
        ETHERNET = IPPROTO_ETHERNET,
        /// Packets with a header of the program's own. `raw(7)`.
        RAW = IPPROTO_RAW,
        /// Shared memory communications, in place of TCP. Since Linux 6.11.
        SMC = IPPROTO_SMC (256),
        /// TCP over several paths. RFC 8684.
        MPTCP = IPPROTO_MPTCP,
    }
}

impl Protocol {
    /// The protocol of a packet socket: an Ethernet type such as `constants::ETH_P_ALL`, which the
    /// kernel wants in network byte order. `packet(7)`.
    #[must_use]
    pub const fn ethernet(ethertype: u16) -> Protocol {
        Protocol(ethertype.to_be() as i32)
    }
}

impl Default for Protocol {
    fn default() -> Protocol {
        Protocol::DEFAULT
    }
}
