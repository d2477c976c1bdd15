//! Hosts in text: the form a name has in the DNS, and the oldest forms of IPv4 addresses.

use socket::fuzz::to_ascii;
use socket::names::inet_aton;

/// Reads the bytes, if they are UTF-8, as a host.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(name) = to_ascii(text) {
        assert!(name.is_ascii());
        assert_eq!(to_ascii(&name).as_deref(), Some(&*name), "ASCII stays as it is");
    }
    if let Ok(ip) = inet_aton(text) {
        assert_eq!(inet_aton(&ip.to_string()).expect("an address reads"), ip);
    }
}
