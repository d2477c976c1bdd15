//! Time: what time it is, as a number. RFC 868, on TCP and UDP.
//!
//! The seconds since the beginning of 1900, in four bytes, most significant first; the number
//! begins anew in February 2036, which the RFC leaves to the reader. What it deliberately does not
//! do: be exact. NTP is for that.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use switchboard::socket::Scheme;
use switchboard::{Connection, Handler, Service};

use crate::{Row, Settings};

/// The row of this service.
pub(crate) const ROW: Row = Row {
    name: "time",
    summary: "says what time it is, in four bytes (RFC 868)",
    details: "Sends the seconds since 1900-01-01 00:00 UTC as four bytes, most significant first, \
              and closes. A datagram is answered with the same four bytes.",
    port: 7037,
    schemes: &[Scheme::Tcp, Scheme::Udp],
    example: "switchboard connect {address} < /dev/null | od -An -tu4 --endian=big",
    settings: &[],
    make,
    transcript: r"
$ time
> ?
< ANY 4
",
};

/// Seconds from 1900 to 1970, as the RFC gives them.
const FROM_1900_TO_1970: u64 = 2_208_988_800;

fn make(_: &Settings) -> io::Result<Box<dyn Service>> {
    Ok(Box::new(Time))
}

struct Time;

impl Service for Time {
    fn name(&self) -> &str {
        ROW.name
    }

    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Time)
    }
}

impl Handler for Time {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        connection.write_all(&seconds(SystemTime::now()))
    }
}

/// The time as the RFC writes it. A clock set before 1970 counts as 1970.
fn seconds(now: SystemTime) -> [u8; 4] {
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // The last 32 bits are what is asked for.
    ((since_1970 + FROM_1900_TO_1970) as u32).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn examples_of_the_rfc() {
        let at = |seconds: u64| super::seconds(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), 2_208_988_800_u32.to_be_bytes());
        // 00:00 1 May 1983 GMT
        assert_eq!(at(420_595_200), 2_629_584_000_u32.to_be_bytes());
        assert_eq!(at(2_085_978_496), [0; 4]);
    }
}
