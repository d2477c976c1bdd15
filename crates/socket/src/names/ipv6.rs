//! What IPv6 can do on this machine. Each asks the kernel, now.

use crate::kinds::{Family, Protocol, Type};
use crate::socket::Socket;

/// Whether this kernel makes IPv6 sockets. (Python's constant only says so of its build.)
#[must_use]
pub fn has_ipv6() -> bool {
    Socket::new(Family::INET6, Type::STREAM, Protocol::DEFAULT).is_ok()
}

/// Whether an IPv6 socket can also serve IPv4 here: `IPV6_V6ONLY` can be turned off. `ipv6(7)`.
#[must_use]
pub fn has_dualstack_ipv6() -> bool {
    let off = 0_i32.to_ne_bytes();
    Socket::new(Family::INET6, Type::STREAM, Protocol::DEFAULT)
        .and_then(|socket| socket.setsockopt(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &off))
        .is_ok()
}
