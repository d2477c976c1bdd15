//! `SOL_NETLINK`: options of sockets that talk to the kernel in messages. `netlink(7)`.

use super::options;

options! {
    ROWS = level SOL_NETLINK on AF_NETLINK SOCK_RAW;

    /// Joins a multicast group of the protocol, by its number, 1 and up.
    / netlink_add_membership: u32
        = NETLINK_ADD_MEMBERSHIP { tested "options_do_what_they_say.rs" };

    /// Leaves a multicast group.
    / netlink_drop_membership: u32
        = NETLINK_DROP_MEMBERSHIP { tested "options_do_what_they_say.rs" };

    /// The numbers of the groups that the socket has joined.
    netlink_list_memberships: Vec<u32> as GroupBits
        = NETLINK_LIST_MEMBERSHIPS { reads vec![] };

    /// Whether each message received comes with the number of its group, as ancillary data.
    netlink_pktinfo / set_netlink_pktinfo: bool
        = NETLINK_PKTINFO { sample true, default false };

    /// Whether a multicast reports if it could not be delivered to some listener.
    netlink_broadcast_error / set_netlink_broadcast_error: bool
        = NETLINK_BROADCAST_ERROR { sample true, default false };

    /// Whether messages lost for lack of room are not reported by `ENOBUFS`.
    netlink_no_enobufs / set_netlink_no_enobufs: bool
        = NETLINK_NO_ENOBUFS { sample true, default false };

    /// Whether messages of other network namespaces are heard too, where they have a number here.
    netlink_listen_all_nsid / set_netlink_listen_all_nsid: bool = NETLINK_LISTEN_ALL_NSID {
        sample true, default false, needs CAP_NET_BROADCAST };

    /// Whether an acknowledgement leaves out the message it acknowledges, but for its header.
    netlink_cap_ack / set_netlink_cap_ack: bool
        = NETLINK_CAP_ACK { sample true, default false };

    /// Whether acknowledgements explain themselves: an error text, the place of the error.
    netlink_ext_ack / set_netlink_ext_ack: bool
        = NETLINK_EXT_ACK { sample true, default false };

    /// Whether requests for lists are checked strictly and may be narrowed down.
    netlink_get_strict_chk / set_netlink_get_strict_chk: bool
        = NETLINK_GET_STRICT_CHK { sample true, default false };
}
