//! Options of families that few kernels have: CAN buses, TIPC clusters. Their rows are tried where
//! the kernel has the family. linux/can/raw.h, linux/can/j1939.h, linux/tipc.h.

use std::time::Duration;

use super::{CanFilter, TipcImportance, options};

options! {
    CAN_ROWS = level SOL_CAN_RAW on AF_CAN SOCK_RAW CAN_RAW;

    /// Which frames are received: those that any of the filters lets pass; without filters none.
    can_raw_filter / set_can_raw_filter(&[CanFilter]): Vec<CanFilter> as CanFilter
        = CAN_RAW_FILTER {
            sample &[CanFilter { can_id: 0x123, can_mask: 0x7FF }],
            becomes [CanFilter { can_id: 0x123, can_mask: 0x7FF }],
            default vec![CanFilter { can_id: 0, can_mask: 0 }], needs CAP_NET_RAW };

    /// Which kinds of error frames are received, as bits.
    can_raw_err_filter / set_can_raw_err_filter: u32
        = CAN_RAW_ERR_FILTER { sample 0x1FF, default 0, needs CAP_NET_RAW };

    /// Whether frames sent here are also received by other sockets here.
    can_raw_loopback / set_can_raw_loopback: bool
        = CAN_RAW_LOOPBACK { sample false, default true, needs CAP_NET_RAW };

    /// Whether the socket receives the frames that it sends.
    can_raw_recv_own_msgs / set_can_raw_recv_own_msgs: bool
        = CAN_RAW_RECV_OWN_MSGS { sample true, default false, needs CAP_NET_RAW };

    /// Whether frames with up to 64 bytes are received and may be sent.
    can_raw_fd_frames / set_can_raw_fd_frames: bool
        = CAN_RAW_FD_FRAMES { sample true, default false, needs CAP_NET_RAW };

    /// Whether a frame must pass all filters instead of any.
    can_raw_join_filters / set_can_raw_join_filters: bool
        = CAN_RAW_JOIN_FILTERS { sample true, default false, needs CAP_NET_RAW };
}

options! {
    J1939_ROWS = level SOL_CAN_J1939 on AF_CAN SOCK_DGRAM CAN_J1939;

    /// Whether the socket receives all messages on the bus, and not only those for it.
    so_j1939_promisc / set_so_j1939_promisc: bool
        = SO_J1939_PROMISC { sample true, default false };

    /// The priority of messages sent: 0 the highest to 7; above 1 needs no privilege.
    so_j1939_send_prio / set_so_j1939_send_prio: i32
        = SO_J1939_SEND_PRIO { sample 4, default 6 };

    /// Whether the error queue reports how sending goes on.
    so_j1939_errqueue / set_so_j1939_errqueue: bool
        = SO_J1939_ERRQUEUE { sample true, default false };
}

options! {
    TIPC_ROWS = level SOL_TIPC on AF_TIPC SOCK_RDM;

    /// How urgent the messages are.
    tipc_importance / set_tipc_importance: TipcImportance
        = TIPC_IMPORTANCE { sample TipcImportance::HIGH, default TipcImportance::LOW };

    /// Whether messages may be dropped when the sender is congested.
    tipc_src_droppable / set_tipc_src_droppable: bool
        = TIPC_SRC_DROPPABLE { sample true, default false };

    /// Whether messages that cannot be delivered are dropped, instead of sent back.
    tipc_dest_droppable / set_tipc_dest_droppable: bool
        = TIPC_DEST_DROPPABLE { sample false, default true };

    /// How long a connect waits, in whole milliseconds.
    tipc_conn_timeout / set_tipc_conn_timeout: Duration as Milliseconds = TIPC_CONN_TIMEOUT {
        sample Duration::from_secs(2), default Duration::from_secs(8) };
}
