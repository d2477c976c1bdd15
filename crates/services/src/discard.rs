//! Discard: whatever comes in is thrown away. RFC 863, on TCP and UDP.
//!
//! The peer learns how fast it can send, or that something listens. What it deliberately does not
//! do: answer, or count.

use std::io::{self, Read};

use switchboard::socket::Scheme;
use switchboard::{Connection, Handler, Service};

use crate::{Row, Settings};

/// The row of this service.
pub(crate) const ROW: Row = Row {
    name: "discard",
    summary: "throws everything away and answers nothing (RFC 863)",
    details: "Whatever arrives is read and forgotten, until the peer has finished sending; then \
              the connection is closed. A datagram is not answered.",
    port: 7009,
    schemes: &[Scheme::Tcp, Scheme::Udp],
    example: "head -c 1G /dev/zero | switchboard connect {address}",
    settings: &[],
    make,
    transcript: r"
$ discard
> anything at all
",
};

/// How much is read at once: a bulk transfer is what this service is for.
const BUFFER_BYTES: usize = 64 * 1024;

fn make(_: &Settings) -> io::Result<Box<dyn Service>> {
    Ok(Box::new(Discard))
}

struct Discard;

impl Service for Discard {
    fn name(&self) -> &str {
        ROW.name
    }

    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Discard)
    }
}

impl Handler for Discard {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while connection.next_request()? && connection.read(&mut buffer)? > 0 {}
        Ok(())
    }
}
