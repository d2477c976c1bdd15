//! `IPPROTO_IPV6`: options of IPv6 sockets. `ipv6(7)`.

use super::options;

options! {
    level IPPROTO_IPV6 on INET6 STREAM;

    /// Whether the socket speaks IPv6 only. Off, a socket bound to `[::]` also takes IPv4, whose
    /// peers appear as `::ffff:a.b.c.d`. Default `net.ipv6.bindv6only`, off nearly everywhere.
    ipv6_v6only / set_ipv6_v6only: Flag = IPV6_V6ONLY { sample true };
}
