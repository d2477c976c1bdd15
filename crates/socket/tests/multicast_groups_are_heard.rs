//! Multicast groups are heard where they were joined, and from whom they were asked for, by the
//! options of IPv4, of IPv6 and of both.

mod support;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use socket::options::{
    FilterMode, GroupFilter, GroupReq, GroupSourceReq, IpMreqSource, IpMreqn, IpMsfilter, Ipv6Mreq,
};
use socket::{Family, Protocol, SockAddr, Socket, Type};
use support::watchdog;

const LIMIT: Duration = Duration::from_secs(20);
/// The interface `lo`.
const LOOPBACK: u32 = 1;
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 1);
const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x7701);
/// The IPv4 group where the tests hear it.
const THERE: (IpAddr, u32) = (IpAddr::V4(GROUP), LOOPBACK);
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Another address of this machine, to send from.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A receiver on any address that hears only its own groups.
fn receiver(family: Family) -> Socket {
    let socket = Socket::new(family, Type::DGRAM, Protocol::DEFAULT).unwrap();
    let any: SocketAddr = match family {
        Family::INET => {
            socket.set_ip_multicast_all(false).unwrap();
            (Ipv4Addr::UNSPECIFIED, 0).into()
        }
        _ => {
            socket.set_ipv6_multicast_all(false).unwrap();
            (Ipv6Addr::UNSPECIFIED, 0).into()
        }
    };
    socket.bind(&any.into()).unwrap();
    socket
}

/// A socket that sends from `source` through the interface `through`, and no further than this
/// machine.
fn sender(source: IpAddr, through: u32) -> Socket {
    let family = if source.is_ipv4() { Family::INET } else { Family::INET6 };
    let sender = Socket::new(family, Type::DGRAM, Protocol::DEFAULT).unwrap();
    match source {
        IpAddr::V4(source) => {
            let none = Ipv4Addr::UNSPECIFIED;
            let request = IpMreqn { multiaddr: none, address: none, ifindex: through };
            sender.set_ip_multicast_if(request).unwrap();
            sender.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        }
        IpAddr::V6(source) => {
            sender.set_ipv6_multicast_if(through).unwrap();
            sender.set_ipv6_multicast_hops(0).unwrap();
            let source = SocketAddrV6::new(source, 0, 0, through);
            sender.bind(&SocketAddr::from(source).into()).unwrap();
        }
    }
    sender
}

/// Sends to the group on `receiver`'s port, from `source` through the interface `through`.
fn send(receiver: &Socket, (group, through): (IpAddr, u32), source: IpAddr) {
    let port = receiver.getsockname().unwrap().port().unwrap();
    let to: SocketAddr = match group {
        IpAddr::V4(group) => (group, port).into(),
        IpAddr::V6(group) => SocketAddrV6::new(group, port, 0, through).into(),
    };
    sender(source, through).send_to(b"group", &SockAddr::from(to)).unwrap();
}

/// The receiver hears the group from `source`.
fn heard(receiver: &Socket, group: (IpAddr, u32), source: IpAddr) {
    send(receiver, group, source);
    assert_eq!(next(receiver), b"group");
}

/// The receiver does not hear the group from `source`: what is sent to itself afterwards is the
/// next that it receives.
fn not_heard(receiver: &Socket, group: (IpAddr, u32), source: IpAddr) {
    send(receiver, group, source);
    let port = receiver.getsockname().unwrap().port().unwrap();
    let itself: SocketAddr = match group.0 {
        IpAddr::V4(_) => (Ipv4Addr::LOCALHOST, port).into(),
        IpAddr::V6(_) => (Ipv6Addr::LOCALHOST, port).into(),
    };
    receiver.send_to(b"itself", &itself.into()).unwrap();
    assert_eq!(next(receiver), b"itself");
}

fn next(receiver: &Socket) -> Vec<u8> {
    let mut buffer = [0; 16];
    let count = receiver.recv(&mut buffer).unwrap();
    buffer[..count].to_vec()
}

/// An interface with a link-local IPv6 address, and that address: the loopback interface has none,
/// and does not carry multicast of IPv6. `None`, with the reason said, without one.
fn interface6() -> Option<(u32, Ipv6Addr)> {
    let addresses = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let found = addresses.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let address = u128::from_str_radix(words.first()?, 16).ok()?;
        let index = u32::from_str_radix(words.get(1)?, 16).ok()?;
        let address = Ipv6Addr::from(address);
        address.is_unicast_link_local().then_some((index, address))
    });
    if found.is_none() {
        println!("skipped: no interface with a link-local IPv6 address");
    }
    found
}

fn errno(answer: io::Result<()>) -> Option<i32> {
    answer.unwrap_err().raw_os_error()
}

#[test]
fn a_group_is_heard_from_joining_to_leaving() {
    let _watchdog = watchdog(LIMIT);
    let socket = receiver(Family::INET);
    let group = IpMreqn { multiaddr: GROUP, address: Ipv4Addr::UNSPECIFIED, ifindex: LOOPBACK };
    not_heard(&socket, THERE, HERE.into());
    socket.ip_add_membership(group).unwrap();
    heard(&socket, THERE, HERE.into());
    assert_eq!(errno(socket.ip_add_membership(group)), Some(libc::EADDRINUSE));
    socket.ip_drop_membership(group).unwrap();
    not_heard(&socket, THERE, HERE.into());
    assert_eq!(errno(socket.ip_drop_membership(group)), Some(libc::EADDRNOTAVAIL));
    let nowhere = IpMreqn { ifindex: 99_999, ..group };
    assert_eq!(errno(socket.ip_add_membership(nowhere)), Some(libc::ENODEV));
}

#[test]
fn a_group_is_heard_from_the_senders_asked_for() {
    let _watchdog = watchdog(LIMIT);
    let socket = receiver(Family::INET);
    let from = |source| IpMreqSource { multiaddr: GROUP, interface: HERE, sourceaddr: source };
    socket.ip_add_source_membership(from(HERE)).unwrap();
    heard(&socket, THERE, HERE.into());
    not_heard(&socket, THERE, ELSEWHERE.into());
    socket.ip_drop_source_membership(from(HERE)).unwrap();
    not_heard(&socket, THERE, HERE.into());
}

#[test]
fn a_sender_can_be_blocked() {
    let _watchdog = watchdog(LIMIT);
    let socket = receiver(Family::INET);
    let all = IpMreqn { multiaddr: GROUP, address: HERE, ifindex: 0 };
    let from = |source| IpMreqSource { multiaddr: GROUP, interface: HERE, sourceaddr: source };
    socket.ip_add_membership(all).unwrap();
    socket.ip_block_source(from(ELSEWHERE)).unwrap();
    heard(&socket, THERE, HERE.into());
    not_heard(&socket, THERE, ELSEWHERE.into());
    let filter = socket.ip_msfilter(GROUP, HERE).unwrap();
    assert_eq!((filter.fmode, filter.sources), (FilterMode::EXCLUDE, vec![ELSEWHERE]));
    socket.ip_unblock_source(from(ELSEWHERE)).unwrap();
    heard(&socket, THERE, ELSEWHERE.into());
}

#[test]
fn a_filter_of_senders_is_set_whole_and_read_back() {
    let _watchdog = watchdog(LIMIT);
    let socket = receiver(Family::INET);
    let group = IpMreqn { multiaddr: GROUP, address: HERE, ifindex: 0 };
    socket.ip_add_membership(group).unwrap();
    let filter = IpMsfilter {
        multiaddr: GROUP,
        interface: HERE,
        fmode: FilterMode::INCLUDE,
        sources: vec![ELSEWHERE, Ipv4Addr::new(127, 0, 0, 3)],
    };
    socket.set_ip_msfilter(&filter).unwrap();
    assert_eq!(socket.ip_msfilter(GROUP, HERE).unwrap(), filter);
    heard(&socket, THERE, ELSEWHERE.into());
    not_heard(&socket, THERE, HERE.into());

    let filter = GroupFilter {
        interface: LOOPBACK,
        group: GROUP.into(),
        fmode: FilterMode::EXCLUDE,
        sources: vec![ELSEWHERE.into()],
    };
    socket.set_mcast_msfilter(&filter).unwrap();
    assert_eq!(socket.mcast_msfilter(LOOPBACK, GROUP.into()).unwrap(), filter);
    not_heard(&socket, THERE, ELSEWHERE.into());
    heard(&socket, THERE, HERE.into());
}

#[test]
fn an_ipv6_group_is_heard_from_joining_to_leaving() {
    let _watchdog = watchdog(LIMIT);
    let Some((interface, source)) = interface6() else { return };
    let (socket, there) = (receiver(Family::INET6), (GROUP6.into(), interface));
    let group = Ipv6Mreq { multiaddr: GROUP6, interface };
    not_heard(&socket, there, source.into());
    socket.ipv6_join_group(group).unwrap();
    heard(&socket, there, source.into());
    socket.ipv6_leave_group(group).unwrap();
    not_heard(&socket, there, source.into());
    assert_eq!(errno(socket.ipv6_leave_group(group)), Some(libc::EADDRNOTAVAIL));
}

#[test]
fn the_options_of_both_families_take_ipv4() {
    let _watchdog = watchdog(LIMIT);
    either_family(Family::INET, THERE, HERE.into());
}

#[test]
fn the_options_of_both_families_take_ipv6() {
    let _watchdog = watchdog(LIMIT);
    let Some((interface, source)) = interface6() else { return };
    either_family(Family::INET6, (GROUP6.into(), interface), source.into());
}

fn either_family(family: Family, there: (IpAddr, u32), source: IpAddr) {
    let (socket, (group, interface)) = (receiver(family), there);
    let all = GroupReq { interface, group };
    let one = GroupSourceReq { interface, group, source };
    socket.mcast_join_group(all).unwrap();
    heard(&socket, there, source);
    socket.mcast_block_source(one).unwrap();
    not_heard(&socket, there, source);
    let filter = socket.mcast_msfilter(interface, group).unwrap();
    assert_eq!((filter.fmode, filter.sources), (FilterMode::EXCLUDE, vec![source]));
    socket.mcast_unblock_source(one).unwrap();
    heard(&socket, there, source);
    socket.mcast_leave_group(all).unwrap();
    not_heard(&socket, there, source);

    socket.mcast_join_source_group(one).unwrap();
    heard(&socket, there, source);
    socket.mcast_leave_source_group(one).unwrap();
    not_heard(&socket, there, source);
}
