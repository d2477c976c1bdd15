//! Messages to and from the kernel: `struct sockaddr_nl`. `netlink(7)`.
//!
//! ```text
//!   0        2        4         8          12
//!   | family |  zero  |   pid   |  groups  |
//! ```

use std::fmt;
use std::io;
use std::mem::offset_of;

use super::form::{Form, take_u32};
use super::text;
use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

const PID: usize = offset_of!(libc::sockaddr_nl, nl_pid);
const GROUPS: usize = offset_of!(libc::sockaddr_nl, nl_groups);

/// One end of a netlink socket. `netlink(7)`. As text: `netlink:0`, `netlink:1234,groups=0x11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NetlinkAddr {
    /// The port: zero is the kernel; bound to zero, the kernel picks one (often the process id).
    pub pid: u32,
    /// Multicast groups 1 to 32 as bits; zero for none.
    pub groups: u32,
}

impl Form for NetlinkAddr {
    const FAMILY: Family = Family::NETLINK;
    const WORD: &'static str = "netlink";

    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()> {
        raw.put(PID, &self.pid.to_ne_bytes());
        raw.put(GROUPS, &self.groups.to_ne_bytes());
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Option<NetlinkAddr> {
        Some(NetlinkAddr { pid: take_u32(bytes, PID)?, groups: take_u32(bytes, GROUPS)? })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pid)?;
        match self.groups {
            0 => Ok(()),
            groups => write!(f, ",groups={groups:#x}"),
        }
    }

    fn read(text: &str) -> Result<NetlinkAddr, String> {
        let (pid, fields) = text::head(text, &["groups"])?;
        Ok(NetlinkAddr { pid: text::number(pid, "pid")?, groups: fields.number("groups")? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{holds, ne};
    use super::*;

    #[test]
    fn netlink_lies_in_memory_as_in_c() {
        holds(NetlinkAddr::default(), &ne(16, &[0, 0, 0]), "netlink:0");
        let address = NetlinkAddr { pid: 1234, groups: 0x11 };
        holds(address, &ne(16, &[0, 1234, 0x11]), "netlink:1234,groups=0x11");
    }
}
