//! Datagrams from one thread to another over loopback UDP, one by one, in batches or segmented.
//!
//! Each side is a thread on a CPU of its own with one socket. Every datagram carries its number and
//! the phase it belongs to; the receiver checks length and number of each, and the whole content of
//! one in [`WHOLE_EVERY`], the same for every way, so what a check costs is the same for all.
//!
//! UDP has no flow control, and a sender that overruns its receiver measures how cheap it is to
//! throw datagrams away. So the receiver grants credit over a socketpair, a word for some hundred
//! datagrams: at most [`WINDOW`] units are under way, which the receive buffer holds. What is lost
//! all the same is counted. A phase ends when all of it has arrived, so that both
//! sides are charged for the same datagrams.

use crate::accounting::Machine;
use crate::isolation::Isolation;
use crate::load::{pattern, thread_cpu};
use crate::server::pin;
use socket::{ControlBuffer, Family, Flags, Outgoing, Protocol, RecvBatch, SockAddr, Socket, Type};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

/// How datagrams are sent and received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A system call each, by our sockets.
    OneByOne,
    /// The same by the standard library's.
    Std,
    /// `sendmmsg` and `recvmmsg`.
    Batches,
    /// Segmented by the kernel on sending, coalesced on receiving (GSO, GRO).
    Segments,
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) sender_cpu: Duration,
    pub(crate) receiver_cpu: Duration,
    pub(crate) elapsed: Duration,
    /// The machine as it was when the measured phase began.
    pub(crate) before: Machine,
}

/// Sends for `warm_up` and then, measured, for `duration`.
///
/// # Errors
///
/// `InvalidData` when a datagram differs from what was sent or comes out of order.
pub(crate) fn run(
    way: Way,
    warm_up: Duration,
    duration: Duration,
    isolation: &Isolation,
) -> io::Result<Done> {
    let receiver = bound()?;
    let room = grow_buffer(&receiver)?;
    let to = receiver.getsockname()?;
    if way == Way::Segments {
        receiver.set_udp_gro(true)?;
    }
    let (credit, granted) = UnixStream::pair()?;
    credit.set_read_timeout(Some(STALL))?;
    let unit = (room / TRUE_BYTES / WINDOW / BATCH).clamp(1, UNIT_BATCHES);
    thread::scope(|scope| {
        let (receiving, cpu) = (&receiver, isolation.server_cpu);
        let receiver_thread = scope.spawn(move || -> io::Result<Received> {
            cpu.map_or(Ok(()), pin)?;
            Receiver::new(granted, unit * BATCH).run(way, receiving)
        });
        let sent = Sender::new(way, to, credit, unit)
            .and_then(|mut sender| sender.phases(warm_up, duration));
        // Wakes a receiver that was left alone, with nothing received. That an unconnected socket
        // answers ENOTCONN changes nothing.
        drop(receiving.shutdown(Shutdown::Both));
        let received = receiver_thread.join().expect("the receiver does not panic");
        // No more credit: the receiver failed first, and knows why.
        let (sent, received) = match (sent, received) {
            (Err(end), Err(why)) if end.kind() == ErrorKind::UnexpectedEof => return Err(why),
            (sent, received) => (sent?, received?),
        };
        Ok(Done {
            sent: sent.count,
            received: received.count,
            sender_cpu: sent.cpu,
            receiver_cpu: received.cpu,
            elapsed: sent.elapsed,
            before: sent.before,
        })
    })
}

fn bound() -> io::Result<Socket> {
    let socket = Socket::new(Family::INET, Type::DGRAM, Protocol::default())?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    Ok(socket)
}

/// As large as it gets, beyond the host's limit where we may; answers the bytes it holds.
fn grow_buffer(socket: &Socket) -> io::Result<usize> {
    if socket.set_so_rcvbufforce(RECEIVE_BUFFER_BYTES).is_err() {
        socket.set_so_rcvbuf(RECEIVE_BUFFER_BYTES)?;
    }
    Ok(socket.so_rcvbuf()? as usize)
}

struct Sender {
    way: Way,
    socket: Socket,
    /// The same socket in the standard library's type.
    plain: UdpSocket,
    to: SockAddr,
    plain_to: SocketAddr,
    credit: UnixStream,
    /// A batch of datagrams, one after the other.
    datagrams: Vec<u8>,
    unit_batches: usize,
    sequence: u64,
    /// Units sent, and how many of them have been granted again.
    units: u64,
    granted: u64,
}

/// What the sender knows of the measured phase.
struct Sent {
    count: u64,
    cpu: Duration,
    elapsed: Duration,
    before: Machine,
}

impl Sender {
    fn new(way: Way, to: SockAddr, credit: UnixStream, unit_batches: usize) -> io::Result<Sender> {
        let socket = bound()?;
        let plain = UdpSocket::from(OwnedFd::from(socket.try_clone()?));
        let SockAddr::Inet(inet) = to else {
            return Err(io::Error::other("the receiver's address is not IPv4"));
        };
        let content = pattern(DATAGRAM_BYTES);
        Ok(Sender {
            way,
            socket,
            plain,
            plain_to: inet.into(),
            to,
            credit,
            datagrams: content.repeat(BATCH),
            unit_batches,
            sequence: 0,
            units: 0,
            granted: 0,
        })
    }

    fn phases(&mut self, warm_up: Duration, duration: Duration) -> io::Result<Sent> {
        self.phase(Phase::WarmUp, warm_up)?;
        let before = Machine::now()?;
        let (start, cpu, first) = (Instant::now(), thread_cpu(), self.sequence);
        self.phase(Phase::Measured, duration)?;
        let (elapsed, cpu) = (start.elapsed(), thread_cpu() - cpu);
        let count = self.sequence - first;
        self.end()?;
        Ok(Sent { count, cpu, elapsed, before })
    }

    /// Sends whole units for `duration`, and at least one; returns when all have arrived.
    fn phase(&mut self, phase: Phase, duration: Duration) -> io::Result<()> {
        let start = Instant::now();
        loop {
            self.wait_for(self.units.saturating_sub(WINDOW as u64 - 1))?;
            for _ in 0..self.unit_batches {
                self.number(phase);
                self.send_batch()?;
            }
            self.units += 1;
            if start.elapsed() >= duration {
                return self.wait_for(self.units);
            }
        }
    }

    /// Says that this was all until the receiver has heard it.
    fn end(&mut self) -> io::Result<()> {
        self.number(Phase::End);
        for _ in 0..ENDS {
            self.socket.send_to(&self.datagrams[..DATAGRAM_BYTES], &self.to)?;
            if self.hear()? == Some(ALL) {
                return Ok(());
            }
        }
        Err(io::Error::new(ErrorKind::TimedOut, "the receiver does not hear of the end"))
    }

    /// Waits until `unit` units have been granted again. A silence means that the end of one was
    /// lost, and all of it counts as gone.
    fn wait_for(&mut self, unit: u64) -> io::Result<()> {
        while self.granted < unit {
            self.granted = self.hear()?.unwrap_or(self.units).max(self.granted);
        }
        Ok(())
    }

    /// The receiver's next word; `None` after a silence.
    fn hear(&mut self) -> io::Result<Option<u64>> {
        let mut word = [0; 8];
        match self.credit.read_exact(&mut word) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            answer => answer.map(|()| Some(u64::from_ne_bytes(word))),
        }
    }

    /// Writes the next numbers into the batch.
    fn number(&mut self, phase: Phase) {
        for datagram in self.datagrams.chunks_exact_mut(DATAGRAM_BYTES) {
            datagram[..8].copy_from_slice(&self.sequence.to_ne_bytes());
            datagram[PHASE] = phase as u8;
            self.sequence += 1;
        }
    }

    fn send_batch(&self) -> io::Result<()> {
        let mut datagrams = self.datagrams.chunks_exact(DATAGRAM_BYTES);
        match self.way {
            Way::OneByOne => datagrams.try_for_each(|d| self.socket.send_to(d, &self.to).map(drop)),
            Way::Std => datagrams.try_for_each(|d| self.plain.send_to(d, self.plain_to).map(drop)),
            Way::Batches => {
                let slices: Vec<[IoSlice<'_>; 1]> = datagrams.map(|d| [IoSlice::new(d)]).collect();
                let message = |buffers| Outgoing { buffers, ancillary: &[], to: Some(&self.to) };
                let messages: Vec<_> = slices.iter().map(|slice| message(slice)).collect();
                let mut rest = &messages[..];
                while !rest.is_empty() {
                    rest = &rest[self.socket.send_mmsg(rest, Flags::NONE)?..];
                }
                Ok(())
            }
            Way::Segments => {
                self.socket.send_segments(&self.datagrams, DATAGRAM_BYTES as u16, Some(&self.to))
            }
        }
    }
}

struct Receiver {
    granted: UnixStream,
    unit: u64,
    content: Vec<u8>,
    next: u64,
    /// Units granted again.
    units: u64,
    /// CPU time at the beginning of the measured phase, and what was received in it.
    began: Option<Duration>,
    count: u64,
}

/// What the receiver knows of the measured phase.
struct Received {
    count: u64,
    cpu: Duration,
}

impl Receiver {
    fn new(granted: UnixStream, unit: usize) -> Receiver {
        let (next, units, began, count) = (0, 0, None, 0);
        let content = pattern(DATAGRAM_BYTES);
        Receiver { granted, unit: unit as u64, content, next, units, began, count }
    }

    /// Receives until the sender says that it was all.
    fn run(&mut self, way: Way, socket: &Socket) -> io::Result<Received> {
        let plain = UdpSocket::from(OwnedFd::from(socket.try_clone()?));
        let mut buffer = vec![0; LARGEST_BYTES];
        let mut batch = RecvBatch::new(BATCH, ROOM_BYTES, 0);
        let mut control = ControlBuffer::with_capacity(CONTROL_BYTES);
        loop {
            let mut end = None;
            match way {
                Way::OneByOne => {
                    let (count, _) = socket.recv_from(&mut buffer[..ROOM_BYTES])?;
                    end = self.take(&buffer[..count])?;
                }
                Way::Std => {
                    let (count, _) = plain.recv_from(&mut buffer[..ROOM_BYTES])?;
                    end = self.take(&buffer[..count])?;
                }
                Way::Batches => {
                    socket.recv_mmsg(&mut batch, Flags::NONE)?;
                    for message in batch.messages() {
                        end = self.take(message.bytes)?;
                    }
                }
                Way::Segments => {
                    let mut buffers = [IoSliceMut::new(&mut buffer)];
                    let answer = socket.recv_msg(&mut buffers, &mut control, Flags::NONE)?;
                    for datagram in control.segments(&buffer[..answer.count]) {
                        end = self.take(datagram)?;
                    }
                }
            }
            if let Some(received) = end {
                return Ok(received);
            }
        }
    }

    /// Checks and counts one datagram; an answer is the end.
    fn take(&mut self, datagram: &[u8]) -> io::Result<Option<Received>> {
        let wrong = |what| Err(io::Error::new(ErrorKind::InvalidData, what));
        if datagram.is_empty() {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the sender is gone"));
        }
        let (number, phase) = match (datagram.first_chunk(), datagram.len()) {
            (Some(number), DATAGRAM_BYTES) => (u64::from_ne_bytes(*number), datagram[PHASE]),
            _ => return wrong("a datagram has another length"),
        };
        if phase == Phase::End as u8 {
            self.granted.write_all(&ALL.to_ne_bytes())?;
            let began = self.began.unwrap_or_else(thread_cpu);
            return Ok(Some(Received { count: self.count, cpu: thread_cpu() - began }));
        }
        if number < self.next {
            return wrong("a datagram came twice or late");
        }
        if number.is_multiple_of(WHOLE_EVERY) && datagram[HEAD..] != self.content[HEAD..] {
            return wrong("a datagram differs from what was sent");
        }
        self.next = number + 1;
        if phase == Phase::Measured as u8 {
            if self.began.is_none() {
                self.began = Some(thread_cpu());
            }
            self.count += 1;
        }
        let units = self.next / self.unit;
        if units > self.units {
            self.units = units;
            self.granted.write_all(&units.to_ne_bytes())?;
        }
        Ok(None)
    }
}

/// What a datagram belongs to.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Phase {
    WarmUp,
    Measured,
    End,
}

/// Fits an Ethernet frame, as most datagrams that come in numbers do.
pub(crate) const DATAGRAM_BYTES: usize = 1200;
/// Datagrams per call where there are several: as many as one segmented call takes.
pub(crate) const BATCH: usize = 65_507 / DATAGRAM_BYTES;
/// Where the phase is, after the number.
const PHASE: usize = 8;
const HEAD: usize = 9;
/// One datagram in so many is compared as a whole.
const WHOLE_EVERY: u64 = 64;
/// A credit is for one unit; this many may be under way.
const WINDOW: usize = 2;
/// Batches in a unit, if the receive buffer has room for them: enough that credit costs nothing.
const UNIT_BATCHES: usize = 16;
/// What a datagram of 1200 bytes occupies of a receive buffer, rounded up (2304 on x86-64).
const TRUE_BYTES: usize = 2560;
const RECEIVE_BUFFER_BYTES: i32 = 4 << 20;
/// Room for one datagram, so large that one too long is seen.
const ROOM_BYTES: usize = 2048;
/// Room for the size of the segments, and some.
const CONTROL_BYTES: usize = 64;
const LARGEST_BYTES: usize = 64 * 1024;
/// A silence of the receiver that means loss.
const STALL: Duration = Duration::from_millis(200);
/// How often the end is said.
const ENDS: usize = 25;
/// The receiver's last word.
const ALL: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    const ANYWHERE: Isolation =
        Isolation { fresh_network: false, load_cpu: None, server_cpu: None };

    #[test]
    fn every_way_delivers_what_was_sent() {
        for way in [Way::OneByOne, Way::Std, Way::Batches, Way::Segments] {
            let short = Duration::from_millis(5);
            let done = run(way, short, short, &ANYWHERE).unwrap();
            assert!(done.sent >= BATCH as u64 && done.received <= done.sent, "{way:?} {done:?}");
            assert!(done.received * 2 > done.sent, "{way:?} {done:?}");
            assert!(!done.receiver_cpu.is_zero(), "{way:?} {done:?}");
        }
    }

    #[test]
    fn a_receiver_that_was_left_alone_is_woken() {
        for way in [Way::OneByOne, Way::Std, Way::Batches, Way::Segments] {
            let socket = bound().unwrap();
            thread::scope(|scope| {
                let (granted, _other) = UnixStream::pair().unwrap();
                let socket = &socket;
                let receiving = scope.spawn(move || Receiver::new(granted, 1).run(way, socket));
                drop(socket.shutdown(Shutdown::Both));
                assert!(receiving.join().unwrap().is_err(), "{way:?}");
            });
        }
    }

    fn receiver() -> (Receiver, UnixStream) {
        let (granted, other) = UnixStream::pair().unwrap();
        (Receiver::new(granted, 2), other)
    }

    fn datagram(number: u64, phase: Phase) -> Vec<u8> {
        let mut datagram = pattern(DATAGRAM_BYTES);
        datagram[..8].copy_from_slice(&number.to_ne_bytes());
        datagram[PHASE] = phase as u8;
        datagram
    }

    #[test]
    fn a_gap_is_loss_and_credit_goes_on_behind_it() {
        let (mut receiver, mut other) = receiver();
        for number in [0, 1, 4] {
            receiver.take(&datagram(number, Phase::Measured)).unwrap();
        }
        let end = receiver.take(&datagram(6, Phase::End)).unwrap().unwrap();
        assert_eq!(end.count, 3);
        drop(receiver);
        let mut words = Vec::new();
        other.read_to_end(&mut words).unwrap();
        assert_eq!(words, [1, 2, ALL].map(u64::to_ne_bytes).concat());
    }

    #[test]
    fn what_is_wrong_with_a_datagram_is_said() {
        let says = |datagrams: &[&[u8]]| {
            let (mut receiver, _other) = receiver();
            let mut answers = datagrams.iter().map(|datagram| receiver.take(datagram));
            answers.find_map(|answer| answer.err()).unwrap().to_string()
        };
        let (first, second) = (datagram(0, Phase::WarmUp), datagram(1, Phase::WarmUp));
        let mut spoilt = first.clone();
        spoilt[DATAGRAM_BYTES - 1] ^= 1;
        assert!(says(&[&[]]).contains("gone"));
        assert!(says(&[&first[1..]]).contains("length"));
        assert!(says(&[&second, &first]).contains("late"));
        assert!(says(&[&first, &first]).contains("twice"));
        assert!(says(&[&spoilt]).contains("differs"));
    }
}
