//! `IPPROTO_IP`, those of multicast: groups, their senders and their interfaces. `ip(7)`, RFC 3678.
//!
//! The options named `MCAST_` are for both families: a request's group says which, and the level
//! follows it. What only IPv6 has is in `ipv6.rs`.

use std::net::Ipv4Addr;

use super::{GroupFilter, GroupReq, GroupSourceReq, IpMreqSource, IpMreqn, IpMsfilter, options};

options! {
    ROWS = level IPPROTO_IP on AF_INET SOCK_DGRAM;

    /// The address of the interface that multicast leaves through; unspecified: as the routes say.
    /// Set by interface number, address, or both.
    ip_multicast_if / set_ip_multicast_if(IpMreqn): Ipv4Addr as MulticastIf = IP_MULTICAST_IF {
        sample IpMreqn {
            multiaddr: Ipv4Addr::UNSPECIFIED, address: Ipv4Addr::LOCALHOST, ifindex: 0 },
        becomes Ipv4Addr::LOCALHOST, default Ipv4Addr::UNSPECIFIED };

    /// How many routers a multicast packet may pass, 0 to 255; zero stays on this machine, 1 on
    /// this network. -1 goes back to the default.
    ip_multicast_ttl / set_ip_multicast_ttl: i32 = IP_MULTICAST_TTL { sample 4, default 1 };

    /// Whether multicast that is sent here is also heard here.
    ip_multicast_loop / set_ip_multicast_loop: bool
        = IP_MULTICAST_LOOP { sample false, default true };

    /// Whether the socket hears every group that anyone on this machine has joined, and not only
    /// its own.
    ip_multicast_all / set_ip_multicast_all: bool
        = IP_MULTICAST_ALL { sample false, default true };

    /// Joins a group. `EADDRINUSE` where it has been joined; `ENODEV` without such an interface.
    / ip_add_membership: IpMreqn = IP_ADD_MEMBERSHIP { tested "multicast_groups_are_heard.rs" };

    /// Leaves a group. `EADDRNOTAVAIL` where it has not been joined.
    / ip_drop_membership: IpMreqn
        = IP_DROP_MEMBERSHIP { tested "multicast_groups_are_heard.rs" };

    /// Joins a group for one sender only, and again for each more.
    / ip_add_source_membership: IpMreqSource
        = IP_ADD_SOURCE_MEMBERSHIP { tested "multicast_groups_are_heard.rs" };

    /// No longer hears one sender; without any left the group is left.
    / ip_drop_source_membership: IpMreqSource
        = IP_DROP_SOURCE_MEMBERSHIP { tested "multicast_groups_are_heard.rs" };

    /// Hears a joined group without this sender.
    / ip_block_source: IpMreqSource
        = IP_BLOCK_SOURCE { tested "multicast_groups_are_heard.rs" };

    /// Hears a sender again that was blocked.
    / ip_unblock_source: IpMreqSource
        = IP_UNBLOCK_SOURCE { tested "multicast_groups_are_heard.rs" };

    /// Says at once who may be heard of a joined group.
    /// [`ip_msfilter`](crate::Socket::ip_msfilter) asks.
    / set_ip_msfilter(&IpMsfilter): IpMsfilter
        = IP_MSFILTER { tested "multicast_groups_are_heard.rs" };

    /// Joins a group of either family. `EADDRINUSE` where it has been joined.
    / mcast_join_group: GroupReq = MCAST_JOIN_GROUP { tested "multicast_groups_are_heard.rs" };

    /// Leaves a group of either family. `EADDRNOTAVAIL` where it has not been joined.
    / mcast_leave_group: GroupReq
        = MCAST_LEAVE_GROUP { tested "multicast_groups_are_heard.rs" };

    /// Joins a group of either family for one sender only, and again for each more.
    / mcast_join_source_group: GroupSourceReq
        = MCAST_JOIN_SOURCE_GROUP { tested "multicast_groups_are_heard.rs" };

    /// No longer hears one sender; without any left the group is left.
    / mcast_leave_source_group: GroupSourceReq
        = MCAST_LEAVE_SOURCE_GROUP { tested "multicast_groups_are_heard.rs" };

    /// Hears a joined group of either family without this sender.
    / mcast_block_source: GroupSourceReq
        = MCAST_BLOCK_SOURCE { tested "multicast_groups_are_heard.rs" };

    /// Hears a sender again that was blocked.
    / mcast_unblock_source: GroupSourceReq
        = MCAST_UNBLOCK_SOURCE { tested "multicast_groups_are_heard.rs" };

    /// Says at once who may be heard of a joined group of either family.
    /// [`mcast_msfilter`](crate::Socket::mcast_msfilter) asks.
    / set_mcast_msfilter(&GroupFilter): GroupFilter
        = MCAST_MSFILTER { tested "multicast_groups_are_heard.rs" };
}
