//! How the kernel writes an option's value down, one type each.
//!
//! An encoding is a type without values. It names the Rust value, the room the kernel needs, and
//! the two ways between them. A kernel may answer fewer bytes than it was given room for; an
//! answer that is too short for the value is `InvalidData`, never a guess.

use std::io;
use std::time::Duration;

/// One way to write a value down.
pub(crate) trait Encoding {
    /// The value in Rust.
    type Value;
    /// Its type's name, for listings.
    const TYPE: &'static str;

    /// Room for the kernel's answer.
    fn room() -> impl AsMut<[u8]>;

    /// The value from what the kernel answered.
    fn decode(bytes: &[u8]) -> io::Result<Self::Value>;

    /// The value as the kernel wants it.
    fn encode(value: &Self::Value) -> io::Result<impl AsRef<[u8]>>;
}

/// The Rust type of each encoding, so that signatures can name it.
macro_rules! value {
    (Flag) => { bool };
    (Int) => { i32 };
    (Seconds) => { std::time::Duration };
    (Timeval) => { std::time::Duration };
    (Linger) => { Option<std::time::Duration> };
    (PendingError) => { Option<std::io::Error> };
}

pub(super) use value;

/// A C `int` used as a truth value.
pub(crate) enum Flag {}

impl Encoding for Flag {
    type Value = bool;
    const TYPE: &'static str = "bool";

    fn room() -> impl AsMut<[u8]> {
        [0_u8; 4]
    }

    fn decode(bytes: &[u8]) -> io::Result<bool> {
        Ok(Int::decode(bytes)? != 0)
    }

    fn encode(value: &bool) -> io::Result<impl AsRef<[u8]>> {
        Ok(i32::from(*value).to_ne_bytes())
    }
}

/// A C `int`.
pub(crate) enum Int {}

impl Encoding for Int {
    type Value = i32;
    const TYPE: &'static str = "i32";

    fn room() -> impl AsMut<[u8]> {
        [0_u8; 4]
    }

    /// A few options answer a single byte where the value fits in one.
    fn decode(bytes: &[u8]) -> io::Result<i32> {
        match bytes {
            [byte] => Ok(i32::from(*byte)),
            _ => Ok(i32::from_ne_bytes(*bytes.first_chunk().ok_or_else(short)?)),
        }
    }

    fn encode(value: &i32) -> io::Result<impl AsRef<[u8]>> {
        Ok(value.to_ne_bytes())
    }
}

/// A C `int` that counts whole seconds. Parts of a second are rounded up.
pub(crate) enum Seconds {}

impl Encoding for Seconds {
    type Value = Duration;
    const TYPE: &'static str = "Duration (s)";

    fn room() -> impl AsMut<[u8]> {
        [0_u8; 4]
    }

    fn decode(bytes: &[u8]) -> io::Result<Duration> {
        let seconds = Int::decode(bytes)?;
        Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    fn encode(value: &Duration) -> io::Result<impl AsRef<[u8]>> {
        let whole = value.as_secs() + u64::from(value.subsec_nanos() > 0);
        Ok(i32::try_from(whole).map_err(|_| too_long())?.to_ne_bytes())
    }
}

/// `struct timeval`; zero is no limit. Parts of a microsecond are rounded up.
pub(crate) enum Timeval {}

impl Encoding for Timeval {
    type Value = Duration;
    const TYPE: &'static str = "Duration (µs)";

    fn room() -> impl AsMut<[u8]> {
        [0_u8; size_of::<libc::timeval>()]
    }

    fn decode(bytes: &[u8]) -> io::Result<Duration> {
        const HALF: usize = size_of::<libc::time_t>();
        let seconds = libc::time_t::from_ne_bytes(*bytes.first_chunk().ok_or_else(short)?);
        let rest = bytes.get(HALF..).and_then(<[u8]>::first_chunk).ok_or_else(short)?;
        let micros = libc::suseconds_t::from_ne_bytes(*rest);
        Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
            + Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }

    fn encode(value: &Duration) -> io::Result<impl AsRef<[u8]>> {
        let micros = value.as_nanos().div_ceil(1_000);
        let seconds = libc::time_t::try_from(micros / 1_000_000).map_err(|_| too_long())?;
        let rest = (micros % 1_000_000) as libc::suseconds_t;
        Ok([seconds.to_ne_bytes(), rest.to_ne_bytes()].concat())
    }
}

/// `struct linger`: whether closing waits for unsent data, and how long, in whole seconds.
pub(crate) enum Linger {}

impl Encoding for Linger {
    type Value = Option<Duration>;
    const TYPE: &'static str = "Option<Duration> (s)";

    fn room() -> impl AsMut<[u8]> {
        [0_u8; size_of::<libc::linger>()]
    }

    fn decode(bytes: &[u8]) -> io::Result<Option<Duration>> {
        let on = Int::decode(bytes.get(..4).ok_or_else(short)?)? != 0;
        let wait = Seconds::decode(bytes.get(4..).ok_or_else(short)?)?;
        Ok(on.then_some(wait))
    }

    fn encode(value: &Option<Duration>) -> io::Result<impl AsRef<[u8]>> {
        let on = i32::from(value.is_some()).to_ne_bytes();
        let whole = value.unwrap_or_default();
        let wait = whole.as_secs() + u64::from(whole.subsec_nanos() > 0);
        let wait = i32::try_from(wait).map_err(|_| too_long())?;
        Ok([on, wait.to_ne_bytes()].concat())
    }
}

/// An `errno` that waits to be told; zero is none.
pub(crate) enum PendingError {}

impl Encoding for PendingError {
    type Value = Option<io::Error>;
    const TYPE: &'static str = "Option<io::Error>";

    fn room() -> impl AsMut<[u8]> {
        [0_u8; 4]
    }

    fn decode(bytes: &[u8]) -> io::Result<Option<io::Error>> {
        let code = Int::decode(bytes)?;
        Ok((code != 0).then(|| io::Error::from_raw_os_error(code)))
    }

    fn encode(value: &Option<io::Error>) -> io::Result<impl AsRef<[u8]>> {
        let code = value.as_ref().and_then(io::Error::raw_os_error).unwrap_or(0);
        Ok(code.to_ne_bytes())
    }
}

fn short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "socket option answered fewer bytes than it has")
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "duration too long for the socket option")
}
