//! The controller area network: `struct sockaddr_can`, whose second half depends on the protocol.
//!
//! ```text
//!   0        4           8                16        20        24
//!   | family | interface |                                              CAN_RAW, CAN_BCM
//!   | family | interface |  rx id | tx id |                             CAN_ISOTP
//!   | family | interface |      name      |   pgn   | address |         CAN_J1939
//! ```
//! The bytes do not say which protocol they belong to. Their length does, in what the kernel
//! answers since Linux 5.10 and in what is encoded here.

use std::fmt;
use std::io;

use super::form::{Form, take, take_u32};
use super::text;
use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

// `linux/can.h`; libc has the structure, with unions.
const INTERFACE: usize = 4;
const RX_ID: usize = 8;
const TX_ID: usize = 12;
const NAME: usize = 8;
const PGN: usize = 16;
const J1939_ADDRESS: usize = 20;
const SIZE: usize = 24;
/// Where the identifiers of ISO-TP end, and the 64-bit name of J1939.
const NAME_END: usize = 16;

/// One end of a CAN socket, `struct sockaddr_can` of linux/can.h. As text: `can:3`,
/// `can:3,rx=0x123,tx=0x456`, `can:3,name=0x0,pgn=0x3ffff,address=0x80`, where the interface may
/// also be given by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CanAddr {
    /// Raw frames and the broadcast manager: an interface's index, zero for any.
    Raw {
        /// The interface's index.
        interface: u32,
    },
    /// ISO 15765-2 transport: a pair of identifiers.
    Isotp {
        /// The interface's index.
        interface: u32,
        /// The identifier to receive, with `CAN_EFF_FLAG` if it is an extended one.
        rx_id: u32,
        /// The identifier to send, with `CAN_EFF_FLAG` if it is an extended one.
        tx_id: u32,
    },
    /// SAE J1939: vehicles.
    J1939 {
        /// The interface's index.
        interface: u32,
        /// The 64-bit name of a control unit; `J1939_NO_NAME` (0) where the address is fixed.
        name: u64,
        /// The parameter group; `J1939_NO_PGN` for none.
        pgn: u32,
        /// The 8-bit address; `J1939_NO_ADDR` (255) for none.
        address: u8,
    },
}

impl Form for CanAddr {
    const FAMILY: Family = Family::CAN;
    const WORD: &'static str = "can";

    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()> {
        match *self {
            CanAddr::Raw { interface } => raw.put(INTERFACE, &interface.to_ne_bytes()),
            CanAddr::Isotp { interface, rx_id, tx_id } => {
                raw.put(INTERFACE, &interface.to_ne_bytes());
                raw.put(RX_ID, &rx_id.to_ne_bytes());
                raw.put(TX_ID, &tx_id.to_ne_bytes());
            }
            CanAddr::J1939 { interface, name, pgn, address } => {
                raw.put(INTERFACE, &interface.to_ne_bytes());
                raw.put(NAME, &name.to_ne_bytes());
                raw.put(PGN, &pgn.to_ne_bytes());
                raw.put(J1939_ADDRESS, &[address]);
                raw.reach(SIZE);
            }
        }
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Option<CanAddr> {
        let interface = take_u32(bytes, INTERFACE)?;
        Some(match bytes.len() {
            ..NAME_END => CanAddr::Raw { interface },
            NAME_END..SIZE => {
                let (rx_id, tx_id) = (take_u32(bytes, RX_ID)?, take_u32(bytes, TX_ID)?);
                CanAddr::Isotp { interface, rx_id, tx_id }
            }
            _ => CanAddr::J1939 {
                interface,
                name: u64::from_ne_bytes(take(bytes, NAME)?),
                pgn: take_u32(bytes, PGN)?,
                address: *bytes.get(J1939_ADDRESS)?,
            },
        })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CanAddr::Raw { interface } => write!(f, "{interface}"),
            CanAddr::Isotp { interface, rx_id, tx_id } => {
                write!(f, "{interface},rx={rx_id:#x},tx={tx_id:#x}")
            }
            CanAddr::J1939 { interface, name, pgn, address } => {
                write!(f, "{interface},name={name:#x},pgn={pgn:#x},address={address:#x}")
            }
        }
    }

    fn read(text: &str) -> Result<CanAddr, String> {
        let (interface, fields) = text::head(text, &["rx", "tx", "name", "pgn", "address"])?;
        let interface = text::interface(interface)?;
        let isotp = fields.text("rx").or(fields.text("tx")).is_some();
        let j1939 = ["name", "pgn", "address"].iter().any(|name| fields.text(name).is_some());
        match (isotp, j1939) {
            (true, true) => Err("rx and tx do not go with name, pgn and address".into()),
            (true, false) => {
                let (rx_id, tx_id) = (fields.number("rx")?, fields.number("tx")?);
                Ok(CanAddr::Isotp { interface, rx_id, tx_id })
            }
            (false, true) => {
                let (name, pgn) = (fields.number("name")?, fields.number("pgn")?);
                Ok(CanAddr::J1939 { interface, name, pgn, address: fields.number("address")? })
            }
            (false, false) => Ok(CanAddr::Raw { interface }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{holds, ne};
    use super::*;

    #[test]
    fn can_lies_in_memory_as_in_c() {
        holds(CanAddr::Raw { interface: 3 }, &ne(29, &[0, 3]), "can:3");
        let isotp = CanAddr::Isotp { interface: 3, rx_id: 0x123, tx_id: 0x8000_0456 };
        let bytes = ne(29, &[0, 3, 0x123, 0x8000_0456]);
        holds(isotp, &bytes, "can:3,rx=0x123,tx=0x80000456");
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn j1939_lies_in_memory_as_in_c() {
        let j1939 =
            CanAddr::J1939 { interface: 3, name: 0x1_0000_0002, pgn: 0x12345, address: 128 };
        let bytes = ne(29, &[0, 3, 2, 1, 0x12345, 128]);
        holds(j1939, &bytes, "can:3,name=0x100000002,pgn=0x12345,address=0x80");
    }
}
