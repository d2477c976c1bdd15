//! Daytime: what time it is, as people read it. RFC 867, on TCP and UDP.
//!
//! The RFC leaves the form open; this is the one HTTP uses, always in UTC. What it deliberately
//! does not do: local time, which would tell the peer where the machine believes to be.

use std::io::{self, Write};
use std::time::SystemTime;

use switchboard::socket::Scheme;
use switchboard::{Connection, Handler, Service};

use crate::{Row, Settings};

/// The row of this service.
pub(crate) const ROW: Row = Row {
    name: "daytime",
    summary: "says what time it is, in words (RFC 867)",
    details: "Sends one line such as \"Sat, 21 Nov 2026 06:10:11 GMT\" and closes. A datagram is \
              answered with the same line, whatever it said.",
    port: 7013,
    schemes: &[Scheme::Tcp, Scheme::Udp],
    example: "switchboard connect {address} < /dev/null",
    settings: &[],
    make,
    transcript: r"
$ daytime
> ?
< ANY 31
",
};

fn make(_: &Settings) -> io::Result<Box<dyn Service>> {
    Ok(Box::new(Daytime))
}

struct Daytime;

impl Service for Daytime {
    fn name(&self) -> &str {
        ROW.name
    }

    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Daytime)
    }
}

impl Handler for Daytime {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        write!(connection, "{}\r\n", httpdate::fmt_http_date(SystemTime::now()))
    }
}
