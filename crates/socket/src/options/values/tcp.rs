//! Values of the TCP level: signatures, and the state of a connection that is moved.

use std::io;
use std::net::IpAddr;

use super::multicast::{put, storage};
use crate::options::encoding::{Get, Set, Slot, invalid, number, short};

/// A key by which segments to and from one peer are signed. `struct tcp_md5sig`; RFC 2385.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Md5Sig {
    /// The peer.
    pub addr: IpAddr,
    /// How many leading bits of `addr` count. `TCP_MD5SIG` takes all of them whatever is said;
    /// `TCP_MD5SIG_EXT` takes `None` for all.
    pub prefixlen: Option<u8>,
    /// The interface that the peer is behind; zero: any. Only `TCP_MD5SIG_EXT` looks at it.
    pub ifindex: i32,
    /// The key, at most 80 bytes; an empty one takes the peer's key away.
    pub key: Vec<u8>,
}

/// Everything but the key.
impl std::fmt::Debug for Md5Sig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Md5Sig")
            .field("addr", &self.addr)
            .field("prefixlen", &self.prefixlen)
            .field("ifindex", &self.ifindex)
            .finish_non_exhaustive()
    }
}

impl Set<&Md5Sig> for Md5Sig {
    fn set(to: Slot<'_>, value: &Md5Sig) -> io::Result<()> {
        const PREFIX: u8 = 1;
        const IFINDEX: u8 = 2;
        const ADDRESS: usize = size_of::<libc::sockaddr_storage>();
        const KEY: usize = 80;
        if value.key.len() > KEY {
            return Err(invalid("key longer than 80 bytes"));
        }
        let flags = if value.prefixlen.is_some() { PREFIX } else { 0 }
            | if value.ifindex != 0 { IFINDEX } else { 0 };
        let mut bytes = [0; ADDRESS + 8 + KEY];
        put(&mut bytes, 0, &storage(value.addr));
        put(&mut bytes, ADDRESS, &[flags, value.prefixlen.unwrap_or(0)]);
        put(&mut bytes, ADDRESS + 2, &(value.key.len() as u16).to_ne_bytes());
        put(&mut bytes, ADDRESS + 4, &value.ifindex.to_ne_bytes());
        put(&mut bytes, ADDRESS + 8, &value.key);
        to.set(&bytes)
    }
}

/// The windows of a connection under repair. `struct tcp_repair_window` of linux/tcp.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RepairWindow {
    /// The segment by which the peer's window was last set.
    pub snd_wl1: u32,
    /// The peer's window, in bytes.
    pub snd_wnd: u32,
    /// The largest window the peer ever had.
    pub max_window: u32,
    /// Our window, in bytes.
    pub rcv_wnd: u32,
    /// The byte up to which it was last announced.
    pub rcv_wup: u32,
}

impl Get for RepairWindow {
    type Value = RepairWindow;
    fn get(from: Slot<'_>) -> io::Result<RepairWindow> {
        let bytes: [u8; 20] = from.bytes()?;
        let word = |index: usize| number!(u32, bytes, index * 4).ok_or_else(short);
        Ok(RepairWindow {
            snd_wl1: word(0)?,
            snd_wnd: word(1)?,
            max_window: word(2)?,
            rcv_wnd: word(3)?,
            rcv_wup: word(4)?,
        })
    }
}

impl Set<RepairWindow> for RepairWindow {
    fn set(to: Slot<'_>, value: RepairWindow) -> io::Result<()> {
        let RepairWindow { snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup } = value;
        let words = [snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup];
        to.set(words.map(u32::to_ne_bytes).as_flattened())
    }
}

/// One agreement of a connection under repair. `struct tcp_repair_opt` of linux/tcp.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RepairOpt {
    /// The TCP option's kind: 2 segment size, 3 window scales, 4 SACK, 8 timestamps. RFC 9293.
    pub opt_code: u32,
    /// Its value: the size; our scale shifted by 16 and the peer's; zero for the others.
    pub opt_val: u32,
}

impl Set<&[RepairOpt]> for RepairOpt {
    fn set(to: Slot<'_>, value: &[RepairOpt]) -> io::Result<()> {
        let words = value.iter().flat_map(|opt| [opt.opt_code, opt.opt_val]);
        to.set(&words.flat_map(u32::to_ne_bytes).collect::<Vec<u8>>())
    }
}
