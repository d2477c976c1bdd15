//! Sockets beyond TCP, UDP and Unix streams do what they are for, with their typed addresses, as
//! far as this kernel has them; what it lacks or forbids is said.
//!
//! The promises of CPython's `BasicVSOCKTest`, `ThreadedVSOCKSocketStreamTest`, `BasicUDPLITETest`,
//! `TestLinuxAbstractNamespace` (autobind), `BasicCANTest`, `TIPCTest`, `LinuxKernelCryptoAPI`,
//! `BasicQIPCRTRTest`, `BasicRDSTest` that are about addresses.

#[path = "support/oracle.rs"]
mod oracle;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use oracle::{PATIENCE, kernel_lacks, skip, watchdog};
use socket::constants::{NETLINK_ROUTE, PACKET_HOST};
use socket::names::if_nametoindex;
use socket::{
    AlgAddr, CanAddr, Family, NetlinkAddr, PacketAddr, Protocol, QipcrtrAddr, SockAddr, Socket,
    TipcAddr, Type, UnixAddr, VsockAddr,
};

const EPERM: i32 = 1;
const EACCES: i32 = 13;
const ENODEV: i32 = 19;
const EPROTONOSUPPORT: i32 = 93;
const ESOCKTNOSUPPORT: i32 = 94;
const EAFNOSUPPORT: i32 = 97;
const EADDRNOTAVAIL: i32 = 99;
const ECONNRESET: i32 = 104;

/// A socket with a time limit, or the reason why there is none.
fn open(family: Family, kind: Type, protocol: Protocol) -> Option<Socket> {
    let what = format!("socket({family}, {kind}, {})", protocol.0);
    match Socket::new(family, kind, protocol) {
        Ok(socket) => {
            socket.set_timeout(Some(Duration::from_secs(20))).unwrap();
            Some(socket)
        }
        Err(error) => match error.raw_os_error() {
            Some(EAFNOSUPPORT | EPROTONOSUPPORT | ESOCKTNOSUPPORT) => {
                kernel_lacks(&what);
                None
            }
            Some(EPERM | EACCES) => {
                skip(&format!("{what} needs a privilege"));
                None
            }
            _ => panic!("{what}: {error}"),
        },
    }
}

fn loopback(port: u16) -> SockAddr {
    SocketAddr::from(([127, 0, 0, 1], port)).into()
}

#[test]
fn netlink_asks_the_kernel_for_its_interfaces() {
    let _watchdog = watchdog(PATIENCE);
    let Some(socket) = open(Family::NETLINK, Type::RAW, Protocol(NETLINK_ROUTE)) else { return };
    socket.bind(&NetlinkAddr::default().into()).unwrap();
    let SockAddr::Netlink(own) = socket.getsockname().unwrap() else { panic!("not netlink") };
    assert_ne!(own.pid, 0);
    assert_eq!(own.groups, 0);
    // struct nlmsghdr (length, RTM_GETLINK, NLM_F_REQUEST|NLM_F_DUMP, sequence, pid), then
    // struct rtgenmsg (AF_UNSPEC). rtnetlink(7).
    let mut request = Vec::new();
    request.extend(20_u32.to_ne_bytes());
    request.extend(18_u16.to_ne_bytes());
    request.extend(0x301_u16.to_ne_bytes());
    request.extend(7_u32.to_ne_bytes());
    request.extend([0; 8]);
    assert_eq!(socket.send_to(&request, &NetlinkAddr::default().into()).unwrap(), 20);
    let mut answer = [0; 32 << 10];
    let (count, from) = socket.recv_from(&mut answer).unwrap();
    assert_eq!(from, NetlinkAddr { pid: 0, groups: 0 }.into());
    assert!(count > 16);
    assert_eq!(answer[4..6], 16_u16.to_ne_bytes(), "RTM_NEWLINK");
    assert_eq!(answer[8..12], 7_u32.to_ne_bytes(), "the sequence number");
    assert_eq!(answer[12..16], own.pid.to_ne_bytes(), "to this socket");
}

#[test]
fn netlink_takes_the_port_it_is_told() {
    let Some(socket) = open(Family::NETLINK, Type::RAW, Protocol(NETLINK_ROUTE)) else { return };
    // RTMGRP_LINK, which takes no privilege.
    let address = NetlinkAddr { pid: 0x4000_0000 | std::process::id(), groups: 1 };
    socket.bind(&address.into()).unwrap();
    assert_eq!(socket.getsockname().unwrap(), address.into());
}

/// "Local experimental Ethertype 1" of IEEE 802, so that no other traffic is seen.
const EXPERIMENTAL: u16 = 0x88b5;

#[test]
fn packets_cross_the_loopback_device_with_their_addresses() {
    let _watchdog = watchdog(PATIENCE);
    let protocol = Protocol::ethernet(EXPERIMENTAL);
    let Some(receiver) = open(Family::PACKET, Type::DGRAM, protocol) else { return };
    let Some(sender) = open(Family::PACKET, Type::DGRAM, Protocol::DEFAULT) else { return };
    let lo = if_nametoindex("lo").unwrap();
    receiver.bind(&PacketAddr::new(lo, EXPERIMENTAL).into()).unwrap();
    let SockAddr::Packet(own) = receiver.getsockname().unwrap() else { panic!("not packet") };
    assert_eq!((own.interface, own.protocol, own.hatype), (lo, EXPERIMENTAL, 772));
    assert_eq!(own.address, [0; 6]);

    let to = PacketAddr { address: vec![0; 6], ..PacketAddr::new(lo, EXPERIMENTAL) };
    let payload = format!("packet test {}", std::process::id());
    sender.send_to(payload.as_bytes(), &to.into()).unwrap();
    let mut buffer = [0; 2048];
    loop {
        let (count, from) = receiver.recv_from(&mut buffer).unwrap();
        if !buffer[..count].starts_with(payload.as_bytes()) {
            continue;
        }
        let SockAddr::Packet(from) = from else { panic!("not packet: {from}") };
        assert_eq!((from.interface, from.protocol, from.hatype), (lo, EXPERIMENTAL, 772));
        assert_eq!((from.pkttype, from.address), (PACKET_HOST, vec![0; 6]));
        return;
    }
}

#[test]
fn the_oldest_packet_sockets_still_work() {
    let _watchdog = watchdog(PATIENCE);
    // One that nobody else sends: of all there may be more than its queue holds.
    let ours = 0x88b6;
    let protocol = Protocol::ethernet(ours);
    let Some(receiver) = open(Family::INET, Type::PACKET, protocol) else { return };
    let Some(sender) = open(Family::PACKET, Type::DGRAM, Protocol::DEFAULT) else { return };
    // struct sockaddr with the device's name.
    let mut data = b"lo".to_vec();
    data.resize(14, 0);
    receiver.bind(&SockAddr::Other { family: Family::PACKET, data }).unwrap();
    let lo = if_nametoindex("lo").unwrap();
    let to = PacketAddr { address: vec![0; 6], ..PacketAddr::new(lo, ours) };
    let payload = format!("old packet test {}", std::process::id());
    sender.send_to(payload.as_bytes(), &to.into()).unwrap();
    let mut buffer = [0; 2048];
    loop {
        let (count, from) = receiver.recv_from(&mut buffer).unwrap();
        // After the 14 bytes of the Ethernet header.
        if buffer[..count].get(14..).is_some_and(|rest| rest.starts_with(payload.as_bytes())) {
            let SockAddr::Other { family, data } = from else { panic!("not as it is: {from}") };
            assert_eq!(family, Family(772), "the device's hardware type");
            assert!(data.starts_with(b"lo\0"));
            return;
        }
    }
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    (!((sum + (sum >> 16)) as u16)).to_be_bytes()
}

/// An echo request. RFC 792, RFC 4443.
fn echo_request(kind: u8, id: u16) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(id.to_be_bytes());
    message.extend(b"\0\x01ping");
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum);
    message
}

#[test]
fn raw_icmp_is_answered() {
    let _watchdog = watchdog(PATIENCE);
    let Some(socket) = open(Family::INET, Type::RAW, Protocol::ICMP) else { return };
    let id = std::process::id() as u16;
    socket.send_to(&echo_request(8, id), &loopback(0)).unwrap();
    let mut buffer = [0; 1500];
    loop {
        let (count, from) = socket.recv_from(&mut buffer).unwrap();
        let header = usize::from(buffer[0] & 15) * 4;
        let message = &buffer[header..count];
        if message[0] == 0 && message[4..6] == id.to_be_bytes() {
            assert_eq!(&message[8..], b"ping");
            assert_eq!(from, loopback(0));
            return;
        }
    }
}

#[test]
fn raw_icmp_for_ipv6_is_answered_and_the_kernel_adds_the_checksum() {
    let _watchdog = watchdog(PATIENCE);
    let Some(socket) = open(Family::INET6, Type::RAW, Protocol::ICMPV6) else { return };
    let id = std::process::id() as u16;
    let to: SockAddr = "[::1]:0".parse().unwrap();
    match socket.send_to(&echo_request(128, id), &to) {
        Err(error) if error.raw_os_error() == Some(EADDRNOTAVAIL) => return skip("no ::1 here"),
        sent => assert_eq!(sent.unwrap(), 12),
    }
    let mut buffer = [0; 1500];
    loop {
        let (count, from) = socket.recv_from(&mut buffer).unwrap();
        let message = &buffer[..count];
        if message[0] == 129 && message[4..6] == id.to_be_bytes() {
            assert_eq!(from.as_inet().unwrap().ip().to_string(), "::1");
            return;
        }
    }
}

#[test]
fn a_datagram_socket_may_send_echo_requests_without_a_privilege() {
    let _watchdog = watchdog(PATIENCE);
    // Nobody at all may, where the machine is set up so; it is the default of the kernel.
    let setting = "/proc/sys/net/ipv4/ping_group_range";
    let range = std::fs::read_to_string(setting).unwrap_or_default();
    let bounds: Vec<u64> = range.split_whitespace().filter_map(|one| one.parse().ok()).collect();
    if !matches!(bounds[..], [first, last] if first <= last) {
        return kernel_lacks("ping sockets: net.ipv4.ping_group_range lets nobody");
    }
    let Some(socket) = open(Family::INET, Type::DGRAM, Protocol::ICMP) else { return };
    socket.send_to(&echo_request(8, 0), &loopback(0)).unwrap();
    let mut buffer = [0; 1500];
    let (count, _) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!((buffer[0], &buffer[8..count]), (0, &b"ping"[..]));
}

#[test]
fn a_raw_socket_sends_headers_of_its_own() {
    let _watchdog = watchdog(PATIENCE);
    // IPPROTO_RAW turns IP_HDRINCL on.
    let Some(raw) = open(Family::INET, Type::RAW, Protocol::RAW) else { return };
    let on = 1_i32.to_ne_bytes();
    raw.setsockopt(socket::constants::SOL_IP, socket::constants::IP_HDRINCL, &on).unwrap();
    let receiver = open(Family::INET, Type::DGRAM, Protocol::UDP).unwrap();
    receiver.bind(&loopback(0)).unwrap();
    let port = receiver.getsockname().unwrap().port().unwrap();
    // IPv4: length and checksum are the kernel's to fill in; from 127.0.0.77, to live 64, UDP.
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 77, 127, 0, 0, 1];
    // UDP: from port 7777; a checksum of zero is none.
    packet.extend(7777_u16.to_be_bytes());
    packet.extend(port.to_be_bytes());
    packet.extend(13_u16.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(b"hello");
    raw.send_to(&packet, &loopback(0)).unwrap();
    let mut buffer = [0; 16];
    let (count, from) = receiver.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"hello");
    assert_eq!(from.to_string(), "127.0.0.77:7777");
}

#[test]
fn seqpacket_keeps_messages_whole_and_in_order() {
    let _watchdog = watchdog(PATIENCE);
    let Some(listener) = open(Family::UNIX, Type::SEQPACKET, Protocol::DEFAULT) else { return };
    listener.bind(&UnixAddr::Unnamed.into()).unwrap();
    let address = listener.getsockname().unwrap();
    let SockAddr::Unix(UnixAddr::Abstract(name)) = &address else { panic!("{address}") };
    assert_eq!(name.len(), 5, "unix(7): five hexadecimal digits");
    listener.listen(1).unwrap();
    let client = open(Family::UNIX, Type::SEQPACKET, Protocol::DEFAULT).unwrap();
    client.connect(&address).unwrap();
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(peer, UnixAddr::Unnamed.into());
    for message in ["one", "", "three"] {
        client.send(message.as_bytes()).unwrap();
    }
    let mut buffer = [0; 16];
    for message in ["one", "", "three"] {
        let count = server.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], message.as_bytes());
    }
}

#[test]
fn udp_lite_carries_datagrams() {
    let _watchdog = watchdog(PATIENCE);
    for (family, place) in [(Family::INET, "127.0.0.1:0"), (Family::INET6, "[::1]:0")] {
        let Some(server) = open(family, Type::DGRAM, Protocol::UDPLITE) else { continue };
        let client = open(family, Type::DGRAM, Protocol::UDPLITE).unwrap();
        match server.bind(&place.parse().unwrap()) {
            Err(error) if error.raw_os_error() == Some(EADDRNOTAVAIL) => {
                skip(&format!("no {place} here"));
                continue;
            }
            bound => bound.unwrap(),
        }
        assert_eq!(server.protocol().unwrap(), Protocol::UDPLITE);
        // The checksum covers the header only. udplite(7).
        let level = socket::constants::SOL_UDPLITE;
        let header = 8_i32.to_ne_bytes();
        client.setsockopt(level, socket::constants::UDPLITE_SEND_CSCOV, &header).unwrap();
        client.send_to(b"lite", &server.getsockname().unwrap()).unwrap();
        let mut buffer = [0; 16];
        let (count, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"lite");
        assert_eq!(from.port(), client.getsockname().unwrap().port());
    }
}

#[test]
fn mptcp_is_a_stream() {
    let _watchdog = watchdog(PATIENCE);
    let Some(listener) = open(Family::INET, Type::STREAM, Protocol::MPTCP) else { return };
    listener.bind(&loopback(0)).unwrap();
    listener.listen(1).unwrap();
    let client = open(Family::INET, Type::STREAM, Protocol::MPTCP).unwrap();
    client.connect(&listener.getsockname().unwrap()).unwrap();
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(peer, client.getsockname().unwrap());
    assert_eq!(client.protocol().unwrap(), Protocol::MPTCP);
    client.send_all(b"hello").unwrap();
    let mut buffer = [0; 5];
    server.recv_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
}

#[test]
fn vsock_binds_to_any_machine_and_any_port() {
    let Some(listener) = open(Family::VSOCK, Type::STREAM, Protocol::DEFAULT) else { return };
    let any = VsockAddr::new(VsockAddr::CID_ANY, VsockAddr::PORT_ANY);
    match listener.bind(&any.into()) {
        Err(error) if matches!(error.raw_os_error(), Some(ENODEV | EADDRNOTAVAIL)) => {
            return kernel_lacks("vsock transport");
        }
        bound => bound.unwrap(),
    }
    let SockAddr::Vsock(own) = listener.getsockname().unwrap() else { panic!("not vsock") };
    assert_eq!(own.cid, VsockAddr::CID_ANY);
    assert!(own.port >= 1024 && own.port != VsockAddr::PORT_ANY, "{own:?}");
}

#[test]
fn vsock_connects_this_machine_with_itself() {
    let _watchdog = watchdog(PATIENCE);
    let Some(listener) = open(Family::VSOCK, Type::STREAM, Protocol::DEFAULT) else { return };
    let local = VsockAddr::new(VsockAddr::CID_LOCAL, VsockAddr::PORT_ANY);
    let lacks = |error: &io::Error| {
        matches!(error.raw_os_error(), Some(ENODEV | EADDRNOTAVAIL | ECONNRESET))
    };
    match listener.bind(&local.into()) {
        Err(error) if lacks(&error) => return kernel_lacks("vsock loopback"),
        bound => bound.unwrap(),
    }
    listener.listen(1).unwrap();
    let address = listener.getsockname().unwrap();
    let client = open(Family::VSOCK, Type::STREAM, Protocol::DEFAULT).unwrap();
    match client.connect(&address) {
        Err(error) if lacks(&error) => return kernel_lacks("vsock loopback"),
        connected => connected.unwrap(),
    }
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(peer, client.getsockname().unwrap());
    client.send_all(b"hello").unwrap();
    let mut buffer = [0; 5];
    server.recv_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
}

#[test]
fn the_kernel_hashes_for_a_socket() {
    let _watchdog = watchdog(PATIENCE);
    let Some(socket) = open(Family::ALG, Type::SEQPACKET, Protocol::DEFAULT) else { return };
    match socket.bind(&AlgAddr::new("hash", "sha256").into()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return kernel_lacks("SHA-256"),
        bound => bound.unwrap(),
    }
    let (operation, _) = socket.accept().unwrap();
    operation.send_all(b"abc").unwrap();
    let mut hash = [0; 32];
    operation.recv_exact(&mut hash).unwrap();
    // FIPS 180-4, example B.1.
    assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf]);
}

#[test]
fn can_binds_to_every_interface() {
    for protocol in [socket::constants::CAN_RAW, socket::constants::CAN_ISOTP] {
        let kind = if protocol == socket::constants::CAN_RAW { Type::RAW } else { Type::DGRAM };
        let Some(socket) = open(Family::CAN, kind, Protocol(protocol)) else { continue };
        if protocol == socket::constants::CAN_RAW {
            let any = CanAddr::Raw { interface: 0 };
            socket.bind(&any.into()).unwrap();
            assert_eq!(socket.getsockname().unwrap(), any.into());
        }
    }
}

#[test]
fn tipc_sends_to_a_service_by_its_name() {
    let _watchdog = watchdog(PATIENCE);
    let Some(server) = open(Family::TIPC, Type::RDM, Protocol::DEFAULT) else { return };
    let client = open(Family::TIPC, Type::RDM, Protocol::DEFAULT).unwrap();
    let service = 0x7000_0000 | (std::process::id() & 0xffff);
    let scope = socket::constants::TIPC_NODE_SCOPE as i8;
    let range = TipcAddr::Range { service, lower: 1, upper: 9, scope };
    server.bind(&range.into()).unwrap();
    let to = TipcAddr::Service { service, instance: 5, domain: 0, scope };
    client.send_to(b"hello", &to.into()).unwrap();
    let mut buffer = [0; 16];
    let (count, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"hello");
    assert!(matches!(from, SockAddr::Tipc(TipcAddr::Socket { .. })), "{from}");
}

#[test]
fn qipcrtr_and_rds_have_addresses() {
    if let Some(socket) = open(Family::QIPCRTR, Type::DGRAM, Protocol::DEFAULT) {
        let own = socket.getsockname().unwrap();
        assert!(matches!(own, SockAddr::Qipcrtr(QipcrtrAddr { .. })), "{own}");
    }
    if let Some(socket) = open(Family::RDS, Type::SEQPACKET, Protocol::DEFAULT) {
        socket.bind(&loopback(0)).unwrap();
        assert!(socket.getsockname().unwrap().as_inet().is_some());
    }
}
