//! Numbers of names and IPv4: `AI_*`, `EAI_*`, `NI_*`, `IPPORT_*`, `INADDR_*`.
//!
//! The typed flags and codes are in [`names`](crate::names).

use super::groups;

groups! {
    /// Flags of a question. `getaddrinfo(3)`.
    AI libc {
        AI_PASSIVE, AI_CANONNAME, AI_NUMERICHOST, AI_V4MAPPED, AI_ALL, AI_ADDRCONFIG,
        AI_NUMERICSERV,
    }

    /// Flags of a question for names beyond ASCII.
    AI_MORE "netdb.h" i32 {
        AI_IDN = 0x40, AI_CANONIDN = 0x80,
    }

    /// Codes of a failure. `gai_strerror(3)`.
    EAI libc {
        EAI_OVERFLOW, EAI_SYSTEM, EAI_MEMORY, EAI_SERVICE, EAI_SOCKTYPE, EAI_FAMILY, EAI_NODATA,
        EAI_FAIL, EAI_AGAIN, EAI_NONAME, EAI_BADFLAGS,
    }

    /// Codes of a failure that only glibc has.
    EAI_MORE "netdb.h" i32 {
        EAI_ADDRFAMILY = -9, EAI_INPROGRESS = -100, EAI_CANCELED = -101, EAI_NOTCANCELED = -102,
        EAI_ALLDONE = -103, EAI_INTR = -104, EAI_IDN_ENCODE = -105,
    }

    /// Flags and sizes. `getnameinfo(3)`.
    NI libc {
        NI_NUMERICHOST, NI_NUMERICSERV, NI_NOFQDN, NI_NAMEREQD, NI_DGRAM, NI_MAXHOST,
    }

    /// The longest service name, in bytes.
    NI_MORE "netdb.h" u32 {
        NI_MAXSERV = 32,
    }

    /// A flag that only glibc has.
    NI_GLIBC "netdb.h" i32 {
        NI_IDN = 32,
    }

    /// Codes of the older calls. `gethostbyname(3)`.
    H_ERRNO "netdb.h" i32 {
        HOST_NOT_FOUND = 1, TRY_AGAIN = 2, NO_RECOVERY = 3, NO_DATA = 4,
    }

    /// Ports: below the first, binding needs a privilege.
    IPPORT "netinet/in.h" i32 {
        IPPORT_RESERVED = 1024, IPPORT_USERRESERVED = 5000,
    }

    /// IPv4 addresses in host byte order. `ip(7)`.
    INADDR libc {
        INADDR_ANY, INADDR_LOOPBACK, INADDR_BROADCAST, INADDR_NONE,
    }

    /// IPv4 multicast addresses in host byte order.
    INADDR_MORE "netinet/in.h" u32 {
        INADDR_UNSPEC_GROUP = 0xe000_0000, INADDR_ALLHOSTS_GROUP = 0xe000_0001,
        INADDR_ALLRTRS_GROUP = 0xe000_0002, INADDR_MAX_LOCAL_GROUP = 0xe000_00ff,
    }
}
