//! `connect ADDR`: talk to anything that has a socket.
//!
//! ```text
//!   stdin and stdout are terminals ──► prompt.rs   lines, edited; answers above the prompt
//!   otherwise ───────────────────────► pipe.rs     bytes, as they are
//! ```
//! Both use the same connection from two threads, one sending and one receiving. The end of the
//! input closes the sending half; the end of what the peer sends ends the program. A datagram peer
//! cannot say that it has finished: there, a wait for answers ends it.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use clap::ArgMatches;
use switchboard::socket::{Endpoint, Family, Host, Place, SockAddr, Type, UnixAddr, seam};
use switchboard::{Address, Deadline, Socket, plain};

use crate::exit::{Exit, Failure, Result};
use crate::options::Global;
use crate::output::note;
use crate::pipe::{self, Bytes};
use crate::prompt;

/// How long a connect may take. Three lost packets of the handshake are made good within it.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// As in the tutorials' client, so that a transcript of theirs is one of ours.
const PROMPT: &str = ">>: ";

/// How long a datagram peer may take to answer, once there is nothing more to send.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

pub(crate) fn run(matches: &ArgMatches, global: &Global) -> Result {
    let connected = Connected::open(place("connect", matches, global)?, global)?;
    if global.verbose {
        note(&format!("switchboard: connected to {connected}"));
    }
    match (io::stdin().is_terminal(), io::stdout().is_terminal()) {
        (true, true) => prompt::run(connected, PROMPT, global),
        (false, true) => pipe::run(connected, Bytes::Seen),
        (_, false) => pipe::run(connected, Bytes::Raw),
    }
}

/// The address that `command` was given to connect to.
pub(crate) fn place(command: &str, matches: &ArgMatches, global: &Global) -> Result<Address> {
    let address = global.address(matches)?.expect("the grammar demands an address");
    if matches!(address.place, Place::Stdio | Place::Descriptor(_) | Place::DescriptorName(_)) {
        let why = format!("{command} {address}: cannot connect there (try 127.0.0.1:7007)");
        return Err(Failure::new(Exit::Usage, why));
    }
    Ok(address)
}

/// A connection and what its two sides have to know.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) socket: Socket,
    pub(crate) datagram: bool,
    address: Address,
    timeout: Option<Duration>,
    given_up: AtomicBool,
}

impl fmt::Display for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // For a name, which of its addresses answered.
        match (&self.address.place, self.socket.getpeername()) {
            (Place::Inet(Host::Name(_), _), Ok(peer)) => write!(f, "{} ({peer})", self.address),
            _ => self.address.fmt(f),
        }
    }
}

impl Connected {
    /// Connects to the first place behind `address` that answers, all within one time limit.
    pub(crate) fn open(address: Address, global: &Global) -> Result<Connected> {
        let endpoints = global.resolve(&address)?;
        let deadline = Deadline::After(global.timeout.unwrap_or(CONNECT_WAIT)).fixed();
        let mut failure = None;
        for endpoint in &endpoints {
            match connect(endpoint, deadline) {
                Ok(socket) => {
                    let datagram = endpoint.kind == Type::DGRAM;
                    let (timeout, given_up) = (global.timeout, AtomicBool::new(false));
                    return Ok(Connected { socket, datagram, address, timeout, given_up });
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let error = failure.expect("a name that resolves has at least one address");
        Err(refused(&address, &error))
    }

    /// There is nothing more to send. Where the peer cannot be told, or where it was not to take
    /// for ever, this waits and then ends the receiving too.
    pub(crate) fn finish_sending(&self) {
        let wait = match self.datagram {
            true => Some(self.timeout.unwrap_or(ANSWER_WAIT)),
            false => {
                // A peer that is gone needs no telling.
                let _ = self.socket.shutdown(Shutdown::Write);
                self.timeout
            }
        };
        if let Some(wait) = wait {
            seam::sleep(Deadline::After(wait));
            self.given_up.store(true, SeqCst);
            let _ = self.socket.shutdown(Shutdown::Both);
        }
    }

    /// Receives once: `None` when no more will come.
    pub(crate) fn receive<'a>(&self, room: &'a mut [u8], by: Deadline) -> Result<Option<&'a [u8]>> {
        let received = self.socket.recv_by(room, by);
        if self.given_up.load(SeqCst) && !matches!(received, Ok(1..)) {
            return match self.datagram {
                true => Ok(None),
                false => Err(self.failed("receive from", &ErrorKind::TimedOut.into())),
            };
        }
        match received {
            Ok(0) if !self.datagram => Ok(None),
            Ok(count) => Ok(Some(&room[..count])),
            // Told to be ready, but a damaged datagram was all there was.
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(&[])),
            Err(error) => Err(self.failed("receive from", &error)),
        }
    }

    /// Why the conversation ends.
    pub(crate) fn failed(&self, what: &str, error: &io::Error) -> Failure {
        let exit = match error.kind() {
            // What an earlier datagram found: no receiver.
            ErrorKind::ConnectionRefused => Exit::Connect,
            kind => Exit::of(kind, Exit::Receive),
        };
        let (why, remedy) = (plain(error), remedy(error));
        Failure::new(exit, format!("{what} {}: {why}{remedy}", self.address))
    }
}

pub(crate) fn connect(endpoint: &Endpoint, deadline: Deadline) -> io::Result<Socket> {
    if endpoint.family != Family::UNIX || endpoint.kind != Type::DGRAM {
        return Socket::connected(endpoint, deadline);
    }
    // Nobody could answer a Unix datagram socket that has no name.
    let socket = Socket::new(endpoint.family, endpoint.kind, endpoint.protocol)?;
    socket.bind(&SockAddr::Unix(UnixAddr::Unnamed))?;
    socket.connect(&endpoint.address)?;
    Ok(socket)
}

/// What to do about it.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => " (nobody listens there; try switchboard serve)",
        ErrorKind::NotFound => " (no such socket; is its server running?)",
        ErrorKind::TimedOut => " (--timeout waits longer)",
        ErrorKind::ConnectionReset => " (the other side broke it off; its log may say why)",
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
            " (there is no way there; is the address right, and the network up?)"
        }
        _ => "",
    }
}

pub(crate) fn refused(address: &Address, error: &io::Error) -> Failure {
    let remedy = remedy(error);
    let exit = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::TimedOut => Exit::of(error.kind(), Exit::Connect),
        _ => Exit::Connect,
    };
    Failure::new(exit, format!("connect {address}: {}{remedy}", plain(error)))
}
