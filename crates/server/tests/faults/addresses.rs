//! Addresses that cannot be had: the error names the address, what the system says, and what to do.
//!
//! Binding comes before any engine, so these run once.

use std::os::unix::fs::PermissionsExt;

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use switchboard::{Error, Server};

use crate::apart::{TestPath, alone, skip};
use crate::rude::echo;
use crate::support::{Watchdog, leave_dead, serve};

/// The error of binding `address`, which must name it.
fn refusal(address: &str, errno: Option<Errno>) -> Error {
    let error = Server::new().bind(address, echo).unwrap_err();
    assert_eq!(error.raw_os_error(), errno.map(Errno::raw_os_error), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("bind ") && text.contains(address), "{text}");
    error
}

/// Row 10.
#[test]
fn a_port_that_is_taken() {
    let _watchdog = Watchdog::new();
    let mut server = Server::new();
    server.bind("127.0.0.1:0", echo).unwrap();
    let error = refusal(&server.addresses()[0].to_string(), Some(Errno::ADDRINUSE));
    assert!(error.to_string().contains("try tcp://127.0.0.1:0, which picks"), "{error}");
}

/// Row 10.
#[test]
fn an_address_of_another_machine() {
    let _watchdog = Watchdog::new();
    // 192.0.2.0/24 is for documentation and nobody's. RFC 5737.
    let error = refusal("192.0.2.1:7007", Some(Errno::ADDRNOTAVAIL));
    assert!(error.to_string().contains("does not have that address"), "{error}");
}

/// Row 10.
#[test]
fn a_port_that_needs_a_right() {
    let _watchdog = Watchdog::new();
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first.trim().parse::<u16>().unwrap() <= 80 {
        return skip("port 80 needs no right here");
    }
    alone(|| {
        let none = CapabilitySet::empty();
        let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
        set_capabilities(None, none).unwrap();
        let error = refusal("127.0.0.1:80", Some(Errno::ACCESS));
        assert!(error.to_string().contains("CAP_NET_BIND_SERVICE"), "{error}");
    });
}

/// Row 10.
#[test]
fn a_path_that_cannot_be_made() {
    let _watchdog = Watchdog::new();
    let folder = TestPath::new("no-such-folder");
    let path = folder.0.join("socket");
    let error = refusal(path.to_str().unwrap(), Some(Errno::NOENT));
    assert!(error.to_string().contains("the directory does not exist"), "{error}");
    let long = format!("/tmp/{}", "x".repeat(200));
    assert!(Server::new().bind(&*long, echo).is_err());
}

/// Row 10: what a dead server left is replaced, even if nobody may write to it; what is alive, or
/// no socket at all, is left as it is.
#[test]
fn a_path_that_is_in_the_way() {
    let _watchdog = Watchdog::new();
    let path = TestPath::new("in-the-way");
    leave_dead(path.text());
    std::fs::set_permissions(&path.0, std::fs::Permissions::from_mode(0o000)).unwrap();
    let guards = switchboard::Guards::default();
    let alive = serve(switchboard::Engine::Serial, path.text(), guards, echo);
    let error = refusal(path.text(), Some(Errno::ADDRINUSE));
    assert!(error.to_string().contains("another server listens there"), "{error}");
    drop(alive);

    std::fs::write(&path.0, "precious").unwrap();
    refusal(path.text(), None);
    assert_eq!(std::fs::read_to_string(&path.0).unwrap(), "precious");
    std::fs::remove_file(&path.0).unwrap();
    std::fs::create_dir(&path.0).unwrap();
    refusal(path.text(), None);
    assert!(path.0.is_dir());
    std::fs::remove_dir(&path.0).unwrap();
}
