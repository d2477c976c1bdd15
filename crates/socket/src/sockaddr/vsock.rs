//! Between a virtual machine and its host: `struct sockaddr_vm`. `vsock(7)`.
//!
//! ```text
//!   0        2        4        8       12       13      16
//!   | family |  zero  |  port  |  cid  |  flags |  zero |
//! ```

use std::fmt;
use std::io;
use std::mem::{offset_of, size_of};

use super::form::{Form, take_u32};
use super::text;
use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

const PORT: usize = offset_of!(libc::sockaddr_vm, svm_port);
const CID: usize = offset_of!(libc::sockaddr_vm, svm_cid);
/// The byte after the context id; libc counts it to the zeros.
const FLAGS: usize = CID + size_of::<u32>();

/// One end of a vsock. `vsock(7)`. As text: `vsock:2:7007`, `vsock:2:7007,flags=1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VsockAddr {
    /// The context id: which machine.
    pub cid: u32,
    /// The port, below 2³²-1. Ports below 1024 need a privilege.
    pub port: u32,
    /// `VMADDR_FLAG_TO_HOST` (1) sends to a sibling machine by way of the host; zero otherwise.
    /// Since Linux 5.11.
    pub flags: u8,
}

impl VsockAddr {
    /// Any machine, to bind to.
    pub const CID_ANY: u32 = libc::VMADDR_CID_ANY;
    /// The hypervisor; no longer used.
    pub const CID_HYPERVISOR: u32 = libc::VMADDR_CID_HYPERVISOR;
    /// This machine itself. Needs the `vsock_loopback` module.
    pub const CID_LOCAL: u32 = libc::VMADDR_CID_LOCAL;
    /// The host.
    pub const CID_HOST: u32 = libc::VMADDR_CID_HOST;
    /// Any free port, to bind to.
    pub const PORT_ANY: u32 = libc::VMADDR_PORT_ANY;

    /// The address without flags.
    #[must_use]
    pub const fn new(cid: u32, port: u32) -> VsockAddr {
        VsockAddr { cid, port, flags: 0 }
    }
}

impl Form for VsockAddr {
    const FAMILY: Family = Family::VSOCK;
    const WORD: &'static str = "vsock";

    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()> {
        raw.put(PORT, &self.port.to_ne_bytes());
        raw.put(CID, &self.cid.to_ne_bytes());
        raw.put(FLAGS, &[self.flags]);
        raw.reach(size_of::<libc::sockaddr_vm>());
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Option<VsockAddr> {
        let flags = *bytes.get(FLAGS)?;
        Some(VsockAddr { cid: take_u32(bytes, CID)?, port: take_u32(bytes, PORT)?, flags })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.cid, self.port)?;
        match self.flags {
            0 => Ok(()),
            flags => write!(f, ",flags={flags}"),
        }
    }

    fn read(text: &str) -> Result<VsockAddr, String> {
        let (place, fields) = text::head(text, &["flags"])?;
        let Some((cid, port)) = place.split_once(':') else {
            return Err("expected a context id and a port (try vsock:2:7007)".into());
        };
        let (cid, port) = (text::number(cid, "context id")?, text::number(port, "port")?);
        Ok(VsockAddr { cid, port, flags: fields.number("flags")? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{holds, ne};
    use super::*;

    #[test]
    fn vsock_lies_in_memory_as_in_c() {
        let address = VsockAddr::new(VsockAddr::CID_HOST, 7007);
        holds(address, &ne(40, &[0, 7007, 2, 0]), "vsock:2:7007");
        let any = VsockAddr::new(VsockAddr::CID_ANY, VsockAddr::PORT_ANY);
        holds(any, &ne(40, &[0, u32::MAX, u32::MAX, 0]), "vsock:4294967295:4294967295");
        let flags = u32::from_ne_bytes([1, 0, 0, 0]);
        let address = VsockAddr { cid: 3, port: 1, flags: 1 };
        holds(address, &ne(40, &[0, 1, 3, flags]), "vsock:3:1,flags=1");
    }
}
