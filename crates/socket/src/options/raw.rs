//! Options of raw sockets, at several levels: headers built by hand, ICMP filters. `raw(7)`.

use super::{Icmp6Filter, IcmpFilter, options};

options! {
    IP_ROWS = level IPPROTO_IP on AF_INET SOCK_RAW IPPROTO_ICMP;

    /// Whether the program builds the IP header itself, in front of its data. Always on for
    /// `IPPROTO_RAW`.
    ip_hdrincl / set_ip_hdrincl: bool
        = IP_HDRINCL { sample true, default false, needs CAP_NET_RAW };

    /// Whether fragments are left as they are and not put together before they reach a firewall.
    ip_nodefrag / set_ip_nodefrag: bool
        = IP_NODEFRAG { sample true, default false, needs CAP_NET_RAW };

    /// Whether the socket gets all packets to be forwarded that ask every router to look at them.
    / set_ip_router_alert: bool = IP_ROUTER_ALERT { sets true, needs CAP_NET_RAW };
}

options! {
    ICMP_ROWS = level SOL_RAW on AF_INET SOCK_RAW IPPROTO_ICMP;

    /// Which ICMP messages the socket does not receive.
    icmp_filter / set_icmp_filter: IcmpFilter = ICMP_FILTER {
        sample IcmpFilter::default().blocking(8), default IcmpFilter { data: 0 },
        needs CAP_NET_RAW };
}

options! {
    ICMPV6_ROWS = level IPPROTO_ICMPV6 on AF_INET6 SOCK_RAW IPPROTO_ICMPV6;

    /// Which ICMPv6 messages the socket does not receive.
    icmpv6_filter / set_icmpv6_filter: Icmp6Filter = ICMPV6_FILTER {
        sample Icmp6Filter::BLOCK_ALL.passing(129), default Icmp6Filter::PASS_ALL,
        needs CAP_NET_RAW };
}

options! {
    IPV6_ROWS = level IPPROTO_IPV6 on AF_INET6 SOCK_RAW IPPROTO_RAW;

    /// Whether the program builds the IPv6 header itself, in front of its data.
    ipv6_hdrincl / set_ipv6_hdrincl: bool
        = IPV6_HDRINCL { sample false, default true, needs CAP_NET_RAW };

    /// Where in each packet the kernel puts a checksum, and checks it when it receives: an even
    /// offset into the data, in bytes; -1 does neither. ICMPv6 sockets always do.
    ipv6_checksum / set_ipv6_checksum: i32 = IPV6_CHECKSUM {
        sample 2, default -1, needs CAP_NET_RAW, on AF_INET6 SOCK_RAW IPPROTO_UDP };

    /// Gets all packets to be forwarded that carry the router alert option with this value; -1
    /// ends it.
    / set_ipv6_router_alert: i32 = IPV6_ROUTER_ALERT { sets 0, needs CAP_NET_RAW };

    /// Whether that is limited to packets of the socket's own network namespace.
    ipv6_router_alert_isolate / set_ipv6_router_alert_isolate: bool = IPV6_ROUTER_ALERT_ISOLATE {
        sample true, default false, needs CAP_NET_RAW };
}
