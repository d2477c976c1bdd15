//! The client in a pipe: bytes in, bytes out, and nothing else.
//!
//! Whatever stdin has goes to the peer, whatever the peer sends goes to stdout, in the pieces in
//! which it comes. On a datagram socket each piece read from stdin is one datagram. Bytes are only
//! changed where a terminal is to show them, so that a peer cannot control it.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use switchboard::{Deadline, plain};

use crate::connect::Connected;
use crate::exit::{Exit, Failure, Result};
use crate::screen::Screen;

/// What is moved at once: the size of a pipe.
const PIECE_BYTES: usize = 64 * 1024;

/// The most that fits into one datagram over IPv4. RFC 768.
const DATAGRAM_BYTES: usize = 65_507;

/// How the peer's bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// As they are.
    Raw,
    /// With everything made visible that could control a terminal.
    Seen,
}

/// Talks until the peer has finished.
pub(crate) fn run(connected: Connected, bytes: Bytes) -> Result {
    let connected = Arc::new(connected);
    let failure = Arc::new(Mutex::new(None));
    let sender = {
        let (connected, failure) = (Arc::clone(&connected), Arc::clone(&failure));
        move || {
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = send(&connected).err();
            connected.finish_sending();
        }
    };
    // Never joined: it may wait for input that no longer matters.
    std::thread::Builder::new()
        .name("send".into())
        .spawn(sender)
        .map_err(|error| connected.failed("start a thread for", &error))?;
    receive(&connected, bytes)?;
    failure.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
}

/// Sends all of stdin. That the peer has gone is left to the receiving side, which sees what it
/// said before it went.
fn send(connected: &Connected) -> Result {
    let mut stdin = io::stdin().lock();
    let mut room = vec![0; if connected.datagram { DATAGRAM_BYTES } else { PIECE_BYTES }];
    loop {
        let count = match stdin.read(&mut room) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                let why = format!("read the input: {}", plain(&error));
                return Err(Failure::new(Exit::No, why));
            }
        };
        match connected.socket.send_all(&room[..count]) {
            Ok(()) => {}
            Err(error) if is_gone(&error) && connected.datagram => {}
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(connected.failed("send to", &error)),
        }
    }
}

/// Whether the error is the peer's. For a datagram it is the answer to an earlier one, and the next
/// may be luckier.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

fn receive(connected: &Connected, how: Bytes) -> Result {
    let output = io::stdout().as_fd().try_clone_to_owned();
    let mut output = File::from(output.map_err(|error| Failure::output(&error))?);
    let mut screen = (how == Bytes::Seen).then(Screen::default);
    let mut room = vec![0; PIECE_BYTES];
    while let Some(bytes) = connected.receive(&mut room, Deadline::Never)? {
        let written = match &mut screen {
            Some(screen) => output.write_all(screen.show(bytes).as_bytes()),
            None => output.write_all(bytes),
        };
        written.map_err(|error| Failure::output(&error))?;
    }
    let rest = screen.map(|mut screen| screen.end()).unwrap_or_default();
    output.write_all(rest.as_bytes()).map_err(|error| Failure::output(&error))
}
