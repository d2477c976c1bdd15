//! Interfaces by index and name. `if_nameindex(3)`.
//!
//! libc asks the kernel and reads its answers; no netlink message is parsed here.

use std::ffi::CString;
use std::io;

use crate::sys::interface;

/// An interface of this machine. `struct if_nameindex`, `if_nameindex(3)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its index, from 1: the scope of an IPv6 address, the number in a packet address.
    pub index: u32,
    /// Its name: `lo`, `eth0`. At most 15 bytes; what is not UTF-8 is replaced.
    pub name: String,
}

/// Every interface. `if_nameindex(3)`.
///
/// # Errors
/// `ENOBUFS`, `EMFILE`: libc opens a socket to ask.
pub fn if_nameindex() -> io::Result<Vec<Interface>> {
    let rows = interface::if_nameindex()?;
    Ok(rows.into_iter().map(|(index, name)| Interface { index, name: text(&name) }).collect())
}

/// The index of an interface. `if_nametoindex(3)`.
///
/// # Errors
/// `ENODEV` for a name that no interface has.
pub fn if_nametoindex(name: &str) -> io::Result<u32> {
    // A name with a NUL is none that an interface could have.
    let name = CString::new(name).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    interface::if_nametoindex(&name)
}

/// The name of an interface. `if_indextoname(3)`.
///
/// # Errors
/// `ENXIO` for an index that no interface has; zero is one.
pub fn if_indextoname(index: u32) -> io::Result<String> {
    Ok(text(&interface::if_indextoname(index)?))
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
