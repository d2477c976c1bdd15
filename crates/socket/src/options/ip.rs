//! `IPPROTO_IP`: options of IPv4 sockets. `ip(7)`.
//!
//! Multicast groups are in `multicast.rs`, what only raw sockets have in `raw.rs`. Several of
//! these also apply to IPv6 sockets that speak IPv4.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use super::{PathMtuDiscovery, options};

options! {
    ROWS = level IPPROTO_IP on AF_INET SOCK_DGRAM;

    /// Type of service: the byte of that name in each packet, six bits DSCP and two ECN. TCP
    /// keeps ECN for itself.
    ip_tos / set_ip_tos: i32 = IP_TOS { sample 0x10, default 0 };

    /// Time to live: how many routers a packet may pass, 1 to 255. -1 goes back to the default.
    ip_ttl / set_ip_ttl: i32 = IP_TTL { sample 33, usually "`net.ipv4.ip_default_ttl`, 64" };

    /// The lowest time to live with which a packet is taken in, 0 to 255: 255 takes only packets
    /// that passed no router. Streams only.
    ip_minttl / set_ip_minttl: i32
        = IP_MINTTL { sample 255, default 0, on AF_INET SOCK_STREAM };

    /// The options that each packet carries, at most 40 bytes in the form of RFC 791.
    ip_options / set_ip_options(&[u8]): Vec<u8> as Bytes
        = IP_OPTIONS { sample &[1, 1, 1, 1], becomes vec![1, 1, 1, 1], default vec![] };

    /// Whether each packet received comes with its options, as ancillary data.
    ip_recvopts / set_ip_recvopts: bool = IP_RECVOPTS { sample true, default false };

    /// The same, with the options made ready to be sent back.
    ip_retopts / set_ip_retopts: bool = IP_RETOPTS { sample true, default false };

    /// Whether each datagram received comes with the address it was sent to and the interface,
    /// as ancillary data.
    ip_pktinfo / set_ip_pktinfo: bool = IP_PKTINFO { sample true, default false };

    /// How the largest packet for the path is found, and who splits what is larger.
    ip_mtu_discover / set_ip_mtu_discover: PathMtuDiscovery = IP_MTU_DISCOVER {
        sample PathMtuDiscovery::DO, usually "`WANT`, or by `net.ipv4.ip_no_pmtu_disc`" };

    /// The largest packet the path is known to carry, in bytes. Connected sockets only:
    /// `ENOTCONN`.
    ip_mtu: i32 = IP_MTU { read only, on AF_INET SOCK_DGRAM connected };

    /// Whether errors that the network reports are kept, with their packet, on the error queue
    /// (`MSG_ERRQUEUE`).
    ip_recverr / set_ip_recverr: bool = IP_RECVERR { sample true, default false };

    /// Whether such errors say where the packet's own data begins, RFC 4884. Not for streams.
    ip_recverr_rfc4884 / set_ip_recverr_rfc4884: bool
        = IP_RECVERR_RFC4884 { sample true, default false };

    /// Whether each datagram received comes with its time to live, as ancillary data.
    ip_recvttl / set_ip_recvttl: bool = IP_RECVTTL { sample true, default false };

    /// Whether each datagram received comes with its type of service, as ancillary data.
    ip_recvtos / set_ip_recvtos: bool = IP_RECVTOS { sample true, default false };

    /// Whether each datagram received comes with the address it was first sent to, before a
    /// firewall changed it, as ancillary data.
    ip_recvorigdstaddr / set_ip_recvorigdstaddr: bool
        = IP_RECVORIGDSTADDR { sample true, default false };

    /// Whether each datagram received comes with its largest fragment's size, as ancillary data.
    ip_recvfragsize / set_ip_recvfragsize: bool
        = IP_RECVFRAGSIZE { sample true, default false };

    /// Whether each datagram received comes with the sum over its payload, as ancillary data.
    ip_checksum / set_ip_checksum: bool = IP_CHECKSUM { sample true, default false };

    /// Whether each datagram received comes with its peer's security label, as ancillary data.
    ip_passsec / set_ip_passsec: bool = IP_PASSSEC { sample true, default false };

    /// Whether the socket may be bound to an address this machine does not have, or not yet.
    ip_freebind / set_ip_freebind: bool = IP_FREEBIND { sample true, default false };

    /// Whether the socket may take in and send packets of addresses that are not this machine's,
    /// as a transparent proxy does.
    ip_transparent / set_ip_transparent: bool
        = IP_TRANSPARENT { sample true, default false, needs CAP_NET_ADMIN };

    /// Whether a bind to port zero waits with choosing the port until the connect, which can then
    /// use one port for many peers.
    ip_bind_address_no_port / set_ip_bind_address_no_port: bool = IP_BIND_ADDRESS_NO_PORT {
        sample true, default false, on AF_INET SOCK_STREAM };

    /// The ports that one is chosen from when the program names none; `None` is the system's
    /// range, and a zero at one end the system's end.
    ip_local_port_range / set_ip_local_port_range: Option<RangeInclusive<u16>> as PortRange
        = IP_LOCAL_PORT_RANGE {
            sample Some(40_000..=40_999), default None, since "6.3" };

    /// The protocol of a raw socket as it stands in the packets, which may be changed by
    /// binding.
    ip_protocol: i32 = IP_PROTOCOL {
        reads 1, needs CAP_NET_RAW, since "6.4", on AF_INET SOCK_RAW IPPROTO_ICMP };

    /// The number of the interface that packets leave through where the routes leave a choice;
    /// zero: as the routes say.
    ip_unicast_if / set_ip_unicast_if: u32 as NetworkOrder
        = IP_UNICAST_IF { sample 1, default 0 };

    /// Where the connection was going before a firewall on this machine turned it to here. `ENOENT`
    /// or `ENOPROTOOPT` where none did.
    so_original_dst: SocketAddr = SO_ORIGINAL_DST {
        untried "needs a firewall rule that redirects", needs CAP_NET_ADMIN,
        config CONFIG_NF_CONNTRACK };
}
