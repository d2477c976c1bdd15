//! Values of the socket level.

use std::io;

use crate::message::Credentials;
use crate::options::encoding::{Get, Set, Slot, number, short};

/// `struct ucred`.
impl Get for Credentials {
    type Value = Credentials;
    fn get(from: Slot<'_>) -> io::Result<Credentials> {
        let bytes: [u8; size_of::<libc::ucred>()] = from.bytes()?;
        Ok(Credentials {
            pid: number!(i32, bytes, 0).ok_or_else(short)?,
            uid: number!(u32, bytes, 4).ok_or_else(short)?,
            gid: number!(u32, bytes, 8).ok_or_else(short)?,
        })
    }
}

/// The memory of a socket, in bytes. `SO_MEMINFO`; the words are those of `sock_diag(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemInfo {
    /// Waiting to be read.
    pub rmem_alloc: u32,
    /// The receive buffer's size.
    pub rcvbuf: u32,
    /// Handed to the network and not yet given back.
    pub wmem_alloc: u32,
    /// The send buffer's size.
    pub sndbuf: u32,
    /// Reserved ahead.
    pub fwd_alloc: u32,
    /// Waiting to be sent.
    pub wmem_queued: u32,
    /// Taken by options and filters.
    pub optmem: u32,
    /// Arrived while the socket was locked, not yet sorted in.
    pub backlog: u32,
    /// How many packets were dropped. A count, not bytes.
    pub drops: u32,
}

impl Get for MemInfo {
    type Value = MemInfo;
    fn get(from: Slot<'_>) -> io::Result<MemInfo> {
        let bytes: [u8; 36] = from.bytes()?;
        let word = |index: usize| number!(u32, bytes, index * 4).ok_or_else(short);
        Ok(MemInfo {
            rmem_alloc: word(0)?,
            rcvbuf: word(1)?,
            wmem_alloc: word(2)?,
            sndbuf: word(3)?,
            fwd_alloc: word(4)?,
            wmem_queued: word(5)?,
            optmem: word(6)?,
            backlog: word(7)?,
            drops: word(8)?,
        })
    }
}

/// How packets say when they are to leave. `struct sock_txtime` of linux/net_tstamp.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TxTime {
    /// The clock: 1 is `CLOCK_MONOTONIC`, 11 `CLOCK_TAI`. `clock_gettime(2)`.
    pub clockid: i32,
    /// The sum of 1: the time is a deadline, not the moment; 2: report packets that were dropped.
    pub flags: u32,
}

impl Get for TxTime {
    type Value = TxTime;
    fn get(from: Slot<'_>) -> io::Result<TxTime> {
        let bytes: [u8; 8] = from.bytes()?;
        Ok(TxTime {
            clockid: number!(i32, bytes, 0).ok_or_else(short)?,
            flags: number!(u32, bytes, 4).ok_or_else(short)?,
        })
    }
}

impl Set<TxTime> for TxTime {
    fn set(to: Slot<'_>, value: TxTime) -> io::Result<()> {
        to.set(&[value.clockid.to_ne_bytes(), value.flags.to_ne_bytes()].concat())
    }
}
