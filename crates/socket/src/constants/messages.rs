//! Numbers of sending, receiving and ending: `MSG_*`, `SCM_*`, `SO_EE_*`, `SHUT_*`, `SOMAXCONN`.

use super::groups;

groups! {
    /// Flags of a socket type; the first is always on here. `socket(2)`.
    SOCK libc {
        SOCK_NONBLOCK, SOCK_CLOEXEC,
    }

    /// Flags of one call. `send(2)`, `recv(2)`.
    MSG libc {
        MSG_OOB, MSG_PEEK, MSG_DONTROUTE, MSG_CTRUNC, MSG_TRUNC, MSG_DONTWAIT, MSG_EOR, MSG_WAITALL,
        MSG_FIN, MSG_SYN, MSG_CONFIRM, MSG_RST, MSG_ERRQUEUE, MSG_NOSIGNAL, MSG_MORE,
        MSG_WAITFORONE, MSG_ZEROCOPY, MSG_FASTOPEN, MSG_CMSG_CLOEXEC,
    }

    /// Flags that not every libc has.
    MSG_MORE_ "linux/socket.h" i32 {
        MSG_TRYHARD = 4, MSG_PROBE = 0x10, MSG_BATCH = 0x4_0000, MSG_SOCK_DEVMEM = 0x200_0000,
    }

    /// Types of ancillary data. `cmsg(3)`, `socket(7)`, `unix(7)`.
    SCM libc {
        SCM_RIGHTS, SCM_CREDENTIALS, SCM_TIMESTAMP, SCM_TIMESTAMPNS, SCM_TIMESTAMPING,
        SCM_WIFI_STATUS, SCM_TIMESTAMPING_OPT_STATS, SCM_TIMESTAMPING_PKTINFO, SCM_TXTIME,
        SCM_DEVMEM_LINEAR, SCM_DEVMEM_DMABUF,
    }

    /// Types of ancillary data that libc lacks.
    SCM_MORE "linux/socket.h" i32 {
        SCM_SECURITY = 3, SCM_PIDFD = 4,
    }

    /// Where an extended error comes from. `ip(7)`, `IP_RECVERR`.
    SO_EE libc {
        SO_EE_ORIGIN_NONE, SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6,
        SO_EE_ORIGIN_TIMESTAMPING, SO_EE_ORIGIN_TXSTATUS,
    }

    /// Directions. `shutdown(2)`.
    SHUT libc {
        SHUT_RD, SHUT_WR, SHUT_RDWR,
    }

    /// The longest backlog; the kernel's own limit is `net.core.somaxconn`. `listen(2)`.
    SOMAXCONN libc {
        SOMAXCONN,
    }
}
