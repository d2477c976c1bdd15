//! A socket prints its addresses as Python does. Python is given the descriptor itself, under the
//! same number, so that both print one socket.

mod support;

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

use socket::constants::ETH_P_ALL;
use socket::names::if_nametoindex;
use socket::{
    Family, NetlinkAddr, PacketAddr, Protocol, SockAddr, Socket, Type, UnixAddr, VsockAddr,
};
use support::{PATIENCE, directory, kernel_lacks, python, skip, watchdog};

/// From the protocol on. Before it, Python from 3.11 on prints numbers where there are names here.
fn addresses(text: &str) -> &str {
    &text[text.find(", proto=").unwrap()..]
}

/// Whether Python prints it in the same way, if there is a Python.
fn agrees(socket: &Socket) -> Option<()> {
    socket.set_inheritable(true).unwrap();
    let script = "say(socket.socket(fileno=int(sys.argv[1])))";
    let mut python = python(script, &[&socket.as_raw_fd().to_string()])?;
    let theirs = python.hear();
    assert_eq!(addresses(&socket.to_string()), addresses(&theirs));
    println!("{theirs}");
    python.finish();
    Some(())
}

fn bound(family: Family, kind: Type, address: impl Into<SockAddr>) -> io::Result<Socket> {
    let socket = Socket::new(family, kind, Protocol::DEFAULT)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[test]
fn of_the_internet_families() {
    let _watchdog = watchdog(PATIENCE);
    for family in [Family::INET, Family::INET6] {
        let (left, _right) = Socket::pair(family, Type::STREAM, Protocol::DEFAULT).unwrap();
        agrees(&left);
        agrees(&Socket::new(family, Type::DGRAM, Protocol::DEFAULT).unwrap());
    }
}

#[test]
fn of_the_unix_family() {
    let _watchdog = watchdog(PATIENCE);
    let (left, _right) = support::unix_pair();
    agrees(&left);
    let directory = directory();
    for name in ["plain", "it's \"quoted\"", "back\\slash", "@sign", "grün"] {
        let path = directory.path().join(OsStr::from_bytes(name.as_bytes()));
        agrees(&bound(Family::UNIX, Type::STREAM, UnixAddr::Path(path)).unwrap());
    }
    for end in [&b"name"[..], b"it's", b"it's \"quoted\"", b"\"", b"\\\t\r\n\0\x1b\x7f\xff"] {
        let name = [format!("switchboard-{}-", std::process::id()).as_bytes(), end].concat();
        agrees(&bound(Family::UNIX, Type::DGRAM, UnixAddr::Abstract(name)).unwrap());
    }
}

#[test]
fn of_netlink() {
    let _watchdog = watchdog(PATIENCE);
    for groups in [0, 0x11] {
        let address = NetlinkAddr { pid: 0, groups };
        agrees(&bound(Family::NETLINK, Type::RAW, address).unwrap());
    }
}

#[test]
fn of_packets() {
    let _watchdog = watchdog(PATIENCE);
    let interface = if_nametoindex("lo").unwrap();
    for address in [PacketAddr::default(), PacketAddr::new(interface, ETH_P_ALL as u16)] {
        match bound(Family::PACKET, Type::DGRAM, address) {
            Ok(socket) => agrees(&socket),
            Err(error) => return skip(&format!("packet sockets need CAP_NET_RAW: {error}")),
        };
    }
}

#[test]
fn of_virtual_machines() {
    let _watchdog = watchdog(PATIENCE);
    let any = VsockAddr::new(VsockAddr::CID_ANY, VsockAddr::PORT_ANY);
    match bound(Family::VSOCK, Type::STREAM, any) {
        Ok(socket) => _ = agrees(&socket),
        Err(_) => kernel_lacks("vsock"),
    }
}
