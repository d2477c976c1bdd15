//! What a forked process tells the one it came from: each event as one record.
//!
//! A process that serves for another has no subscriber, no log and no counters of its own: those
//! are the parent's alone, and exact. It sends what happens over a pair of sockets that keeps
//! records whole (`SOCK_SEQPACKET`), so many threads may report and nobody reads half an event.
//!
//! ```text
//!   child                                parent
//!   Event ─► record ─► Reporter ──────►  Reports ─► Reported ─► Event
//!                      waits while the              knows what the child has open, and so what
//!                      parent is behind             is lost when it dies
//! ```
//! What cannot be sent because the parent is gone is dropped: nobody is left to hear it. How an
//! event becomes bytes stands in `record.rs`.
//!
//! What it deliberately does not do: carry anything from the parent to the child, or what only the
//! parent can know (that it listens, that it drains, that a child died).

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use socket::seam::Watch;
use socket::{Deadline, Family, Interest, Socket, Type};

use crate::description_record::{Pieces, records};
use crate::error::Error;
use crate::event::{CloseReason, Event, Summary};
use crate::record::{RECORD_BYTES, Reported, failed, ready, record};
use crate::teller::Teller;

/// Makes the two ends of a channel.
pub(crate) fn channel() -> io::Result<(Reporter, Reports)> {
    let (child, parent) = Socket::pair(Family::UNIX, Type::SEQPACKET, Default::default())?;
    let reports = Reports {
        socket: Some(parent),
        open: HashMap::new(),
        pieces: Pieces::default(),
        has_opened: false,
        cut: 0,
        failure: None,
    };
    Ok((Reporter { socket: child }, reports))
}

/// The child's end.
pub(crate) struct Reporter {
    socket: Socket,
}

impl Reporter {
    /// Tells the parent. Waits while it is behind, so that nothing is lost.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Described { description } => {
                records(description).for_each(|record| self.send(&record));
            }
            event => record(event).iter().for_each(|record| self.send(record)),
        }
    }

    /// Tells the parent that it begins to serve.
    pub(crate) fn ready(&self) {
        self.send(&ready());
    }

    /// Tells the parent why serving ended.
    pub(crate) fn failed(&self, error: &Error) {
        self.send(&failed(error));
    }

    fn send(&self, record: &[u8]) {
        // Only a parent that is gone refuses it.
        let _ = self.socket.send_all_by(record, Deadline::Never);
    }
}

/// Readable when the parent has ended.
impl AsFd for Reporter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The parent's end, with what the child has open.
pub(crate) struct Reports {
    /// `None` when there will be no more.
    socket: Option<Socket>,
    open: HashMap<u64, (Summary, Instant)>,
    pieces: Pieces,
    has_opened: bool,
    /// How many connections were cut off.
    cut: usize,
    /// Why the child stopped serving, if it said so.
    pub(crate) failure: Option<String>,
}

impl Reports {
    /// It, as one of several that are waited for; `None` when there will be no more.
    pub(crate) fn watch(&self) -> Option<Watch<'_>> {
        self.socket.as_ref().map(|socket| socket.watch(Interest::READ))
    }

    /// The next thing that has been reported; `None` if there is none now.
    pub(crate) fn next(&mut self) -> Option<Reported> {
        let mut room = [0; RECORD_BYTES];
        while let Some(socket) = &self.socket {
            match socket.recv_by(&mut room, Deadline::Immediate) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Ok(0) | Err(_) => self.close(),
                Ok(count) => match Reported::read(&room[..count]) {
                    // Both ends are one program, so this is a child that has gone mad.
                    None => {}
                    reported => return reported,
                },
            }
        }
        None
    }

    /// Gives back its descriptor: nothing more is wanted.
    pub(crate) fn close(&mut self) {
        self.socket = None;
    }

    /// Tells what was reported.
    pub(crate) fn tell(&mut self, teller: &Teller, reported: Reported) {
        match reported {
            Reported::Opened(summary) => {
                teller.tell(&Event::Opened { connection: &summary });
                self.has_opened = true;
                self.open.insert(summary.id, (summary, Instant::now()));
            }
            Reported::Message { id, direction, bytes } => {
                if let Some((connection, _)) = self.open.get(&id) {
                    teller.tell(&Event::Message { connection, direction, bytes });
                }
            }
            Reported::Panicked { id, message } => {
                if let Some((connection, _)) = self.open.get(&id) {
                    teller.tell(&Event::Panicked { connection, message: &message });
                }
            }
            Reported::Closed { id, elapsed, received, sent, reason } => {
                if let Some((connection, _)) = &self.open.remove(&id) {
                    let reason = &reason;
                    self.cut += usize::from(matches!(reason, CloseReason::CutOff));
                    teller.tell(&Event::Closed { connection, elapsed, received, sent, reason });
                }
            }
            Reported::Refused(connection, why) => {
                teller.tell(&Event::Refused { connection: &connection, why });
            }
            Reported::AcceptFailed { address, error, pause } => {
                let (address, error) = (&address, &error);
                teller.tell(&Event::AcceptFailed { address, error, pause });
            }
            Reported::Described { piece, last } => {
                if let Some(description) = &self.pieces.add(&piece, last) {
                    teller.tell(&Event::Described { description });
                }
            }
            Reported::FellBack(why) => teller.tell(&Event::WorkerFellBack { why: &why }),
            Reported::RingShort(why) => teller.tell(&Event::RingShort { why: &why }),
            Reported::Stalled { handler, elapsed, backtrace } => {
                let (handler, backtrace) = (&handler, backtrace.as_deref());
                teller.tell(&Event::Stalled { handler, elapsed, backtrace });
            }
            Reported::Reloaded(error) => teller.tell(&Event::Reloaded { error: Some(&error) }),
            Reported::Failed(why) => self.failure = Some(why),
            // That of the first workers is waited for; who takes the seat of one has no other.
            Reported::Ready => {}
        }
    }

    /// Whether the child has told of any connection.
    pub(crate) fn has_opened(&self) -> bool {
        self.has_opened
    }

    /// How many of its connections were told to have been cut off.
    pub(crate) fn cut(&self) -> usize {
        self.cut
    }

    /// Tells that what the child still had open ended with it.
    pub(crate) fn tell_lost(&mut self, teller: &Teller, reason: &CloseReason) {
        let cut = matches!(reason, CloseReason::CutOff);
        self.cut += if cut { self.open.len() } else { 0 };
        for (_, (summary, since)) in self.open.drain() {
            teller.tell(&Event::Closed {
                connection: &summary,
                elapsed: since.elapsed(),
                received: 0,
                sent: 0,
                reason,
            });
        }
    }
}
