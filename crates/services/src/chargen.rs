//! Character generator: lines of all printable characters, without end. RFC 864, on TCP and UDP.
//!
//! On UDP the answer is never longer than the question, so that nobody can be flooded by asking in
//! his name. What it deliberately does not do: read what the peer of a connection sends.

use std::io::{self, Write};

use switchboard::socket::Scheme;
use switchboard::{Connection, Handler, Service};

use crate::{Row, Settings};

/// The row of this service.
pub(crate) const ROW: Row = Row {
    name: "chargen",
    summary: "sends lines of printable characters without end (RFC 864)",
    details: "Sends lines of 72 characters, each shifted by one, until the peer closes the \
              connection or stops reading. A datagram is answered with as many characters as it \
              had bytes, 512 at most.",
    port: 7019,
    schemes: &[Scheme::Tcp, Scheme::Udp],
    example: "switchboard connect {address} < /dev/null | head",
    settings: &[],
    make,
    transcript: r"
$ chargen
> x
< ANY 1
",
};

/// The printable characters of ASCII, blank first.
const FIRST: u8 = b' ';
const CHARACTERS: usize = 95;
/// Characters in a line, as in the RFC.
const LINE: usize = 72;
/// The longest answer to a datagram, as in the RFC.
const DATAGRAM_MAX: usize = 512;

fn make(_: &Settings) -> io::Result<Box<dyn Service>> {
    Ok(Box::new(Chargen))
}

struct Chargen;

impl Service for Chargen {
    fn name(&self) -> &str {
        ROW.name
    }

    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Chargen)
    }
}

impl Handler for Chargen {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        if let Some(packet) = connection.packet() {
            let count = packet.len().min(DATAGRAM_MAX);
            return connection.reply(&page()[..count]);
        }
        let page = page();
        while !connection.draining() {
            connection.write_all(&page)?;
        }
        Ok(())
    }
}

/// Every line once, after which it begins anew.
fn page() -> Vec<u8> {
    let character = |index: usize| FIRST + (index % CHARACTERS) as u8;
    let line = |first: usize| (first..first + LINE).map(character).chain(*b"\r\n");
    (0..CHARACTERS).flat_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_rfc() {
        let page = page();
        let lines: Vec<_> = page.split(|byte| *byte == b'\n').collect();
        assert!(lines[0].starts_with(br##" !"#$%&'()*+,-./0123456789:;<=>?@ABC"##));
        assert!(lines[1].starts_with(br##"!"#$%"##));
        assert!(lines[94].starts_with(b"~ !"));
        assert!(lines[..95].iter().all(|line| line.len() == LINE + 1));
    }
}
