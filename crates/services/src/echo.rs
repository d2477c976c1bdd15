//! Echo: whatever comes in goes out again. RFC 862, on TCP and UDP.
//!
//! Bytes are not looked at, counted or framed. On UDP each datagram is answered with the same
//! datagram, an empty one too. What it deliberately does not do: keep anything. It reads no further
//! than the connection's buffer before the peer has taken what came before.

use std::io::{self, Write};

use switchboard::socket::Scheme;
use switchboard::{Connection, Handler, Requests, Service};

use crate::{Row, Settings};

/// The row of this service.
pub(crate) const ROW: Row = Row {
    name: "echo",
    summary: "any bytes come back unchanged (RFC 862)",
    details: "Whatever arrives is sent back, byte for byte, until the peer has finished sending. \
              On UDP each datagram is answered with the same datagram.",
    port: 7007,
    schemes: &[Scheme::Tcp, Scheme::Udp],
    example: "switchboard connect {address}",
    settings: &[],
    make,
    transcript: r"
$ echo
> hello
< hello
> two lines\n and \x00\xff\n
< two lines\n and \x00\xff\n
",
};

fn make(_: &Settings) -> io::Result<Box<dyn Service>> {
    Ok(Box::new(Echo))
}

struct Echo;

impl Service for Echo {
    fn name(&self) -> &str {
        ROW.name
    }

    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Echo)
    }

    fn requests(&self) -> Option<Box<dyn Requests>> {
        Some(Box::new(Echo))
    }
}

impl Requests for Echo {
    #[inline(always)]
    fn request(&mut self, connection: &mut Connection) -> io::Result<bool> {
        connection.answer(|bytes, out| out.write_all(bytes).map(|()| bytes.len()))?;
        Ok(true)
    }
}

impl Handler for Echo {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        if connection.packet().is_some_and(<[u8]>::is_empty) {
            // What is written is sent at the end, and nothing is nothing.
            return connection.reply(&[]);
        }
        while connection.next_request()? {
            self.request(connection)?;
        }
        Ok(())
    }
}
