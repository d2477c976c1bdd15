//! Events as bytes, for the way from a forked process to the one it came from.
//!
//! ```text
//!   record   kind: one byte │ what it has, in the order of `Reported`
//!   integer  eight bytes, as they lie in memory: both ends are one program
//!   text     length │ bytes, cut at 4 KiB
//!   option   0, or 1 │ value
//! ```
//! What it deliberately does not do: versions. A child is a copy of its parent.

use std::io::{self, ErrorKind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use socket::process::{Exit, hold_forks};
use socket::{Address, SockAddr};

use crate::error::Error;
use crate::event::{CloseReason, Direction, Event, Refusal, Summary};

/// Room for any record: two texts, an address and a few integers.
pub(crate) const RECORD_BYTES: usize = 16 * 1024;
/// The most of any text that is sent: longer than what a panic or an error has to say.
pub(crate) const TEXT_BYTES: usize = 4096;

/// An event as its parent reads it.
#[derive(Debug)]
pub(crate) enum Reported {
    Opened(Summary),
    Message { id: u64, direction: Direction, bytes: usize },
    Panicked { id: u64, message: String },
    Closed { id: u64, elapsed: Duration, received: u64, sent: u64, reason: CloseReason },
    Refused(Summary, Refusal),
    AcceptFailed { address: Address, error: io::Error, pause: Option<Duration> },
    Stalled { handler: String, elapsed: Duration, backtrace: Option<String> },
    FellBack(String),
    RingShort(String),
    Described { piece: Vec<u8>, last: bool },
    Reloaded(io::Error),
    Failed(String),
    Ready,
}

const OPENED: u8 = 1;
const MESSAGE: u8 = 2;
const PANICKED: u8 = 3;
const CLOSED: u8 = 4;
const REFUSED: u8 = 5;
const ACCEPT_FAILED: u8 = 6;
const STALLED: u8 = 7;
const FAILED: u8 = 8;
const RELOADED: u8 = 9;
const FELL_BACK: u8 = 10;
pub(crate) const DESCRIBED: u8 = 11;
const RING_SHORT: u8 = 12;
const READY: u8 = 13;

/// The record of an event; `None` for one that is not reported.
pub(crate) fn record(event: &Event<'_>) -> Option<Vec<u8>> {
    let record = match event {
        Event::Opened { connection } => Record::new(OPENED).summary(connection),
        Event::Message { connection, direction, bytes } => Record::new(MESSAGE)
            .integer(connection.id)
            .integer((*direction == Direction::Out).into())
            .integer(*bytes as u64),
        Event::Panicked { connection, message } => {
            Record::new(PANICKED).integer(connection.id).text(message.as_bytes())
        }
        Event::Closed { connection, elapsed, received, sent, reason } => Record::new(CLOSED)
            .integer(connection.id)
            .duration(*elapsed)
            .integer(*received)
            .integer(*sent)
            .reason(reason),
        Event::Refused { connection, why } => {
            let why = REFUSALS.iter().position(|one| one == why)?;
            Record::new(REFUSED).summary(connection).integer(why as u64)
        }
        Event::AcceptFailed { address, error, pause } => Record::new(ACCEPT_FAILED)
            .text(address.to_string().as_bytes())
            .error(error)
            .option(*pause, Record::duration),
        Event::Stalled { handler, elapsed, backtrace } => Record::new(STALLED)
            .text(handler.as_bytes())
            .duration(*elapsed)
            .option(*backtrace, |record, text| record.text(text.as_bytes())),
        Event::WorkerFellBack { why } => Record::new(FELL_BACK).text(why.as_bytes()),
        Event::RingShort { why } => Record::new(RING_SHORT).text(why.as_bytes()),
        Event::Reloaded { error: Some(error) } => Record::new(RELOADED).error(error),
        // The supervisor's own hook has run too, and that is told.
        Event::Reloaded { error: None } => return None,
        // Longer than a record: `description_record.rs`.
        Event::Described { .. } => return None,
        // What only the parent can know.
        Event::Listening { .. }
        | Event::NotifyFailed { .. }
        | Event::WorkerStarted { .. }
        | Event::WorkerDied { .. }
        | Event::WorkerNotStarted { .. }
        | Event::DrainBegan { .. }
        | Event::DrainEnded { .. } => return None,
    };
    Some(record.0)
}

/// The record of a worker that begins to serve.
pub(crate) fn ready() -> Vec<u8> {
    Record::new(READY).0
}

/// The record of why serving ended.
pub(crate) fn failed(error: &Error) -> Vec<u8> {
    Record::new(FAILED).text(error.to_string().as_bytes()).0
}

impl Reported {
    /// What a record says; `None` if it is none.
    pub(crate) fn read(record: &[u8]) -> Option<Reported> {
        let (kind, rest) = record.split_first()?;
        let from = &mut Reader(rest);
        Some(match *kind {
            OPENED => Reported::Opened(from.summary()?),
            MESSAGE => Reported::Message {
                id: from.integer()?,
                direction: if from.integer()? == 0 { Direction::In } else { Direction::Out },
                bytes: from.size()?,
            },
            PANICKED => Reported::Panicked { id: from.integer()?, message: from.text()? },
            CLOSED => Reported::Closed {
                id: from.integer()?,
                elapsed: from.duration()?,
                received: from.integer()?,
                sent: from.integer()?,
                reason: from.reason()?,
            },
            REFUSED => Reported::Refused(from.summary()?, *REFUSALS.get(from.size()?)?),
            ACCEPT_FAILED => Reported::AcceptFailed {
                address: from.text()?.parse().ok()?,
                error: from.error()?,
                pause: from.option(Reader::duration)?,
            },
            STALLED => Reported::Stalled {
                handler: from.text()?,
                elapsed: from.duration()?,
                backtrace: from.option(Reader::text)?,
            },
            FELL_BACK => Reported::FellBack(from.text()?),
            RING_SHORT => Reported::RingShort(from.text()?),
            DESCRIBED => {
                Reported::Described { last: from.integer()? != 0, piece: from.bytes()?.to_vec() }
            }
            RELOADED => Reported::Reloaded(from.error()?),
            FAILED => Reported::Failed(from.text()?),
            READY => Reported::Ready,
            _ => return None,
        })
    }
}

/// What is sent as a number because it has no other content: its place in the list.
const REFUSALS: [Refusal; 4] =
    [Refusal::LimitPerAddress, Refusal::VerifyRequest, Refusal::Shortage, Refusal::OwnAddress];
/// What a handler's errors are, as far as anybody asks; the others become the last one.
const KINDS: [ErrorKind; 19] = [
    ErrorKind::NotFound,
    ErrorKind::PermissionDenied,
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
    ErrorKind::NotConnected,
    ErrorKind::AddrInUse,
    ErrorKind::AddrNotAvailable,
    ErrorKind::BrokenPipe,
    ErrorKind::AlreadyExists,
    ErrorKind::InvalidInput,
    ErrorKind::InvalidData,
    ErrorKind::TimedOut,
    ErrorKind::WriteZero,
    ErrorKind::UnexpectedEof,
    ErrorKind::OutOfMemory,
    ErrorKind::StorageFull,
    ErrorKind::Unsupported,
    ErrorKind::Other,
];

const FINISHED: u64 = 0;
const PEER_CLOSED: u64 = 1;
const PEER_RESET: u64 = 2;
const TIMED_OUT: u64 = 3;
const DRAINED: u64 = 4;
const CUT_OFF: u64 = 5;
const HANDLER_PANICKED: u64 = 6;
const CRASHED: u64 = 7;
const HANDLER_FAILED: u64 = 8;
const OVER_LIMIT: u64 = 9;

/// A record being written.
#[derive(Default)]
pub(crate) struct Record(pub(crate) Vec<u8>);

impl Record {
    pub(crate) fn new(kind: u8) -> Record {
        Record(vec![kind])
    }

    pub(crate) fn integer(mut self, value: u64) -> Record {
        self.0.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub(crate) fn text(self, text: &[u8]) -> Record {
        let text = &text[..text.len().min(TEXT_BYTES)];
        let mut record = self.integer(text.len() as u64);
        record.0.extend_from_slice(text);
        record
    }

    pub(crate) fn duration(self, value: Duration) -> Record {
        self.integer(value.as_secs()).integer(value.subsec_nanos().into())
    }

    pub(crate) fn option<T>(self, value: Option<T>, write: impl Fn(Record, T) -> Record) -> Record {
        match value {
            None => self.integer(0),
            Some(value) => write(self.integer(1), value),
        }
    }

    fn summary(self, summary: &Summary) -> Record {
        // One that the kernel gave can be given back; of another, nothing can be said.
        let peer = summary.peer.to_bytes().unwrap_or_default();
        self.integer(summary.id)
            .integer(summary.listener as u64)
            .text(summary.service.as_bytes())
            .text(&peer)
            .integer(summary.datagram.into())
    }

    fn error(self, error: &io::Error) -> Record {
        let kind = KINDS.iter().position(|kind| *kind == error.kind()).unwrap_or(KINDS.len() - 1);
        self.option(error.raw_os_error(), |record, code| record.integer(code as u64))
            .integer(kind as u64)
            .text(error.to_string().as_bytes())
    }

    fn reason(self, reason: &CloseReason) -> Record {
        match reason {
            CloseReason::Finished => self.integer(FINISHED),
            CloseReason::PeerClosed => self.integer(PEER_CLOSED),
            CloseReason::PeerReset => self.integer(PEER_RESET),
            CloseReason::TimedOut(guard) => self.integer(TIMED_OUT).text(guard.as_bytes()),
            CloseReason::OverLimit(limit) => self.integer(OVER_LIMIT).text(limit.as_bytes()),
            CloseReason::Drained => self.integer(DRAINED),
            CloseReason::CutOff => self.integer(CUT_OFF),
            CloseReason::Panicked => self.integer(HANDLER_PANICKED),
            CloseReason::Crashed(exit) => {
                let (kind, value) = match exit {
                    Exit::Code(code) => (0, *code),
                    Exit::Signal(signal) => (1, *signal),
                    Exit::Unknown => (2, 0),
                };
                self.integer(CRASHED).integer(kind).integer(value as u64)
            }
            CloseReason::Failed(error) => self.integer(HANDLER_FAILED).error(error),
        }
    }
}

/// The names of guards that were ever read, of which a program has a few, written in its text. They
/// are kept for good; more than a program can sensibly have are all called the same.
fn kept(name: &str) -> &'static str {
    const MOST: usize = 256;
    static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    // A forked child finds it open.
    let _forks = hold_forks();
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.iter().find(|known| **known == name) {
        return known;
    }
    if names.len() == MOST {
        return "another guard";
    }
    let name = Box::leak(Box::<str>::from(name));
    names.push(name);
    name
}

/// A record being read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn integer(&mut self) -> Option<u64> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_ne_bytes(*value))
    }

    pub(crate) fn size(&mut self) -> Option<usize> {
        self.integer()?.try_into().ok()
    }

    /// A number that was negative, perhaps, before it was widened.
    fn signed(&mut self) -> Option<i32> {
        i32::try_from(self.integer()?.cast_signed()).ok()
    }

    pub(crate) fn bytes(&mut self) -> Option<&[u8]> {
        let length = self.size()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        // A cut may have gone through a letter.
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The name of a guard.
    fn name(&mut self) -> Option<&'static str> {
        self.text().map(|name| kept(&name))
    }

    pub(crate) fn duration(&mut self) -> Option<Duration> {
        let (seconds, nanos) = (self.integer()?, self.integer()?);
        Some(Duration::new(seconds, nanos.try_into().ok()?))
    }

    pub(crate) fn option<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.integer()? == 0 { Some(None) } else { read(self).map(Some) }
    }

    fn summary(&mut self) -> Option<Summary> {
        Some(Summary {
            id: self.integer()?,
            listener: self.size()?,
            service: self.text()?.into(),
            peer: SockAddr::from_bytes(self.bytes()?),
            datagram: self.integer()? != 0,
        })
    }

    fn error(&mut self) -> Option<io::Error> {
        let code = self.option(Reader::signed)?;
        let (kind, text) = (self.size()?, self.text()?);
        Some(match code {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(*KINDS.get(kind)?, text),
        })
    }

    fn reason(&mut self) -> Option<CloseReason> {
        Some(match self.integer()? {
            FINISHED => CloseReason::Finished,
            PEER_CLOSED => CloseReason::PeerClosed,
            PEER_RESET => CloseReason::PeerReset,
            TIMED_OUT => CloseReason::TimedOut(self.name()?),
            OVER_LIMIT => CloseReason::OverLimit(self.name()?),
            DRAINED => CloseReason::Drained,
            CUT_OFF => CloseReason::CutOff,
            HANDLER_PANICKED => CloseReason::Panicked,
            CRASHED => CloseReason::Crashed(match (self.integer()?, self.signed()?) {
                (0, code) => Exit::Code(code),
                (1, signal) => Exit::Signal(signal),
                _ => Exit::Unknown,
            }),
            HANDLER_FAILED => CloseReason::Failed(self.error()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record, read back and shown.
    fn there_and_back(event: &Event<'_>) -> String {
        let record = record(event).expect("it is reported");
        assert!(record.len() <= RECORD_BYTES);
        format!("{:?}", Reported::read(&record).expect("what was written can be read"))
    }

    fn summary() -> Summary {
        let peer = "[::1]:9".parse::<std::net::SocketAddr>().unwrap().into();
        Summary {
            id: u64::MAX,
            listener: 3,
            service: "long".repeat(3000).into(),
            peer,
            datagram: true,
        }
    }

    #[test]
    fn every_reason_reads_back() {
        let reasons = [
            CloseReason::Finished,
            CloseReason::PeerClosed,
            CloseReason::PeerReset,
            CloseReason::Drained,
            CloseReason::CutOff,
            CloseReason::Panicked,
            CloseReason::Crashed(Exit::Code(-1)),
            CloseReason::Crashed(Exit::Signal(9)),
            CloseReason::Crashed(Exit::Unknown),
            CloseReason::Failed(io::Error::from_raw_os_error(2)),
            CloseReason::Failed(io::Error::new(ErrorKind::InvalidData, "no such thing")),
            CloseReason::TimedOut("idle"),
            CloseReason::TimedOut("write"),
            CloseReason::OverLimit("line"),
        ];
        for reason in reasons {
            let (connection, elapsed) = (&summary(), Duration::from_nanos(1_234_567_890));
            let event =
                Event::Closed { connection, elapsed, received: 7, sent: 8, reason: &reason };
            let same = format!(
                "Closed {{ id: {}, elapsed: 1.23456789s, received: 7, sent: 8, \
                 reason: {reason:?} }}",
                u64::MAX
            );
            assert_eq!(there_and_back(&event), same);
        }
    }

    #[test]
    fn every_event_reads_back() {
        let connection = &summary();
        let cut = Summary { service: "long".repeat(1024).into(), ..summary() };
        let opened = there_and_back(&Event::Opened { connection });
        assert_eq!(opened, format!("Opened({cut:?})"), "texts are cut, the rest is whole");
        for why in REFUSALS {
            let refused = there_and_back(&Event::Refused { connection, why });
            assert_eq!(refused, format!("Refused({cut:?}, {why:?})"));
        }
        let panicked = there_and_back(&Event::Panicked { connection, message: "oh" });
        assert!(panicked.ends_with("message: \"oh\" }"), "{panicked}");
        let message = Event::Message { connection, direction: Direction::Out, bytes: 5 };
        assert!(there_and_back(&message).ends_with("direction: Out, bytes: 5 }"));
        let fell_back = Event::WorkerFellBack { why: "denied" };
        assert_eq!(there_and_back(&fell_back), "FellBack(\"denied\")");
        let short = Event::RingShort { why: "of room" };
        assert_eq!(there_and_back(&short), "RingShort(\"of room\")");
        let elapsed = Duration::from_secs(2);
        let stalled = Event::Stalled { handler: "echo #1", elapsed, backtrace: Some("here") };
        let same = "Stalled { handler: \"echo #1\", elapsed: 2s, backtrace: Some(\"here\") }";
        assert_eq!(there_and_back(&stalled), same);
        let (address, error) = (&"tcp://127.0.0.1:7".parse().unwrap(), &io::Error::other("no"));
        let pause = Some(Duration::from_millis(3));
        let accept = there_and_back(&Event::AcceptFailed { address, error, pause });
        assert!(accept.ends_with("pause: Some(3ms) }"), "{accept}");
    }

    #[test]
    fn what_is_no_record_is_none() {
        let record = record(&Event::Opened { connection: &summary() }).unwrap();
        for length in 0..record.len() {
            assert!(Reported::read(&record[..length]).is_none(), "{length}");
        }
        assert!(Reported::read(&[99; 40]).is_none());
    }
}
