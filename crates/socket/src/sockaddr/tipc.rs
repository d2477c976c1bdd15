//! The nodes of a cluster: `struct sockaddr_tipc`. `linux/tipc.h`.
//!
//! ```text
//!   0        2      3       4        8          12       16
//!   | family |  1   | scope |  type  |  lower   |  upper  |      a range of a service's instances
//!   | family |  2   | scope |  type  | instance |  domain |      one instance of a service
//!   | family |  3   | scope |  ref   |   node   |         |      one socket
//! ```

use std::fmt;
use std::io;

use super::form::{Form, take_u32};
use super::text;
use crate::constants::{TIPC_SERVICE_ADDR, TIPC_SERVICE_RANGE, TIPC_SOCKET_ADDR};
use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

const KIND: usize = 2;
const SCOPE: usize = 3;
/// The three numbers.
const WORDS: [usize; 3] = [4, 8, 12];

/// One end of a TIPC socket, `struct sockaddr_tipc` of linux/tipc.h. As text:
/// `tipc:service,type=18888,instance=17`, `tipc:range,type=18888,lower=0,upper=99,scope=2`,
/// `tipc:socket,ref=1,node=2`; zeros may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TipcAddr {
    /// Every instance in a range: to bind to, and to send to all. C name `TIPC_ADDR_NAMESEQ`.
    Range {
        /// The service.
        service: u32,
        /// The first instance.
        lower: u32,
        /// The last instance.
        upper: u32,
        /// How far the name reaches: `TIPC_NODE_SCOPE`, `TIPC_CLUSTER_SCOPE`.
        scope: i8,
    },
    /// One instance, wherever it is. C name `TIPC_ADDR_NAME`.
    Service {
        /// The service.
        service: u32,
        /// The instance.
        instance: u32,
        /// Where to look; zero is anywhere.
        domain: u32,
        /// How far the name reaches.
        scope: i8,
    },
    /// One socket on one node. C name `TIPC_ADDR_ID`.
    Socket {
        /// The socket.
        reference: u32,
        /// The node.
        node: u32,
        /// How far the name reaches; without meaning here, and kept.
        scope: i8,
    },
}

impl Form for TipcAddr {
    const FAMILY: Family = Family::TIPC;
    const WORD: &'static str = "tipc";

    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()> {
        let (kind, scope, words) = match *self {
            TipcAddr::Range { service, lower, upper, scope } => {
                (TIPC_SERVICE_RANGE, scope, [service, lower, upper])
            }
            TipcAddr::Service { service, instance, domain, scope } => {
                (TIPC_SERVICE_ADDR, scope, [service, instance, domain])
            }
            TipcAddr::Socket { reference, node, scope } => {
                (TIPC_SOCKET_ADDR, scope, [reference, node, 0])
            }
        };
        raw.put(KIND, &[kind as u8, scope as u8]);
        for (at, word) in WORDS.into_iter().zip(words) {
            raw.put(at, &word.to_ne_bytes());
        }
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Option<TipcAddr> {
        let scope = *bytes.get(SCOPE)? as i8;
        let [first, second, third] = WORDS.map(|at| take_u32(bytes, at));
        let (first, second, third) = (first?, second?, third?);
        match i32::from(*bytes.get(KIND)?) {
            TIPC_SERVICE_RANGE => {
                Some(TipcAddr::Range { service: first, lower: second, upper: third, scope })
            }
            TIPC_SERVICE_ADDR => {
                Some(TipcAddr::Service { service: first, instance: second, domain: third, scope })
            }
            TIPC_SOCKET_ADDR => Some(TipcAddr::Socket { reference: first, node: second, scope }),
            _ => None,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = match *self {
            TipcAddr::Range { service, lower, upper, scope } => {
                write!(f, "range,type={service},lower={lower},upper={upper}")?;
                scope
            }
            TipcAddr::Service { service, instance, domain, scope } => {
                write!(f, "service,type={service},instance={instance},domain={domain}")?;
                scope
            }
            TipcAddr::Socket { reference, node, scope } => {
                write!(f, "socket,ref={reference},node={node}")?;
                scope
            }
        };
        if scope == 0 { Ok(()) } else { write!(f, ",scope={scope}") }
    }

    fn read(text: &str) -> Result<TipcAddr, String> {
        let kind = text.split(',').next().unwrap_or_default();
        let known: &[&str] = match kind {
            "range" => &["type", "lower", "upper", "scope"],
            "service" => &["type", "instance", "domain", "scope"],
            "socket" => &["ref", "node", "scope"],
            _ => return Err(format!("\"{kind}\" is none of range service socket")),
        };
        let (_, fields) = text::head(text, known)?;
        let scope = fields.text("scope").unwrap_or("0");
        let scope =
            scope.parse().map_err(|_| format!("scope \"{scope}\" is not in -128 to 127"))?;
        Ok(match kind {
            "range" => TipcAddr::Range {
                service: fields.number("type")?,
                lower: fields.number("lower")?,
                upper: fields.number("upper")?,
                scope,
            },
            "service" => TipcAddr::Service {
                service: fields.number("type")?,
                instance: fields.number("instance")?,
                domain: fields.number("domain")?,
                scope,
            },
            _ => TipcAddr::Socket {
                reference: fields.number("ref")?,
                node: fields.number("node")?,
                scope,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{holds, ne};
    use super::*;

    /// The word that holds the kind and the scope, after the family's two bytes.
    fn with(kind: u8, scope: u8, words: &[u32]) -> Vec<u8> {
        let mut bytes = ne(30, &[&[0], words].concat());
        bytes[KIND] = kind;
        bytes[SCOPE] = scope;
        bytes
    }

    #[test]
    fn tipc_lies_in_memory_as_in_c() {
        let range = TipcAddr::Range { service: 18888, lower: 1, upper: 99, scope: 2 };
        let text = "tipc:range,type=18888,lower=1,upper=99,scope=2";
        holds(range, &with(1, 2, &[18888, 1, 99]), text);
        let one = TipcAddr::Service { service: 18888, instance: 17, domain: 5, scope: -1 };
        let text = "tipc:service,type=18888,instance=17,domain=5,scope=-1";
        holds(one, &with(2, 255, &[18888, 17, 5]), text);
        let socket = TipcAddr::Socket { reference: 7, node: 8, scope: 0 };
        holds(socket, &with(3, 0, &[7, 8, 0]), "tipc:socket,ref=7,node=8");
    }
}
