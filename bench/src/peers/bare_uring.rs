//! The ceiling on io_uring for one thread: multishot accept, multishot receive into provided
//! buffers, and one wait per loop that also submits whatever is to be sent.
//!
//! ```text
//!   kernel fills buffers ──completion──► send out of the same buffer ──completion──► buffer back
//! ```
//! Per message it makes no system call of its own: one `io_uring_enter` takes what came meanwhile
//! and hands in the answers. A connection has one send under way, since two may overtake each
//! other; further buffers wait for it. Bytes are never copied or looked at here. The kernel takes
//! buffers in turn, so only as many are handed out as are needed and stay warm: when all are in use
//! receives end with ENOBUFS, are armed again, and there are more of them. A descriptor is
//! closed only when no operation on it is left, so its number means one connection in every
//! completion. No limits, no deadlines, no counting.
//!
//! The only part of the bench with raw memory: the ring of buffers is shared with the kernel.

#![allow(unsafe_code)]

mod buffers;

use super::{Body, HOLDS_ANY, Peer, Service};
use buffers::{Buffers, GROUP};
use io_uring::types::Fd;
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

pub(super) const PEER: Peer = Peer {
    name: "bare-uring",
    summary: "io_uring on one thread: multishot accept and receive, provided buffers",
    holds: HOLDS_ANY,
    library: Some("io-uring"),
    needs: available,
    bodies: &[(Service::Echo, Body::Inside(serve))],
};

/// Whether this kernel lets us have such a ring, with its provided buffers.
pub(super) fn available() -> Result<(), String> {
    let has = || -> io::Result<()> { Buffers::new(&ring(8)?).map(drop) };
    has().map_err(|error| format!("no io_uring with provided buffers here: {error}"))
}

fn ring(entries: u32) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_submit_all();
    builder.setup_cqsize(COMPLETIONS).build(entries)
}

fn serve(listener: TcpListener) -> io::Result<()> {
    let ring = ring(SUBMISSIONS)?;
    let buffers = Buffers::new(&ring)?;
    let mut echo = Echo {
        ring,
        buffers,
        listener,
        rests: false,
        connections: Vec::new(),
        starved: Vec::new(),
    };
    echo.accept()?;
    let mut completions: Vec<cqueue::Entry> = Vec::with_capacity(COMPLETIONS as usize);
    loop {
        match echo.ring.submit_and_wait(1) {
            Ok(_) => {}
            // A full completion queue is emptied below.
            Err(error) if [Some(EINTR), Some(EBUSY)].contains(&error.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        completions.extend(echo.ring.completion());
        for completion in completions.drain(..) {
            echo.completed(&completion)?;
        }
        if !echo.starved.is_empty() {
            echo.buffers.add();
        }
        echo.buffers.publish();
        for number in std::mem::take(&mut echo.starved) {
            echo.receive(number)?;
        }
    }
}

struct Echo {
    ring: IoUring,
    buffers: Buffers,
    listener: TcpListener,
    /// Accepting ended for want of descriptors.
    rests: bool,
    /// At the index of its descriptor's number.
    connections: Vec<Option<Connection>>,
    /// Those whose receive found no buffer.
    starved: Vec<RawFd>,
}

struct Connection {
    socket: OwnedFd,
    /// Filled buffers in order; the first of them is being sent.
    filled: VecDeque<Piece>,
    /// No receive is under way any more, and none will be.
    ended: bool,
}

/// What a buffer holds that is not sent yet.
#[derive(Clone, Copy)]
struct Piece {
    buffer: u16,
    from: u32,
    to: u32,
}

impl Echo {
    fn completed(&mut self, completion: &cqueue::Entry) -> io::Result<()> {
        let (result, flags) = (completion.result(), completion.flags());
        let number = completion.user_data() as u32 as RawFd;
        match completion.user_data() >> KIND_SHIFT {
            ACCEPT => self.accepted(result, cqueue::more(flags)),
            RECEIVE => self.received(number, result, flags),
            _ => self.sent(number, result),
        }
    }

    fn accepted(&mut self, result: i32, more: bool) -> io::Result<()> {
        if result >= 0 {
            // SAFETY: the kernel has just made this descriptor for us, once per completion.
            let socket = unsafe { OwnedFd::from_raw_fd(result) };
            let at = result as usize;
            if self.connections.len() <= at {
                self.connections.resize_with(at + 1, || None);
            }
            let connection = Connection { socket, filled: VecDeque::new(), ended: false };
            self.connections[at] = Some(connection);
            self.receive(result)?;
        }
        if more {
            return Ok(());
        }
        // Out of descriptors: the next close begins again.
        self.rests = [Errno::MFILE, Errno::NFILE].iter().any(|e| -e.raw_os_error() == result);
        if self.rests { Ok(()) } else { self.accept() }
    }

    fn received(&mut self, number: RawFd, result: i32, flags: u32) -> io::Result<()> {
        if let Some(buffer) = cqueue::buffer_select(flags) {
            match (&mut self.connections[number as usize], u32::try_from(result)) {
                (Some(connection), Ok(to @ 1..)) => {
                    connection.filled.push_back(Piece { buffer, from: 0, to });
                    if connection.filled.len() == 1 {
                        self.send(number)?;
                    }
                }
                _ => self.buffers.give_back(buffer),
            }
        }
        if cqueue::more(flags) {
            return Ok(());
        }
        if result == -Errno::NOBUFS.raw_os_error() {
            self.starved.push(number);
        } else if result > 0 {
            return self.receive(number);
        } else {
            self.end(number)?;
        }
        Ok(())
    }

    fn sent(&mut self, number: RawFd, result: i32) -> io::Result<()> {
        let Some(connection) = &mut self.connections[number as usize] else { return Ok(()) };
        let Some(piece) = connection.filled.front_mut() else { return Ok(()) };
        if result <= 0 {
            // The receive sees the end next, and closes.
            let _gone = rustix::net::shutdown(&connection.socket, rustix::net::Shutdown::Both);
            for piece in connection.filled.drain(..) {
                self.buffers.give_back(piece.buffer);
            }
        } else {
            piece.from += result as u32;
            if piece.from == piece.to {
                self.buffers.give_back(piece.buffer);
                connection.filled.pop_front();
            }
        }
        match connection {
            Connection { filled, ended: true, .. } if filled.is_empty() => self.end(number),
            Connection { filled, .. } if filled.is_empty() => Ok(()),
            _ => self.send(number),
        }
    }

    /// The receive is over; closes once nothing is being sent either.
    fn end(&mut self, number: RawFd) -> io::Result<()> {
        let slot = &mut self.connections[number as usize];
        match slot {
            Some(connection) if !connection.filled.is_empty() => connection.ended = true,
            _ => {
                *slot = None;
                if std::mem::take(&mut self.rests) {
                    return self.accept();
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        let flags = rustix::net::SocketFlags::CLOEXEC.bits() as i32;
        let accept = opcode::AcceptMulti::new(Fd(self.listener.as_raw_fd())).flags(flags).build();
        self.push(&accept.user_data(ACCEPT << KIND_SHIFT))
    }

    fn receive(&mut self, number: RawFd) -> io::Result<()> {
        let receive = opcode::RecvMulti::new(Fd(number), GROUP).build();
        self.push(&receive.user_data(RECEIVE << KIND_SHIFT | number as u64))
    }

    /// Sends what is left of the first filled buffer.
    fn send(&mut self, number: RawFd) -> io::Result<()> {
        let Some(connection) = &self.connections[number as usize] else { return Ok(()) };
        let piece = connection.filled[0];
        let from = self.buffers.address(piece.buffer) + u64::from(piece.from);
        let send = opcode::Send::new(Fd(number), from as *const u8, piece.to - piece.from);
        let flags = rustix::net::SendFlags::NOSIGNAL.bits() as i32;
        self.push(&send.flags(flags).build().user_data(SEND << KIND_SHIFT | number as u64))
    }

    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: descriptors stay open while an operation is under way, see `end`, and what a
            // send reads is a provided buffer that is given back only when the send is complete.
            let pushed = unsafe { self.ring.submission().push(entry) };
            match pushed {
                Ok(()) => return Ok(()),
                Err(_full) => drop(self.ring.submit()?),
            }
        }
    }
}

const SUBMISSIONS: u32 = 1024;
const COMPLETIONS: u32 = 16 * 1024;
const KIND_SHIFT: u32 = 56;
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const EINTR: i32 = Errno::INTR.raw_os_error();
const EBUSY: i32 = Errno::BUSY.raw_os_error();
