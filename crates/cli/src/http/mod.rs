//! HTTP/1.1 as a client speaks it: `get`, `send` and `bench --http` stand on this.
//!
//! | file | what is in it |
//! |---|---|
//! | `url.rs` | URLs, typed and in redirects |
//! | `head.rs` | the head of an answer, and what it says about the body |
//! | `body.rs` | the body, out of its length or its chunks |
//!
//! Here is the connection: a request goes out, heads and bodies come in, each wait with a limit. A
//! limit is for silence, not for the whole of it: a long body may take long, as long as it comes.
//!
//! What it deliberately does not do: TLS, HTTP/2, compressed bodies (none are asked for), cookies.

pub(crate) mod body;
pub(crate) mod head;
pub(crate) mod url;

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use switchboard::socket::{ConnectOptions, create_connection, errors};
use switchboard::{Deadline, Socket, plain};

use crate::connect;
use crate::exit::{Exit, Failure, Result};
use crate::options::Global;
use body::{Framing, Step};
use head::Head;
use url::Url;

/// How long a server may be silent. Longer than any page takes that a person waits for.
const SILENCE: Duration = Duration::from_secs(60);

/// How often whoever waits has a look around.
const LOOK: Duration = Duration::from_millis(250);

/// What is received at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What this program calls itself.
pub(crate) const AGENT: &str = concat!("switchboard/", env!("CARGO_PKG_VERSION"));

/// A connection to an HTTP server.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) socket: Socket,
    /// `get http://…`: what is being done, for messages.
    what: String,
    silence: Duration,
    buffer: Vec<u8>,
    /// How much of the front of the buffer has been used.
    used: usize,
    /// Whether anything has come at all.
    heard: bool,
}

impl Stream {
    /// Connects to where `url` is; `command` is whose messages begin with its name.
    pub(crate) fn open(command: &str, url: &Url, global: &Global) -> Result<Stream> {
        let address = url.address();
        let endpoints = global.resolve(&address)?;
        let timeout = Some(global.timeout.unwrap_or(connect::CONNECT_WAIT));
        let options = ConnectOptions { timeout, ..ConnectOptions::default() };
        let socket = create_connection(endpoints, &options).map_err(|error| {
            let error = io::Error::from(error);
            let cause = errors::errno(&error).map(io::Error::from_raw_os_error);
            connect::refused(&address, &cause.unwrap_or(error.kind().into()))
        })?;
        let what = format!("{command} {url}");
        let silence = global.timeout.unwrap_or(SILENCE);
        socket.set_timeout(None).expect("setting a limit does not fail on a socket");
        Ok(Stream { socket, what, silence, buffer: Vec::new(), used: 0, heard: false })
    }

    /// How long the server may be silent.
    pub(crate) fn silence(&self) -> Duration {
        self.silence
    }

    /// The failure of what is being done.
    pub(crate) fn fail(&self, exit: Exit, why: &str) -> Failure {
        Failure::new(exit, format!("{}: {why}", self.what))
    }

    /// The failure for an error of the socket.
    pub(crate) fn broken(&self, error: &io::Error) -> Failure {
        match error.kind() {
            ErrorKind::TimedOut => self.silent(),
            _ => {
                let why = format!("{}{}", plain(error), connect::remedy(error));
                self.fail(Exit::Receive, &why)
            }
        }
    }

    fn silent(&self) -> Failure {
        let wait = services::duration::show(self.silence);
        self.fail(Exit::TimedOut, &format!("no answer for {wait} (--timeout waits longer)"))
    }

    /// Sends all of it.
    pub(crate) fn send(&self, bytes: &[u8]) -> Result {
        let sent = self.socket.send_all_by(bytes, Deadline::After(self.silence));
        sent.map_err(|error| self.broken(&error))
    }

    /// Waits for the head of the final answer; those before it (100, 103) are passed over.
    pub(crate) fn head(&mut self) -> Result<Head> {
        loop {
            match self.head_come()? {
                Some(head) if head.status >= 200 || head.status == 101 => return Ok(head),
                Some(_) => {}
                None => match self.receive(&mut || {})? {
                    true => {}
                    // Heads that are not final may have come.
                    false if self.heard && self.buffer.len() == self.used => {
                        let why = "closed before the answer (the server may have ended: try again)";
                        return Err(self.fail(Exit::Receive, why));
                    }
                    false if self.heard => {
                        return Err(self.fail(Exit::Receive, "closed in the middle of the head"));
                    }
                    false => {
                        let why = "closed without an answer (does it speak HTTP?)";
                        return Err(self.fail(Exit::Empty, why));
                    }
                },
            }
        }
    }

    /// The next head, if it has come.
    pub(crate) fn head_come(&mut self) -> Result<Option<Head>> {
        match Head::read(&self.buffer[self.used..]) {
            Ok(Some((head, length))) => {
                self.used += length;
                Ok(Some(head))
            }
            Ok(None) => Ok(None),
            Err(why) => Err(self.fail(Exit::Receive, &why)),
        }
    }

    /// Gives the body to `take`, piece by piece, and calls `look` now and then while none comes.
    pub(crate) fn body(
        &mut self,
        framing: &mut Framing,
        mut take: impl FnMut(&[u8]) -> Result,
        mut look: impl FnMut(),
    ) -> Result {
        loop {
            let mut input = &self.buffer[self.used..];
            let step = framing.step(&mut input).map_err(|why| self.fail(Exit::Receive, &why))?;
            self.used = self.buffer.len() - input.len();
            match step {
                Step::Bytes(bytes) => take(bytes)?,
                Step::End => return Ok(()),
                Step::More => {
                    if !self.receive(&mut look)? {
                        return self.closed(framing);
                    }
                }
            }
        }
    }

    /// Whether it was right that the peer closed.
    fn closed(&self, framing: &Framing) -> Result {
        let why = match framing.total() {
            _ if framing.may_end() => return Ok(()),
            Some(1) => "the body was cut short, 1 byte is missing".to_owned(),
            Some(left) => format!("the body was cut short, {left} bytes are missing"),
            None => "the body was cut short, its last chunk is missing".to_owned(),
        };
        Err(self.fail(Exit::CutShort, &why))
    }

    /// Receives more into the buffer; false when the peer has closed.
    fn receive(&mut self, look: &mut dyn FnMut()) -> Result<bool> {
        self.buffer.drain(..std::mem::take(&mut self.used));
        let begun = Instant::now();
        while begun.elapsed() < self.silence {
            let left = self.silence.saturating_sub(begun.elapsed());
            match self.receive_by(Deadline::After(left.min(LOOK))) {
                Err(error) if error.kind() == ErrorKind::TimedOut => look(),
                Err(error) => return Err(self.broken(&error)),
                Ok(more) => return Ok(more),
            }
        }
        Err(self.silent())
    }

    /// Receives once into the buffer.
    pub(crate) fn receive_by(&mut self, by: Deadline) -> io::Result<bool> {
        let before = self.buffer.len();
        self.buffer.resize(before + PIECE_BYTES, 0);
        let received = self.socket.recv_by(&mut self.buffer[before..], by);
        self.buffer.truncate(before + *received.as_ref().unwrap_or(&0));
        self.heard |= self.buffer.len() > before;
        received.map(|count| count > 0)
    }
}
