//! Qualcomm's router between processors of one device: `struct sockaddr_qrtr`. `linux/qrtr.h`.
//!
//! ```text
//!   0        2        4        8        12
//!   | family |  zero  |  node  |  port  |
//! ```

use std::fmt;
use std::io;

use super::form::{Form, take_u32};
use super::text;
use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

// `linux/qrtr.h`; libc has no such structure.
const NODE: usize = 4;
const PORT: usize = 8;

/// One end of a QIPCRTR socket, `struct sockaddr_qrtr` of linux/qrtr.h. As text: `qipcrtr:1:16384`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QipcrtrAddr {
    /// The processor; `0xffff_ffff` is all of them.
    pub node: u32,
    /// The port; `0xffff_fffe` is the control port.
    pub port: u32,
}

impl Form for QipcrtrAddr {
    const FAMILY: Family = Family::QIPCRTR;
    const WORD: &'static str = "qipcrtr";

    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()> {
        raw.put(NODE, &self.node.to_ne_bytes());
        raw.put(PORT, &self.port.to_ne_bytes());
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Option<QipcrtrAddr> {
        Some(QipcrtrAddr { node: take_u32(bytes, NODE)?, port: take_u32(bytes, PORT)? })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.node, self.port)
    }

    fn read(text: &str) -> Result<QipcrtrAddr, String> {
        let Some((node, port)) = text.split_once(':') else {
            return Err("expected a node and a port (try qipcrtr:1:16384)".into());
        };
        Ok(QipcrtrAddr { node: text::number(node, "node")?, port: text::number(port, "port")? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{holds, ne};
    use super::*;

    #[test]
    fn qipcrtr_lies_in_memory_as_in_c() {
        let address = QipcrtrAddr { node: 1, port: u32::MAX - 1 };
        holds(address, &ne(42, &[0, 1, u32::MAX - 1]), "qipcrtr:1:4294967294");
    }
}
