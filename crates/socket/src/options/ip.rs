//! `IPPROTO_IP`: options of IPv4 sockets. `ip(7)`.

use super::options;

options! {
    level IPPROTO_IP on INET STREAM;

    /// Time to live: how many routers a packet may pass, 1 to 255. Default 64.
    ip_ttl / set_ip_ttl: Int = IP_TTL { sample 33 };

    /// Type of service: the byte of that name in each packet, DSCP and ECN. Default 0.
    ip_tos / set_ip_tos: Int = IP_TOS { sample 0x10 };
}
