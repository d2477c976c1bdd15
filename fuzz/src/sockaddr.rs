//! Addresses as the kernel and the resolver write them: any bytes are an address, which goes to
//! text and to bytes and comes back as it was.

use socket::SockAddr;

/// Decodes the bytes as a `struct sockaddr`.
pub(crate) fn run(bytes: &[u8]) {
    let address = SockAddr::from_bytes(bytes);
    let text = address.to_string();
    assert!(!text.contains(char::is_control));
    assert_eq!(text.parse::<SockAddr>().expect("what is printed reads"), address);
    if let Ok(again) = address.to_bytes() {
        assert_eq!(SockAddr::from_bytes(&again), address);
    }
}
