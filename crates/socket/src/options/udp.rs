//! `IPPROTO_UDP`: options of UDP sockets, `udp(7)`; and `IPPROTO_UDPLITE`, `udplite(7)`.

use super::{UdpEncap, options};

options! {
    ROWS = level IPPROTO_UDP on AF_INET SOCK_DGRAM;

    /// Whether all that is sent is put together into one datagram, which leaves when this is
    /// turned off.
    udp_cork / set_udp_cork: bool = UDP_CORK { sample true, default false };

    /// How many bytes of each send make a datagram: the kernel cuts one long send into many
    /// datagrams. At most what fits in a packet, and 128 datagrams per send. Zero does not cut.
    udp_segment / set_udp_segment: i32 = UDP_SEGMENT { sample 1200, default 0 };

    /// Whether datagrams of one flow may be received joined together, their size as ancillary
    /// data: the way back of `udp_segment`.
    udp_gro / set_udp_gro: bool = UDP_GRO { sample true, default false };

    /// What tunnel the socket is an end of; the kernel takes its packets out.
    udp_encap / set_udp_encap: UdpEncap
        = UDP_ENCAP { sample UdpEncap::L2TPINUDP, default UdpEncap::NONE };

    /// Whether datagrams over IPv6 are sent without a checksum, for tunnels. RFC 6936.
    udp_no_check6_tx / set_udp_no_check6_tx: bool
        = UDP_NO_CHECK6_TX { sample true, default false, on AF_INET6 SOCK_DGRAM };

    /// Whether datagrams over IPv6 are taken in without a checksum, for tunnels. RFC 6936.
    udp_no_check6_rx / set_udp_no_check6_rx: bool
        = UDP_NO_CHECK6_RX { sample true, default false, on AF_INET6 SOCK_DGRAM };
}

options! {
    LITE_ROWS = level IPPROTO_UDPLITE on AF_INET SOCK_DGRAM IPPROTO_UDPLITE;

    /// How many bytes of each datagram sent the checksum covers: the header's 8 at least, zero
    /// for all. RFC 3828.
    udplite_send_cscov / set_udplite_send_cscov: i32
        = UDPLITE_SEND_CSCOV { sample 20, default 0 };

    /// How many bytes the checksum must cover of a datagram to be taken in; zero for all.
    udplite_recv_cscov / set_udplite_recv_cscov: i32
        = UDPLITE_RECV_CSCOV { sample 20, default 0 };
}
