//! Packet sockets see what they ask for, and share it in a group.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket::options::{Fanout, PacketMembership, PacketMreq, SockFilter};
use socket::{Family, Protocol, SockAddr, Socket, Type};
use support::watchdog;

/// `htons(ETH_P_IP)`.
const IPV4: Protocol = Protocol((libc::ETH_P_IP as u16).to_be() as i32);
/// The interface `lo`.
const LOOPBACK: i32 = 1;
/// The kernel chooses a group that no other program is in.
const CHOOSE_ID: u16 = 0x2000;

/// A packet socket that sees the IPv4 packets of all interfaces; `None` without the privilege.
fn packet_socket() -> Option<Socket> {
    match Socket::new(Family(libc::AF_PACKET), Type::DGRAM, IPV4) {
        Ok(socket) => Some(socket),
        Err(error) => {
            println!("skipped: needs CAP_NET_RAW: {error}");
            None
        }
    }
}

#[test]
fn memberships_are_taken_and_given_back() {
    let Some(socket) = packet_socket() else { return };
    let request =
        PacketMreq { ifindex: LOOPBACK, kind: PacketMembership::AllMulti, address: vec![] };
    socket.packet_add_membership(&request).unwrap();
    socket.packet_drop_membership(&request).unwrap();
    let nowhere = PacketMreq { ifindex: 99_999, ..request.clone() };
    let answer = socket.packet_add_membership(&nowhere);
    assert_eq!(answer.unwrap_err().raw_os_error(), Some(libc::ENODEV));
    let long = PacketMreq { address: vec![0; 9], ..request };
    let answer = socket.packet_add_membership(&long);
    assert_eq!(answer.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn a_program_shares_packets_out() {
    let _watchdog = watchdog(Duration::from_secs(20));
    let (Some(first), Some(second)) = (packet_socket(), packet_socket()) else { return };
    first.set_packet_fanout(Fanout { id: 0, kind: 6 | CHOOSE_ID }).unwrap();
    let by_program = first.packet_fanout().unwrap();
    assert_eq!(by_program.kind, 6);
    second.set_packet_fanout(by_program).unwrap();
    assert_eq!(second.packet_fanout().unwrap(), by_program);
    // All to the second.
    let all = SockFilter::stmt(SockFilter::RET | SockFilter::K, 1);
    first.set_packet_fanout_data(&[all]).unwrap();
    let _ = (first.packet_statistics().unwrap(), second.packet_statistics().unwrap());

    let receiver = Socket::new(Family::INET, Type::DGRAM, Protocol::DEFAULT).unwrap();
    let loopback: SockAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into();
    receiver.bind(&loopback).unwrap();
    let sender = Socket::new(Family::INET, Type::DGRAM, Protocol::DEFAULT).unwrap();
    for _ in 0..100 {
        sender.send_to(b"x", &receiver.getsockname().unwrap()).unwrap();
        receiver.recv(&mut [0; 4]).unwrap();
    }
    // The first may have been handed some of another's before the program was there.
    let (few, all) = (first.packet_statistics().unwrap(), second.packet_statistics().unwrap());
    assert!(few.packets < 100 && all.packets >= 100, "{few:?}, {all:?}");
}

#[test]
fn a_group_counts_what_rolls_over() {
    let Some(socket) = packet_socket() else { return };
    let answer = socket.packet_rollover_stats();
    assert_eq!(answer.unwrap_err().raw_os_error(), Some(libc::EINVAL), "not in such a group");
    socket.set_packet_fanout(Fanout { id: 0, kind: 3 | CHOOSE_ID }).unwrap();
    let stats = socket.packet_rollover_stats().unwrap();
    assert_eq!(stats.tp_failed, 0, "{stats:?}");
}
