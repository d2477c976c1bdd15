//! Texts of IP addresses: `inet_aton(3)`, `inet_pton(3)` and back.
//!
//! All of it is arithmetic on text; nothing is asked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::kinds::Family;

/// An IPv4 address from any form that C has for it: one to four parts, each decimal, octal after
/// `0` or hexadecimal after `0x`; the last part fills the bytes that are left. What stands behind a
/// space is ignored, as glibc does. `inet_aton(3)`.
///
/// ```
/// use socket::names::inet_aton;
///
/// assert_eq!(inet_aton("127.1")?.to_string(), "127.0.0.1");
/// assert_eq!(inet_aton("0x7f.1")?.to_string(), "127.0.0.1");
/// assert!(inet_aton("").is_err());
/// # std::io::Result::Ok(())
/// ```
///
/// # Errors
/// `InvalidInput`.
pub fn inet_aton(text: &str) -> io::Result<Ipv4Addr> {
    aton(text).ok_or_else(|| invalid("illegal IP address string passed to inet_aton"))
}

/// An IPv4 address of four bytes as text. `inet_ntoa(3)`.
///
/// # Errors
/// `InvalidInput` for any other number of bytes.
pub fn inet_ntoa(packed: &[u8]) -> io::Result<String> {
    let octets: [u8; 4] = packed.try_into().map_err(|_| invalid("packed IP wrong length"))?;
    Ok(Ipv4Addr::from(octets).to_string())
}

/// An address from its one strict form: four decimal parts, or RFC 4291. `inet_pton(3)`.
///
/// Its bytes are `octets()` of what is answered.
///
/// # Errors
/// `InvalidInput` for another text; `EAFNOSUPPORT` for another family than `AF_INET`, `AF_INET6`.
pub fn inet_pton(family: Family, text: &str) -> io::Result<IpAddr> {
    let parsed = match family {
        Family::INET => text.parse::<Ipv4Addr>().map(IpAddr::V4),
        Family::INET6 => text.parse::<Ipv6Addr>().map(IpAddr::V6),
        _ => return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    };
    parsed.map_err(|_| invalid("illegal IP address string passed to inet_pton"))
}

/// The bytes of an address as text, by RFC 5952. `inet_ntop(3)`.
///
/// glibc writes the long obsolete `::a.b.c.d` (IPv4-compatible) with dots; this does not.
///
/// # Errors
/// `InvalidInput` for a number of bytes that is not the family's; `EAFNOSUPPORT` for another family
/// than `AF_INET`, `AF_INET6`.
pub fn inet_ntop(family: Family, packed: &[u8]) -> io::Result<String> {
    let wrong = |_| invalid("invalid length of packed IP address string");
    match family {
        Family::INET => {
            let octets: [u8; 4] = packed.try_into().map_err(wrong)?;
            Ok(Ipv4Addr::from(octets).to_string())
        }
        Family::INET6 => {
            let octets: [u8; 16] = packed.try_into().map_err(wrong)?;
            Ok(Ipv6Addr::from(octets).to_string())
        }
        _ => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    }
}

fn aton(text: &str) -> Option<Ipv4Addr> {
    // C's isspace: with the vertical tab, which Rust does not count.
    let end = text.find(|letter: char| letter.is_ascii_whitespace() || letter == '\x0b');
    let parts: Vec<&str> = text[..end.unwrap_or(text.len())].split('.').collect();
    let (last, first) = parts.split_last()?;
    if first.len() > 3 {
        return None;
    }
    let mut value: u32 = 0;
    for part in first {
        value = (value << 8) | u32::from(u8::try_from(number(part)?).ok()?);
    }
    let bits = 32 - 8 * first.len() as u32;
    let last = number(last)?;
    if bits < 32 && last >> bits != 0 {
        return None;
    }
    let above = if bits == 32 { 0 } else { value << bits };
    Some(Ipv4Addr::from(above | last))
}

/// One part: decimal, octal or hexadecimal, as C writes numbers.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    let plain = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    plain.then(|| u32::from_str_radix(digits, radix).ok()).flatten()
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
