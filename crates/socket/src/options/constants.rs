//! The C constants of socket options: those of libc, and those it lacks.
//!
//! A name defined here hides libc's of the same name, so a later libc changes nothing. The numbers
//! are the same on every architecture that Linux runs this crate's targets on (x86-64, aarch64);
//! each group names the kernel header it comes from.

pub(crate) use libc::*;

// asm-generic/socket.h
pub(crate) const SO_GET_FILTER: i32 = SO_ATTACH_FILTER;
pub(crate) const SO_RCVTIMEO_NEW: i32 = 66;
pub(crate) const SO_SNDTIMEO_NEW: i32 = 67;
pub(crate) const SO_DETACH_REUSEPORT_BPF: i32 = 68;
pub(crate) const SO_PREFER_BUSY_POLL: i32 = 69;
pub(crate) const SO_BUSY_POLL_BUDGET: i32 = 70;
pub(crate) const SO_NETNS_COOKIE: i32 = 71;
pub(crate) const SO_BUF_LOCK: i32 = 72;
pub(crate) const SO_RESERVE_MEM: i32 = 73;
pub(crate) const SO_TXREHASH: i32 = 74;
pub(crate) const SO_RCVMARK: i32 = 75;
pub(crate) const SO_PASSPIDFD: i32 = 76;
pub(crate) const SO_PEERPIDFD: i32 = 77;
pub(crate) const SO_RCVPRIORITY: i32 = 82;
pub(crate) const SO_PASSRIGHTS: i32 = 83;
pub(crate) const SO_INQ: i32 = 84;

// linux/in.h
pub(crate) const IP_RECVERR_RFC4884: i32 = 26;
pub(crate) const IP_MSFILTER: i32 = 41;
pub(crate) const MCAST_JOIN_GROUP: i32 = 42;
pub(crate) const MCAST_BLOCK_SOURCE: i32 = 43;
pub(crate) const MCAST_UNBLOCK_SOURCE: i32 = 44;
pub(crate) const MCAST_LEAVE_GROUP: i32 = 45;
pub(crate) const MCAST_JOIN_SOURCE_GROUP: i32 = 46;
pub(crate) const MCAST_LEAVE_SOURCE_GROUP: i32 = 47;
pub(crate) const MCAST_MSFILTER: i32 = 48;
pub(crate) const IP_LOCAL_PORT_RANGE: i32 = 51;
pub(crate) const IP_PROTOCOL: i32 = 52;

// linux/netfilter_ipv4.h
pub(crate) const SO_ORIGINAL_DST: i32 = 80;
// linux/netfilter_ipv4/ip_tables.h (and ip6_tables.h), linux/netfilter_arp/arp_tables.h
pub(crate) const IPT_SO_SET_REPLACE: i32 = 64;
pub(crate) const ARPT_SO_SET_REPLACE: i32 = 96;
// linux/netfilter_bridge/ebtables.h
pub(crate) const EBT_SO_SET_ENTRIES: i32 = 128;
pub(crate) const EBT_SO_GET_ENTRIES: i32 = 129;
pub(crate) const EBT_SO_GET_INIT_ENTRIES: i32 = 131;

// linux/in6.h; the first two under the names of RFC 3493
pub(crate) const IPV6_JOIN_GROUP: i32 = IPV6_ADD_MEMBERSHIP;
pub(crate) const IPV6_LEAVE_GROUP: i32 = IPV6_DROP_MEMBERSHIP;
pub(crate) const IPV6_ROUTER_ALERT_ISOLATE: i32 = 30;
pub(crate) const IPV6_RECVERR_RFC4884: i32 = 31;
pub(crate) const IPV6_RECVORIGDSTADDR: i32 = 74;

// linux/icmp.h, linux/icmpv6.h
pub(crate) const SOL_RAW: i32 = 255;
pub(crate) const ICMP_FILTER: i32 = 1;
pub(crate) const ICMPV6_FILTER: i32 = 1;

// linux/tcp.h
pub(crate) const TCP_TX_DELAY: i32 = 37;
pub(crate) const TCP_AO_GET_KEYS: i32 = 41;
pub(crate) const TCP_IS_MPTCP: i32 = 43;
pub(crate) const TCP_RTO_MAX_MS: i32 = 44;
pub(crate) const TCP_RTO_MIN_US: i32 = 45;
pub(crate) const TCP_DELACK_MAX_US: i32 = 46;

// linux/socket.h, linux/mptcp.h
pub(crate) const SOL_MPTCP: i32 = 284;
pub(crate) const MPTCP_INFO: i32 = 1;
pub(crate) const MPTCP_FULL_INFO: i32 = 4;

// linux/udp.h, net/udplite.h
pub(crate) const UDPLITE_SEND_CSCOV: i32 = 10;
pub(crate) const UDPLITE_RECV_CSCOV: i32 = 11;

// linux/if_packet.h
pub(crate) const PACKET_VNET_HDR_SZ: i32 = 24;

// linux/netlink.h
pub(crate) const NETLINK_GET_STRICT_CHK: i32 = 12;

// linux/vm_sockets.h
pub(crate) const SO_VM_SOCKETS_BUFFER_SIZE: i32 = 0;
pub(crate) const SO_VM_SOCKETS_BUFFER_MIN_SIZE: i32 = 1;
pub(crate) const SO_VM_SOCKETS_BUFFER_MAX_SIZE: i32 = 2;
pub(crate) const SO_VM_SOCKETS_CONNECT_TIMEOUT: i32 = 6;

// linux/socket.h, linux/rds.h
pub(crate) const SOL_RDS: i32 = 276;
pub(crate) const RDS_GET_MR: i32 = 2;
pub(crate) const RDS_GET_MR_FOR_DEST: i32 = 7;

// linux/tipc.h
pub(crate) const TIPC_IMPORTANCE: i32 = 127;
pub(crate) const TIPC_SRC_DROPPABLE: i32 = 128;
pub(crate) const TIPC_DEST_DROPPABLE: i32 = 129;
pub(crate) const TIPC_CONN_TIMEOUT: i32 = 130;
