//! `getnameinfo(3)`: the names of a host and a port.

use super::error::ResolveError;
use crate::constants;
use crate::flag_set::flag_set;
use crate::seam;
use crate::sockaddr::SockAddr;
use crate::sys::resolver::{self, Failure};
use crate::sys::sockaddr::RawSockAddr;

flag_set! {
    /// How [`getnameinfo`] answers. `getnameinfo(3)`, RFC 3493.
    NameInfoFlags(i32) from constants {
        /// The host as a number: ask nobody.
        NUMERICHOST = NI_NUMERICHOST,
        /// The port as a number: look in no file.
        NUMERICSERV = NI_NUMERICSERV,
        /// For a host of this domain, only the part before the first dot.
        NOFQDN = NI_NOFQDN,
        /// A host without a name is an error; otherwise its number is the answer.
        NAMEREQD = NI_NAMEREQD,
        /// The service is one of datagrams; for the few ports where that matters.
        DGRAM = NI_DGRAM,
        /// The name in letters instead of `xn--…`. Follows the locale; glibc only.
        IDN = NI_IDN,
    }
}

/// The host and the service of an address. `getnameinfo(3)`.
///
/// Blocks its caller until the name service answers; if both are to be numbers, nobody is asked.
///
/// The address is numbers by its type; there is no host name to be taken for one.
///
/// ```
/// use socket::names::{NameInfoFlags, getnameinfo};
///
/// let numbers = NameInfoFlags::NUMERICHOST | NameInfoFlags::NUMERICSERV;
/// let (host, port) = getnameinfo(&"[::1]:80".parse()?, numbers)?;
/// assert_eq!((host.as_str(), port.as_str()), ("::1", "80"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `EAI_NONAME` for a host without a name, with [`NameInfoFlags::NAMEREQD`]; `EAI_AGAIN` where the
/// name service does not answer; `EAI_FAMILY` for an address that is neither IPv4 nor IPv6;
/// `EAI_SYSTEM` with `InvalidInput` as source for a flow label above 1048575.
pub fn getnameinfo(
    address: &SockAddr,
    flags: NameInfoFlags,
) -> Result<(String, String), ResolveError> {
    let fail = |failure| ResolveError::from_libc(&address.to_string(), failure);
    if address.as_inet().is_none() {
        return Err(fail(Failure { code: libc::EAI_FAMILY, cause: None }));
    }
    let raw = RawSockAddr::encode(address)
        .map_err(|cause| fail(Failure { code: libc::EAI_SYSTEM, cause: Some(cause) }))?;
    let ask = move || resolver::getnameinfo(&raw, flags.0);
    let answer = match flags.contains(NameInfoFlags::NUMERICHOST | NameInfoFlags::NUMERICSERV) {
        true => ask(),
        false => seam::blocking(ask),
    };
    answer.map_err(fail)
}
