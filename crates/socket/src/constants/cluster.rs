//! Numbers of clusters and of the kernel's ciphers: `TIPC_*`, `ALG_*`.

use super::groups;

groups! {
    /// Kinds of address and how far a name reaches.
    TIPC_ADDR "linux/tipc.h" i32 {
        TIPC_ADDR_NAMESEQ = 1, TIPC_ADDR_MCAST = 1, TIPC_ADDR_NAME = 2, TIPC_ADDR_ID = 3,
        TIPC_SERVICE_RANGE = 1, TIPC_SERVICE_ADDR = 2, TIPC_SOCKET_ADDR = 3, TIPC_ZONE_SCOPE = 1,
        TIPC_CLUSTER_SCOPE = 2, TIPC_NODE_SCOPE = 3,
    }

    /// Options.
    TIPC "linux/tipc.h" i32 {
        TIPC_IMPORTANCE = 127, TIPC_SRC_DROPPABLE = 128, TIPC_DEST_DROPPABLE = 129,
        TIPC_CONN_TIMEOUT = 130, TIPC_NODE_RECVQ_DEPTH = 131, TIPC_SOCK_RECVQ_DEPTH = 132,
        TIPC_MCAST_BROADCAST = 133, TIPC_MCAST_REPLICAST = 134, TIPC_GROUP_JOIN = 135,
        TIPC_GROUP_LEAVE = 136, TIPC_SOCK_RECVQ_USED = 137, TIPC_NODELAY = 138,
    }

    /// How important a message is.
    TIPC_IMPORTANCES "linux/tipc.h" i32 {
        TIPC_LOW_IMPORTANCE = 0, TIPC_MEDIUM_IMPORTANCE = 1, TIPC_HIGH_IMPORTANCE = 2,
        TIPC_CRITICAL_IMPORTANCE = 3,
    }

    /// Subscriptions to names that come and go.
    TIPC_SUB "linux/tipc.h" i32 {
        TIPC_CFG_SRV = 0, TIPC_TOP_SRV = 1, TIPC_SUB_PORTS = 1, TIPC_SUB_SERVICE = 2,
        TIPC_SUB_CANCEL = 4, TIPC_WAIT_FOREVER = -1, TIPC_PUBLISHED = 1, TIPC_WITHDRAWN = 2,
        TIPC_SUBSCR_TIMEOUT = 3,
    }

    /// Options and operations of the kernel's ciphers and hashes. `linux/if_alg.h`.
    ALG libc {
        ALG_OP_DECRYPT, ALG_OP_ENCRYPT, ALG_SET_KEY, ALG_SET_IV, ALG_SET_OP, ALG_SET_AEAD_ASSOCLEN,
        ALG_SET_AEAD_AUTHSIZE, ALG_SET_DRBG_ENTROPY, ALG_SET_KEY_BY_KEY_SERIAL,
    }
}
