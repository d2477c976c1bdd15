//! Texts of addresses: any text is read or refused, and what is read is printed so that it reads
//! back as the same.

use socket::{Address, SockAddr, UnixAddr};

/// Reads the bytes, if they are UTF-8, as each kind of address that has a text.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(address) = text.parse::<Address>() {
        let printed = address.to_string();
        assert!(!printed.contains(char::is_control));
        assert_eq!(printed.parse::<Address>().expect("what is printed reads"), address);
    }
    if let Ok(address) = text.parse::<SockAddr>() {
        let printed = address.to_string();
        assert!(!printed.contains(char::is_control));
        assert_eq!(printed.parse::<SockAddr>().expect("what is printed reads"), address);
    }
    if let Ok(address) = text.parse::<UnixAddr>() {
        let printed = address.to_string();
        assert!(!printed.contains(char::is_control));
        assert_eq!(printed.parse::<UnixAddr>().expect("what is printed reads"), address);
    }
}
