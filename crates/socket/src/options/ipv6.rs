//! `IPPROTO_IPV6`: options of IPv6 sockets. `ipv6(7)`, RFC 3493, RFC 3542.
//!
//! Groups of either family and their senders are in `multicast.rs`, what only raw sockets have in
//! `raw.rs`.

use super::{AddrPreferences, Ipv6Mreq, PathMtuDiscovery, options};
use crate::kinds::Family;
use crate::message::PacketInfo6;

options! {
    ROWS = level IPPROTO_IPV6 on AF_INET6 SOCK_DGRAM;

    /// Whether the socket speaks IPv6 only. Off, a socket bound to `[::]` also takes IPv4, whose
    /// peers appear as `::ffff:a.b.c.d`.
    ipv6_v6only / set_ipv6_v6only: bool
        = IPV6_V6ONLY { sample true, usually "`net.ipv6.bindv6only`, off nearly everywhere" };

    /// Turns a socket that is connected to an IPv4 peer into an IPv4 socket; `INET` is the only
    /// family it takes.
    / set_ipv6_addrform: Family = IPV6_ADDRFORM { tested "options_do_what_they_say.rs" };

    /// Hop limit: how many routers a packet may pass, 0 to 255. -1 goes back to the default.
    ipv6_unicast_hops / set_ipv6_unicast_hops: i32
        = IPV6_UNICAST_HOPS { sample 33, usually "as the interface, 64" };

    /// The lowest hop limit with which a packet is taken in, 0 to 255. Streams only.
    ipv6_minhopcount / set_ipv6_minhopcount: i32
        = IPV6_MINHOPCOUNT { sample 255, default 0, on AF_INET6 SOCK_STREAM };

    /// Traffic class: the byte of that name in each packet, six bits DSCP and two ECN. -1 goes
    /// back to the default.
    ipv6_tclass / set_ipv6_tclass: i32 = IPV6_TCLASS { sample 0x10, default 0 };

    /// Whether each packet is given a flow label by its addresses and ports.
    ipv6_autoflowlabel / set_ipv6_autoflowlabel: bool = IPV6_AUTOFLOWLABEL {
        sample false, usually "by `net.ipv6.auto_flowlabels`, on" };

    /// Whether packets are sent with the flow label of the address they are sent to, which the
    /// socket must hold: [`ipv6_flowlabel_mgr`](crate::Socket::ipv6_flowlabel_mgr).
    ipv6_flowinfo_send / set_ipv6_flowinfo_send: bool
        = IPV6_FLOWINFO_SEND { sample true, default false };

    /// Whether each datagram received comes with its flow label, as ancillary data.
    ipv6_flowinfo / set_ipv6_flowinfo: bool = IPV6_FLOWINFO { sample true, default false };

    /// How the largest packet for the path is found, and who splits what is larger.
    ipv6_mtu_discover / set_ipv6_mtu_discover: PathMtuDiscovery
        = IPV6_MTU_DISCOVER { sample PathMtuDiscovery::DO, default PathMtuDiscovery::WANT };

    /// The largest packet the path is known to carry, in bytes; connected sockets only, else
    /// `ENOTCONN`. Setting it limits the socket to less, 1280 at least; zero lifts that limit.
    ipv6_mtu / set_ipv6_mtu: i32 = IPV6_MTU { tested "options_do_what_they_say.rs" };

    /// The largest packet the path is known to carry, in bytes; connected sockets only, else
    /// `ENOTCONN`.
    ipv6_pathmtu: u32 as MtuInfo
        = IPV6_PATHMTU { read only, on AF_INET6 SOCK_DGRAM connected };

    /// Whether a change of that is told, as ancillary data.
    ipv6_recvpathmtu / set_ipv6_recvpathmtu: bool
        = IPV6_RECVPATHMTU { sample true, default false };

    /// Whether datagrams too big for the interface fail with `EMSGSIZE` instead of being split.
    ipv6_dontfrag / set_ipv6_dontfrag: bool = IPV6_DONTFRAG { sample true, default false };

    /// Whether errors that the network reports are kept, with their packet, on the error queue
    /// (`MSG_ERRQUEUE`).
    ipv6_recverr / set_ipv6_recverr: bool = IPV6_RECVERR { sample true, default false };

    /// Whether such errors say where the packet's own data begins, RFC 4884.
    ipv6_recverr_rfc4884 / set_ipv6_recverr_rfc4884: bool
        = IPV6_RECVERR_RFC4884 { sample true, default false };

    /// Whether each datagram received comes with the address it was sent to and the interface,
    /// as ancillary data.
    ipv6_recvpktinfo / set_ipv6_recvpktinfo: bool
        = IPV6_RECVPKTINFO { sample true, default false };

    /// The interface that packets leave through, and no other address than the unspecified.
    / set_ipv6_pktinfo: PacketInfo6 = IPV6_PKTINFO {
        sets PacketInfo6 { addr: std::net::Ipv6Addr::UNSPECIFIED, ifindex: 1 } };

    /// Whether each datagram received comes with its hop limit, as ancillary data.
    ipv6_recvhoplimit / set_ipv6_recvhoplimit: bool
        = IPV6_RECVHOPLIMIT { sample true, default false };

    /// Whether each datagram received comes with its traffic class, as ancillary data.
    ipv6_recvtclass / set_ipv6_recvtclass: bool
        = IPV6_RECVTCLASS { sample true, default false };

    /// Whether each datagram received comes with the address it was first sent to, before a
    /// firewall changed it, as ancillary data.
    ipv6_recvorigdstaddr / set_ipv6_recvorigdstaddr: bool
        = IPV6_RECVORIGDSTADDR { sample true, default false };

    /// Whether each datagram received comes with its largest fragment's size, as ancillary data.
    ipv6_recvfragsize / set_ipv6_recvfragsize: bool
        = IPV6_RECVFRAGSIZE { sample true, default false };

    /// Whether each datagram received comes with its hop-by-hop options, as ancillary data.
    ipv6_recvhopopts / set_ipv6_recvhopopts: bool
        = IPV6_RECVHOPOPTS { sample true, default false };

    /// Whether each datagram received comes with its destination options, as ancillary data.
    ipv6_recvdstopts / set_ipv6_recvdstopts: bool
        = IPV6_RECVDSTOPTS { sample true, default false };

    /// Whether each datagram received comes with its routing header, as ancillary data.
    ipv6_recvrthdr / set_ipv6_recvrthdr: bool = IPV6_RECVRTHDR { sample true, default false };

    /// The hop-by-hop options that each packet carries, as a header in the form of RFC 8200;
    /// empty for none.
    ipv6_hopopts / set_ipv6_hopopts(&[u8]): Vec<u8> as Bytes = IPV6_HOPOPTS {
        sample &[0, 0, 1, 4, 0, 0, 0, 0], becomes vec![0, 0, 1, 4, 0, 0, 0, 0],
        default vec![], needs CAP_NET_RAW };

    /// The destination options before the routing header, likewise.
    ipv6_rthdrdstopts / set_ipv6_rthdrdstopts(&[u8]): Vec<u8> as Bytes = IPV6_RTHDRDSTOPTS {
        sample &[0, 0, 1, 4, 0, 0, 0, 0], becomes vec![0, 0, 1, 4, 0, 0, 0, 0],
        default vec![], needs CAP_NET_RAW };

    /// The routing header that each packet carries, likewise; of type 2 (RFC 6275) or 4 (RFC 8754).
    ipv6_rthdr / set_ipv6_rthdr(&[u8]): Vec<u8> as Bytes = IPV6_RTHDR {
        sample &SEGMENT_ROUTE, becomes SEGMENT_ROUTE.to_vec(), default vec![] };

    /// The destination options that each packet carries, likewise.
    ipv6_dstopts / set_ipv6_dstopts(&[u8]): Vec<u8> as Bytes = IPV6_DSTOPTS {
        sample &[0, 0, 1, 4, 0, 0, 0, 0], becomes vec![0, 0, 1, 4, 0, 0, 0, 0],
        default vec![], needs CAP_NET_RAW };

    /// Which source address is chosen where there are several. RFC 5014.
    ipv6_addr_preferences / set_ipv6_addr_preferences: AddrPreferences = IPV6_ADDR_PREFERENCES {
        sample AddrPreferences::SRC_PUBLIC,
        becomes AddrPreferences::SRC_PUBLIC | AddrPreferences::SRC_HOME,
        default AddrPreferences::SRC_PUBTMP_DEFAULT | AddrPreferences::SRC_HOME };

    /// Whether the socket may be bound to an address this machine does not have, or not yet.
    ipv6_freebind / set_ipv6_freebind: bool = IPV6_FREEBIND { sample true, default false };

    /// Whether the socket may take in and send packets of addresses that are not this machine's,
    /// as a transparent proxy does.
    ipv6_transparent / set_ipv6_transparent: bool
        = IPV6_TRANSPARENT { sample true, default false, needs CAP_NET_ADMIN };

    /// The number of the interface that packets leave through where the routes leave a choice;
    /// zero: as the routes say.
    ipv6_unicast_if / set_ipv6_unicast_if: u32 as NetworkOrder
        = IPV6_UNICAST_IF { sample 1, default 0 };

    /// The number of the interface that multicast leaves through; zero: as the routes say.
    ipv6_multicast_if / set_ipv6_multicast_if: u32
        = IPV6_MULTICAST_IF { sample 1, default 0 };

    /// How many routers a multicast packet may pass, 0 to 255; zero stays on this machine, 1 on
    /// this network. -1 goes back to the default.
    ipv6_multicast_hops / set_ipv6_multicast_hops: i32
        = IPV6_MULTICAST_HOPS { sample 4, default 1 };

    /// Whether multicast that is sent here is also heard here.
    ipv6_multicast_loop / set_ipv6_multicast_loop: bool
        = IPV6_MULTICAST_LOOP { sample false, default true };

    /// Whether the socket hears every group that anyone on this machine has joined, and not only
    /// its own.
    ipv6_multicast_all / set_ipv6_multicast_all: bool
        = IPV6_MULTICAST_ALL { sample false, default true };

    /// Joins a group. `EADDRINUSE` where it has been joined; `ENODEV` without such an interface.
    / ipv6_join_group: Ipv6Mreq = IPV6_JOIN_GROUP { tested "multicast_groups_are_heard.rs" };

    /// Leaves a group. `EADDRNOTAVAIL` where it has not been joined.
    / ipv6_leave_group: Ipv6Mreq = IPV6_LEAVE_GROUP { tested "multicast_groups_are_heard.rs" };

    /// Takes an anycast address, which several machines may have, for as long as the socket lives.
    / ipv6_join_anycast: Ipv6Mreq = IPV6_JOIN_ANYCAST {
        untried "would announce an address of this machine to its network",
        needs CAP_NET_ADMIN };

    /// Gives an anycast address back.
    / ipv6_leave_anycast: Ipv6Mreq = IPV6_LEAVE_ANYCAST {
        untried "would announce an address of this machine to its network",
        needs CAP_NET_ADMIN };
}

/// A routing header with one segment, the loopback address, already reached.
const SEGMENT_ROUTE: [u8; 24] =
    [0, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
