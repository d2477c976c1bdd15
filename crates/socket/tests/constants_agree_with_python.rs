//! Every number of Python's `socket` module has the same name and value here, or a reason not to.
//! CPython: `testCrucialConstants`, `testCrucialIpProtoConstants` of `GeneralModuleTests`.

#[path = "support/oracle.rs"]
mod oracle;

use std::collections::BTreeMap;

use oracle::{PATIENCE, python, watchdog};
use socket::constants::{self, GROUPS};
use socket::{Family, Protocol, Type};

/// Names of Python's module that are not here, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("EBADF", "an errno, of module errno in truth; see std::io::Error::raw_os_error"),
    ("EAGAIN", "an errno; see std::io::ErrorKind::WouldBlock"),
    ("EWOULDBLOCK", "an errno; see std::io::ErrorKind::WouldBlock"),
    ("ALG_SET_PUBKEY", "of a patch Linux never took; its number is ALG_SET_DRBG_ENTROPY"),
    ("ALG_OP_SIGN", "of a patch Linux never took"),
    ("ALG_OP_VERIFY", "of a patch Linux never took"),
];

/// Begins of names that are left out, and why.
const LEFT_OUT_GROUPS: &[(&str, &str)] = &[
    ("BT", "Bluetooth is left out of this crate"),
    ("BDADDR_", "Bluetooth is left out of this crate"),
    ("HCI_", "Bluetooth is left out of this crate"),
    ("SOL_HCI", "Bluetooth is left out of this crate"),
    ("SOL_L2CAP", "Bluetooth is left out of this crate"),
    ("SOL_SCO", "Bluetooth is left out of this crate"),
    ("SOL_RFCOMM", "Bluetooth is left out of this crate"),
];

/// Every name of this crate with its value.
fn ours() -> BTreeMap<&'static str, i64> {
    let mut names = BTreeMap::new();
    let mut add = |name: &'static str, value| {
        if let Some(before) = names.insert(name, value) {
            panic!("{name} is listed twice: {before} and {value}");
        }
    };
    Family::ALL.iter().for_each(|(name, value)| add(name, value.0.into()));
    Type::ALL.iter().for_each(|(name, value)| add(name, value.0.into()));
    Protocol::ALL.iter().for_each(|(name, value)| add(name, value.0.into()));
    for group in GROUPS.iter().copied().flatten() {
        group.rows.iter().for_each(|(name, value)| add(name, *value));
    }
    names
}

#[test]
#[cfg_attr(not(target_env = "gnu"), ignore = "another libc than Python's answers otherwise")]
fn names_and_values_are_those_of_python() {
    let _watchdog = watchdog(PATIENCE);
    let script = "import socket\n\
        for name, value in sorted(vars(socket).items()):\n\
        \x20   if isinstance(value, int) and not isinstance(value, bool):\n\
        \x20       print(name, int(value))";
    let Some(lines) = python(script, &[]) else { return };
    let ours = ours();
    let mut wrong = Vec::new();
    let mut shared = 0;
    for line in &lines {
        let (name, value) = line.split_once(' ').unwrap();
        let left_out = LEFT_OUT.iter().any(|(row, _)| *row == name)
            || LEFT_OUT_GROUPS.iter().any(|(begin, _)| name.starts_with(begin));
        match (ours.get(name), left_out) {
            (Some(our), false) if our.to_string() == value => shared += 1,
            (Some(our), false) => wrong.push(format!("{name} is {value} there and {our} here")),
            (None, false) => wrong.push(format!("{name} ({value}) is not here")),
            (Some(_), true) => wrong.push(format!("{name} is here and listed as left out")),
            (None, true) => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{shared} names of Python's {} have the same value here", lines.len());
    assert!(shared > 300, "only {shared} names are shared");
}

#[test]
fn names_that_python_lacks_are_here_too() {
    let ours = ours();
    for name in ["SOCK_PACKET", "SO_ORIGINAL_DST", "IPPROTO_MPTCP", "AF_XDP", "TCP_AO_INFO"] {
        assert!(ours.contains_key(name), "{name}");
    }
    assert_eq!(constants::SOCK_PACKET.0, 10);
    assert_eq!(constants::SO_ORIGINAL_DST, 80);
}

#[test]
fn every_group_says_what_it_is_and_where_it_comes_from() {
    for group in GROUPS.iter().copied().flatten() {
        assert!(group.doc.trim().len() > 5, "{group:?}");
        assert!(group.origin == "libc" || group.origin.ends_with(".h"), "{group:?}");
        assert!(!group.rows.is_empty());
    }
}

#[test]
fn a_kind_has_a_name_or_prints_its_number() {
    assert_eq!(Family::INET.to_string(), "AF_INET");
    assert_eq!(Family::LOCAL.to_string(), "AF_UNIX");
    assert_eq!(Family::from_name("AF_LOCAL"), Some(Family::UNIX));
    assert_eq!(Family(199).to_string(), "199");
    assert_eq!(Family(199).name(), None);
    assert_eq!(Type::SEQPACKET.to_string(), "SOCK_SEQPACKET");
    assert_eq!(Type(4096).to_string(), "4096");
    assert_eq!(Protocol::MPTCP.to_string(), "IPPROTO_MPTCP");
    assert_eq!(i32::from(Protocol::from(1234)), 1234);
    assert_eq!(Protocol::ethernet(0x0800).0.to_ne_bytes()[..2], [8, 0]);
}
