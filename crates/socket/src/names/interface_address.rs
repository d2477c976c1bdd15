//! The addresses of this machine's interfaces, asked of the kernel over a netlink socket.
//!
//! `RTM_GETADDR` of `rtnetlink(7)`; how messages and attributes lie is in `netlink(7)`:
//!
//! ```text
//!   message    | length u32 | type u16 | flags u16 | sequence u32 | port u32 | ifaddrmsg |
//!              | attribute | attribute … |
//!   ifaddrmsg  | family u8 | prefix u8 | flags u8 | scope u8 | index u32 |
//!   attribute  | length u16 | type u16 | value … |       messages and attributes padded to 4 bytes
//! ```
//! The reader takes any bytes: what is cut short or makes no sense ends the answer or is passed
//! over.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::constants::NETLINK_ROUTE;
use crate::kinds::{Family, Protocol, Type};
use crate::socket::Socket;

/// An address that an interface of this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceAddress {
    /// The interface, see [`if_indextoname`](super::if_indextoname).
    pub index: u32,
    /// The machine's own address there.
    pub address: IpAddr,
    /// How many of its bits are the network's: 8 for `127.0.0.1/8`.
    pub prefix_length: u8,
}

/// Every address of every interface, IPv4 and IPv6, in the kernel's order. `rtnetlink(7)`.
///
/// # Errors
/// `EMFILE`, `ENFILE`; `EAFNOSUPPORT` on a kernel without netlink; `TimedOut` when the kernel does
/// not answer within a second; what it answers instead of addresses.
///
/// ```
/// let own = socket::names::interface_addresses()?;
/// assert!(own.iter().any(|one| one.address.is_loopback()));
/// # std::io::Result::Ok(())
/// ```
pub fn interface_addresses() -> io::Result<Vec<InterfaceAddress>> {
    let socket = Socket::new(Family::NETLINK, Type::RAW, Protocol(NETLINK_ROUTE))?;
    socket.set_timeout(Some(ANSWER_WAIT))?;
    socket.send_all(&request())?;
    let (mut found, mut answer) = (Vec::new(), vec![0; ANSWER_BYTES]);
    loop {
        let count = socket.recv(&mut answer)?;
        if read_answer(&answer[..count], &mut found)? {
            return Ok(found);
        }
    }
}

/// A request for the whole table, of every family.
fn request() -> [u8; HEADER + IFADDRMSG] {
    let mut bytes = [0; HEADER + IFADDRMSG];
    bytes[..4].copy_from_slice(&((HEADER + IFADDRMSG) as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&libc::RTM_GETADDR.to_ne_bytes());
    bytes[6..8].copy_from_slice(&DUMP.to_ne_bytes());
    bytes
}

/// Takes the addresses out of one answer; true when it was the last.
///
/// # Errors
/// The error that the kernel answers; none for an answer that makes no sense.
pub(crate) fn read_answer(
    mut answer: &[u8],
    found: &mut Vec<InterfaceAddress>,
) -> io::Result<bool> {
    while let Some((length, kind)) = message_head(answer) {
        let Some(body) = answer.get(HEADER..length) else { break };
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let code = body.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
                return Err(io::Error::from_raw_os_error(code.saturating_neg()));
            }
            _ => found.extend(read_address(body)),
        }
        answer = answer.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn message_head(bytes: &[u8]) -> Option<(usize, u16)> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    Some((length, kind))
}

/// One row of the table. Of a point-to-point link the local end is meant, where IPv4 has it apart.
fn read_address(body: &[u8]) -> Option<InterfaceAddress> {
    let prefix_length = *body.get(1)?;
    let index = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
    let (mut local, mut other) = (None, None);
    let mut attributes = body.get(IFADDRMSG..)?;
    while let Some((length, kind)) = attribute_head(attributes) {
        let Some(value) = attributes.get(ATTRIBUTE..length) else { break };
        match kind {
            IFA_LOCAL => local = ip(value),
            IFA_ADDRESS => other = ip(value),
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(InterfaceAddress { index, address: local.or(other)?, prefix_length })
}

fn attribute_head(bytes: &[u8]) -> Option<(usize, u16)> {
    let length = u16::from_ne_bytes(*bytes.first_chunk()?);
    let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?);
    Some((usize::from(length), kind))
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(four).into());
    }
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into())
}

/// `NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH`: the whole table.
const DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// `sizeof(struct nlmsghdr)`, `struct ifaddrmsg`, `struct rtattr`.
const HEADER: usize = 16;
const IFADDRMSG: usize = 8;
const ATTRIBUTE: usize = 4;
/// More than the kernel puts into one answer of a dump.
const ANSWER_BYTES: usize = 64 * 1024;
/// The kernel answers at once; this is for a kernel that does not.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_makes_no_sense_ends_quietly() {
        let mut found = Vec::new();
        for length in 0..64 {
            for byte in [0, 1, 16, 0xff] {
                let _ = read_answer(&vec![byte; length], &mut found);
            }
        }
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn an_error_of_the_kernel_is_told() {
        let mut answer = [0; HEADER + 4];
        answer[..4].copy_from_slice(&20_u32.to_ne_bytes());
        answer[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        answer[HEADER..].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
        let error = read_answer(&answer, &mut Vec::new()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    }
}
