//! The addresses of this machine: where a server that listens on all of them can be reached.
//!
//! Asked of the kernel over a netlink socket, `RTM_GETADDR` of `rtnetlink(7)`; the layouts are in
//! `netlink(7)`. An address that only works with a zone (link-local IPv6) is left out, since nobody
//! wants to type it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use switchboard::socket::{Family, Protocol, Socket, Type};

const AF_NETLINK: Family = Family(16);
const NETLINK_ROUTE: Protocol = Protocol(0);
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_GETADDR: u16 = 22;
/// `NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH`: a request for the whole table.
const DUMP: u16 = 0x301;
/// The machine's own address: for IPv4 the second, since the first may be the other end's.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// `sizeof(struct nlmsghdr)` and `sizeof(struct ifaddrmsg)`.
const HEADER: usize = 16;
const IFADDRMSG: usize = 8;
/// More than the kernel puts into one answer of a dump.
const ANSWER_MAX: usize = 64 * 1024;
/// The kernel answers at once; this is for a kernel that does not.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// Every address of this machine of the family of `like`, loopback last.
pub(crate) fn addresses(like: IpAddr) -> io::Result<Vec<IpAddr>> {
    let family = if like.is_ipv4() { Family::INET } else { Family::INET6 };
    let socket = Socket::new(AF_NETLINK, Type::RAW, NETLINK_ROUTE)?;
    socket.set_timeout(Some(ANSWER_WAIT))?;
    socket.send_all(&request(family))?;
    let (mut found, mut answer) = (Vec::new(), vec![0; ANSWER_MAX]);
    loop {
        let count = socket.recv(&mut answer)?;
        if !read(&answer[..count], &mut found) {
            break;
        }
    }
    found.sort_by_key(IpAddr::is_loopback);
    Ok(found)
}

fn request(family: Family) -> Vec<u8> {
    let length = (HEADER + IFADDRMSG) as u32;
    let mut bytes = Vec::with_capacity(HEADER + IFADDRMSG);
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&RTM_GETADDR.to_ne_bytes());
    bytes.extend_from_slice(&DUMP.to_ne_bytes());
    bytes.resize(HEADER + IFADDRMSG, 0);
    bytes[HEADER] = u8::try_from(family.0).unwrap_or(0);
    bytes
}

/// Takes the addresses out of one answer; false when no other follows.
fn read(mut answer: &[u8], found: &mut Vec<IpAddr>) -> bool {
    while let Some((kind, body, rest)) = split(answer, 4, HEADER) {
        if kind == NLMSG_DONE || kind == NLMSG_ERROR {
            return false;
        }
        let own = match body.first() {
            Some(&family) if i32::from(family) == Family::INET.0 => IFA_LOCAL,
            _ => IFA_ADDRESS,
        };
        let mut attributes = body.get(IFADDRMSG..).unwrap_or_default();
        while let Some((kind, value, rest)) = split(attributes, 2, 4) {
            if kind == own {
                found.extend(address(value));
            }
            attributes = rest;
        }
        answer = rest;
    }
    true
}

/// The first of a row of messages: its type, its body, and what follows. Both kinds of message
/// begin with their length, of 4 or 2 bytes, then the type; both are padded to 4 bytes.
fn split(bytes: &[u8], length_size: usize, header: usize) -> Option<(u16, &[u8], &[u8])> {
    let number = |at: usize| Some(u16::from_ne_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let length = match length_size {
        2 => usize::from(number(0)?),
        _ => u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize,
    };
    let kind = number(length_size)?;
    let body = bytes.get(header..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

fn address(value: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(v4).into());
    }
    let v6 = Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?);
    (!v6.is_unicast_link_local()).then_some(v6.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found_and_comes_last() {
        let found = addresses(Ipv4Addr::UNSPECIFIED.into()).unwrap();
        assert_eq!(found.last(), Some(&Ipv4Addr::LOCALHOST.into()), "{found:?}");
        assert!(found.iter().all(IpAddr::is_ipv4));
    }

    #[test]
    fn an_answer_that_is_cut_short_ends_quietly() {
        let mut found = Vec::new();
        for length in 0..40 {
            read(&vec![0xff; length], &mut found);
            read(&vec![0; length], &mut found);
        }
        assert!(found.is_empty());
    }
}
