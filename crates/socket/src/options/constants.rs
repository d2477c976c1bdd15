//! The C constants of socket options: those of libc, those it lacks from the crate's own list, and
//! a few that are only here to be refused.
//!
//! A name from the crate's list hides libc's of the same name, so a later libc changes nothing. The
//! numbers are the same on every architecture that Linux runs this crate's targets on (x86-64,
//! aarch64).

pub(crate) use libc::*;

pub(crate) use crate::constants::{
    ICMP_FILTER, ICMPV6_FILTER, IP_LOCAL_PORT_RANGE, IP_MSFILTER, IP_PROTOCOL, IP_RECVERR_RFC4884,
    IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP, IPV6_RECVERR_RFC4884, IPV6_RECVORIGDSTADDR,
    IPV6_ROUTER_ALERT_ISOLATE, MCAST_BLOCK_SOURCE, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP,
    MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP, MCAST_MSFILTER, MCAST_UNBLOCK_SOURCE,
    MPTCP_FULL_INFO, MPTCP_INFO, NETLINK_GET_STRICT_CHK, PACKET_VNET_HDR_SZ, SO_BUF_LOCK,
    SO_BUSY_POLL_BUDGET, SO_DETACH_REUSEPORT_BPF, SO_GET_FILTER, SO_INQ, SO_NETNS_COOKIE,
    SO_ORIGINAL_DST, SO_PASSPIDFD, SO_PASSRIGHTS, SO_PEERPIDFD, SO_PREFER_BUSY_POLL, SO_RCVMARK,
    SO_RCVPRIORITY, SO_RCVTIMEO_NEW, SO_RESERVE_MEM, SO_SNDTIMEO_NEW, SO_TXREHASH,
    SO_VM_SOCKETS_BUFFER_MAX_SIZE, SO_VM_SOCKETS_BUFFER_MIN_SIZE, SO_VM_SOCKETS_BUFFER_SIZE,
    SO_VM_SOCKETS_CONNECT_TIMEOUT, SOL_MPTCP, SOL_RAW, SOL_RDS, TCP_AO_GET_KEYS, TCP_DELACK_MAX_US,
    TCP_IS_MPTCP, TCP_RTO_MAX_MS, TCP_RTO_MIN_US, TCP_TX_DELAY, TIPC_CONN_TIMEOUT,
    TIPC_DEST_DROPPABLE, TIPC_IMPORTANCE, TIPC_SRC_DROPPABLE, UDPLITE_RECV_CSCOV,
    UDPLITE_SEND_CSCOV,
};

// linux/netfilter_ipv4/ip_tables.h (and ip6_tables.h), linux/netfilter_arp/arp_tables.h
pub(crate) const IPT_SO_SET_REPLACE: i32 = 64;
pub(crate) const ARPT_SO_SET_REPLACE: i32 = 96;
// linux/netfilter_bridge/ebtables.h
pub(crate) const EBT_SO_SET_ENTRIES: i32 = 128;
pub(crate) const EBT_SO_GET_ENTRIES: i32 = 129;
pub(crate) const EBT_SO_GET_INIT_ENTRIES: i32 = 131;

// linux/rds.h
pub(crate) const RDS_GET_MR: i32 = 2;
pub(crate) const RDS_GET_MR_FOR_DEST: i32 = 7;
