//! Address families: which kind of address a socket speaks.

use super::kinds;

kinds! {
    /// An address family. See `socket(2)` and `address_families(7)`.
    ///
    /// ```
    /// use socket::Family;
    ///
    /// assert_eq!(Family::INET6.to_string(), "AF_INET6");
    /// assert_eq!(Family(199).to_string(), "199"); // unknown here, and kept
    /// ```
    Family in families {
        /// Not a family: "any", where a function lets the caller leave it open.
        UNSPEC = AF_UNSPEC,
        /// Sockets of one machine, named in the file system or in the abstract space. `unix(7)`.
        UNIX = AF_UNIX,
        /// POSIX's word for `UNIX`.
        LOCAL = AF_LOCAL,
        /// IPv4. `ip(7)`.
        INET = AF_INET,
        /// Amateur radio AX.25. `ax25(4)`.
        AX25 = AF_AX25,
        /// Novell IPX.
        IPX = AF_IPX,
        /// AppleTalk. `ddp(7)`.
        APPLETALK = AF_APPLETALK,
        /// Amateur radio NET/ROM. `netrom(4)`.
        NETROM = AF_NETROM,
        /// The kernel's bridge, in netlink messages; no sockets.
        BRIDGE = AF_BRIDGE,
        /// ATM permanent circuits.
        ATMPVC = AF_ATMPVC,
        /// X.25. `x25(7)`.
        X25 = AF_X25,
        /// IPv6. `ipv6(7)`.
        INET6 = AF_INET6,
        /// Amateur radio X.25 PLP. `rose(4)`.
        ROSE = AF_ROSE,
        /// DECnet; gone from Linux since 6.1.
        DECNET = AF_DECnet,
        /// LLC 2, reserved; never implemented.
        NETBEUI = AF_NETBEUI,
        /// A pseudo-family for security calls; never implemented.
        SECURITY = AF_SECURITY,
        /// Keys for IPsec. RFC 2367.
        KEY = AF_KEY,
        /// Messages to and from the kernel. `netlink(7)`.
        NETLINK = AF_NETLINK,
        /// BSD's word for `NETLINK`.
        ROUTE = AF_ROUTE,
        /// Packets at the level of the device. `packet(7)`.
        PACKET = AF_PACKET,
        /// Ash; never implemented.
        ASH = AF_ASH,
        /// Acorn Econet; gone from Linux since 3.5.
        ECONET = AF_ECONET,
        /// ATM switched circuits.
        ATMSVC = AF_ATMSVC,
        /// Reliable datagrams over TCP or InfiniBand, with addresses of `INET` and `INET6`.
        RDS = AF_RDS,
        /// Linux SNA; never implemented.
        SNA = AF_SNA,
        /// Infrared; gone from Linux since 4.17.
        IRDA = AF_IRDA,
        /// PPP over Ethernet, L2TP, PPTP.
        PPPOX = AF_PPPOX,
        /// Wanpipe; gone from Linux.
        WANPIPE = AF_WANPIPE,
        /// IEEE 802.2 logical link control.
        LLC = AF_LLC,
        /// InfiniBand, native addressing.
        IB = AF_IB,
        /// MPLS routes in netlink messages; no sockets.
        MPLS = AF_MPLS,
        /// The controller area network of cars and machines.
        CAN = AF_CAN,
        /// Transparent inter-process communication between the nodes of a cluster.
        TIPC = AF_TIPC,
        /// Bluetooth.
        BLUETOOTH = AF_BLUETOOTH,
        /// z/VM inter-user communication, on s390.
        IUCV = AF_IUCV,
        /// Remote calls of AFS.
        RXRPC = AF_RXRPC,
        /// ISDN through mISDN.
        ISDN = AF_ISDN,
        /// Nokia's Phonet, to a modem.
        PHONET = AF_PHONET,
        /// IEEE 802.15.4, low-rate wireless.
        IEEE802154 = AF_IEEE802154,
        /// ST-Ericsson's CAIF, to a modem.
        CAIF = AF_CAIF,
        /// The kernel's ciphers and hashes.
        ALG = AF_ALG,
        /// Near-field communication.
        NFC = AF_NFC,
        /// Between a virtual machine and its host. `vsock(7)`.
        VSOCK = AF_VSOCK,
        /// The kernel's connection multiplexor: messages over TCP.
        KCM = AF_KCM (41),
        /// Qualcomm's router between processors of one device.
        QIPCRTR = AF_QIPCRTR (42),
        /// Shared memory communications over RDMA, in place of TCP.
        SMC = AF_SMC (43),
        /// Frames straight from a driver's rings.
        XDP = AF_XDP,
        /// Management component transport, on server boards.
        MCTP = AF_MCTP (45),
    }
}
