//! Options do what their rows say: not only is the value kept, the socket behaves accordingly.

mod support;

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use socket::options::{
    FlowLabelAction, FlowLabelReq, FlowLabelShare, Md5Sig, SockFilter, TcpState,
};
use socket::{Deadline, Family, Interest, Protocol, SockAddr, Socket, Type};
use support::watchdog;

const LIMIT: Duration = Duration::from_secs(20);
/// Short enough to wait for what must not come, see its users.
const MOMENT: Deadline = Deadline::After(Duration::from_millis(50));

fn new(family: Family, kind: Type) -> Socket {
    Socket::new(family, kind, Protocol::DEFAULT).unwrap()
}

fn loopback(family: Family) -> SockAddr {
    match family {
        Family::INET6 => SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into(),
        _ => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(),
    }
}

fn bound(family: Family, kind: Type) -> Socket {
    let socket = new(family, kind);
    socket.bind(&loopback(family)).unwrap();
    socket
}

fn listener() -> Socket {
    let listener = bound(Family::INET, Type::STREAM);
    listener.listen(5).unwrap();
    listener
}

/// A client and what a listener accepted of it.
fn connection() -> (Socket, Socket) {
    let (client, listener) = (new(Family::INET, Type::STREAM), listener());
    client.connect(&listener.getsockname().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn errno<T: std::fmt::Debug>(answer: std::io::Result<T>) -> Option<i32> {
    answer.unwrap_err().raw_os_error()
}

#[test]
fn a_zero_linger_resets_the_connection() {
    let _watchdog = watchdog(LIMIT);
    let (client, server) = connection();
    client.set_so_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let kind = server.recv(&mut [0; 8]).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::ConnectionReset);
}

#[test]
fn the_time_to_live_is_what_the_peer_sees() {
    let _watchdog = watchdog(LIMIT);
    const PEER: &str = "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 0))
s.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
print(s.getsockname()[1], flush=True)
print(int.from_bytes(s.recvmsg(8, 64)[1][0][2], 'little'), flush=True)";
    let child = Command::new("python3").args(["-c", PEER]).stdout(Stdio::piped()).spawn();
    let mut child = match child {
        Err(error) => return println!("skipped: python3 does not start: {error}"),
        Ok(child) => child,
    };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port: u16 = lines.next().unwrap().parse().unwrap();

    let socket = new(Family::INET, Type::DGRAM);
    socket.set_ip_ttl(33).unwrap();
    socket.send_to(b"x", &SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).unwrap();
    assert_eq!(lines.next().as_deref(), Some("33"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn tcp_info_follows_the_connection() {
    let _watchdog = watchdog(LIMIT);
    let listener = listener();
    assert_eq!(listener.tcp_info().unwrap().state, TcpState::LISTEN);
    let client = new(Family::INET, Type::STREAM);
    assert_eq!(client.tcp_info().unwrap().state, TcpState::CLOSE);
    client.connect(&listener.getsockname().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    client.send_all(b"hello").unwrap();
    server.recv_exact(&mut [0; 5]).unwrap();

    let info = client.tcp_info().unwrap();
    assert_eq!((info.state, info.bytes_sent), (TcpState::ESTABLISHED, 5));
    assert_eq!(server.tcp_info().unwrap().bytes_received, 5);
    assert!(info.snd_mss > 500 && info.rto > Duration::ZERO, "{info:?}");

    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(server.recv(&mut [0; 5]).unwrap(), 0);
    assert_eq!(server.tcp_info().unwrap().state, TcpState::CLOSE_WAIT);
}

#[test]
fn the_peer_of_a_pair_is_this_process() {
    let (left, _right) = Socket::pair(Family::UNIX, Type::STREAM, Protocol::DEFAULT).unwrap();
    let peer = left.so_peercred().unwrap();
    let owner = std::fs::metadata("/proc/self").unwrap();
    assert_eq!(peer.pid as u32, std::process::id());
    assert_eq!((peer.uid, peer.gid), (owner.uid(), owner.gid()));

    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
    let groups: Vec<u32> = groups.split_whitespace().map(|group| group.parse().unwrap()).collect();
    assert_eq!(left.so_peergroups().unwrap(), groups);
}

/// Keeps datagrams whose payload begins with `first`; the UDP header before it has eight bytes.
fn only(first: u8) -> [SockFilter; 4] {
    [
        SockFilter::stmt(SockFilter::LD | SockFilter::B | SockFilter::ABS, 8),
        SockFilter::jump(SockFilter::JMP | SockFilter::JEQ | SockFilter::K, first.into(), 0, 1),
        SockFilter::stmt(SockFilter::RET | SockFilter::K, u32::MAX),
        SockFilter::stmt(SockFilter::RET | SockFilter::K, 0),
    ]
}

#[test]
fn a_filter_drops_what_it_does_not_keep() {
    let _watchdog = watchdog(LIMIT);
    let receiver = bound(Family::INET, Type::DGRAM);
    receiver.set_so_attach_filter(&only(b'!')).unwrap();
    assert_eq!(receiver.so_get_filter().unwrap(), only(b'!'));
    let sender = new(Family::INET, Type::DGRAM);
    sender.connect(&receiver.getsockname().unwrap()).unwrap();

    let mut buffer = [0; 8];
    sender.send(b"no").unwrap();
    sender.send(b"!yes").unwrap();
    let count = receiver.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"!yes");

    receiver.so_detach_filter().unwrap();
    assert_eq!(errno(receiver.so_detach_filter()), Some(libc::ENOENT));
    sender.send(b"no").unwrap();
    let count = receiver.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"no");

    receiver.set_so_attach_filter(&only(b'!')).unwrap();
    receiver.set_so_lock_filter(true).unwrap();
    assert_eq!(errno(receiver.so_detach_filter()), Some(libc::EPERM));
}

#[test]
fn a_wrong_filter_is_refused() {
    let socket = new(Family::INET, Type::DGRAM);
    let endless = [SockFilter::stmt(SockFilter::LD | SockFilter::IMM, 1)];
    assert_eq!(errno(socket.set_so_attach_filter(&endless)), Some(libc::EINVAL));
    assert_eq!(errno(socket.set_so_attach_filter(&[])), Some(libc::EINVAL));
    let long = vec![SockFilter::stmt(SockFilter::RET, 0); 70_000];
    assert_eq!(socket.set_so_attach_filter(&long).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_program_chooses_among_sockets_that_share_a_port() {
    let _watchdog = watchdog(LIMIT);
    let first = new(Family::INET, Type::DGRAM);
    first.set_so_reuseport(true).unwrap();
    first.bind(&loopback(Family::INET)).unwrap();
    let second = new(Family::INET, Type::DGRAM);
    second.set_so_reuseport(true).unwrap();
    second.bind(&first.getsockname().unwrap()).unwrap();

    // The program sees the payload only; its first byte is the index.
    let by_first_byte = [
        SockFilter::stmt(SockFilter::LD | SockFilter::B | SockFilter::ABS, 0),
        SockFilter::stmt(SockFilter::RET | SockFilter::A, 0),
    ];
    first.set_so_attach_reuseport_cbpf(&by_first_byte).unwrap();
    let sender = new(Family::INET, Type::DGRAM);
    for (index, receiver) in [(1, &second), (0, &first), (1, &second)] {
        sender.send_to(&[index], &first.getsockname().unwrap()).unwrap();
        assert_eq!(receiver.recv(&mut [0; 4]).unwrap(), 1);
    }
    match first.so_detach_reuseport_bpf() {
        Ok(()) => assert_eq!(errno(first.so_detach_reuseport_bpf()), Some(libc::ENOENT)),
        Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}"),
    }
}

#[test]
fn a_socket_is_bound_to_an_interface_by_name() {
    let _watchdog = watchdog(LIMIT);
    let here = new(Family::INET, Type::DGRAM);
    here.set_so_bindtodevice(Some("lo")).unwrap();
    assert_eq!(here.so_bindtodevice().unwrap().as_deref(), Some("lo"));
    assert_eq!(here.so_bindtoifindex().unwrap(), 1);
    here.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).unwrap();
    let port = here.getsockname().unwrap();

    // Through different interfaces two sockets can have one port, and each hears its own.
    let interfaces = std::fs::read_dir("/sys/class/net").unwrap();
    let interfaces = interfaces.map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let mut names = interfaces.map(|entry| entry.file_name().into_string().unwrap());
    match names.find(|name| name != "lo") {
        None => println!("skipped: no second interface"),
        Some(other) => {
            let there = new(Family::INET, Type::DGRAM);
            there.set_so_bindtodevice(Some(&other)).unwrap();
            there.bind(&port).unwrap();
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port.port().unwrap()));
            new(Family::INET, Type::DGRAM).send_to(b"x", &to.into()).unwrap();
            assert_eq!(here.recv(&mut [0; 4]).unwrap(), 1);
            let kind = there.recv_by(&mut [0; 4], Deadline::Immediate).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::WouldBlock);
        }
    }

    let socket = new(Family::INET, Type::DGRAM);
    assert_eq!(errno(socket.set_so_bindtodevice(Some("no such"))), Some(libc::ENODEV));
    let long = socket.set_so_bindtodevice(Some("longer than an interface's name"));
    assert_eq!(long.unwrap_err().kind(), ErrorKind::InvalidInput);
    socket.set_so_bindtodevice(None).unwrap();
    assert_eq!(socket.so_bindtodevice().unwrap(), None);
}

#[test]
fn an_ipv6_socket_becomes_an_ipv4_one() {
    let _watchdog = watchdog(LIMIT);
    let listener = listener();
    let port = listener.getsockname().unwrap().port().unwrap();
    let client = new(Family::INET6, Type::STREAM);
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    client.connect(&SocketAddr::from((mapped, port)).into()).unwrap();
    client.set_ipv6_addrform(Family::INET).unwrap();
    assert_eq!(client.so_domain().unwrap(), Family::INET);
    assert_eq!(client.getpeername().unwrap(), listener.getsockname().unwrap());
}

#[test]
fn the_packet_size_of_ipv6_can_be_limited() {
    let _watchdog = watchdog(LIMIT);
    let receiver = bound(Family::INET6, Type::DGRAM);
    let sender = new(Family::INET6, Type::DGRAM);
    assert_eq!(errno(sender.ipv6_mtu()), Some(libc::ENOTCONN));
    assert_eq!(errno(sender.set_ipv6_mtu(1279)), Some(libc::EINVAL));
    sender.set_ipv6_mtu(1280).unwrap();
    sender.connect(&receiver.getsockname().unwrap()).unwrap();
    assert!(sender.ipv6_mtu().unwrap() >= 1280);
    sender.set_ipv6_dontfrag(true).unwrap();
    sender.send(&[0; 1280 - 48]).unwrap();
    assert_eq!(errno(sender.send(&[0; 1280 - 47])), Some(libc::EMSGSIZE));
}

#[test]
fn an_unknown_layer_or_algorithm_is_not_found() {
    let (client, _server) = connection();
    assert_eq!(errno(client.set_tcp_ulp("no such")), Some(libc::ENOENT));
    assert_eq!(client.tcp_ulp().unwrap(), None);
    assert_eq!(errno(client.set_tcp_congestion("no such")), Some(libc::ENOENT));
    let long = client.set_tcp_congestion("a name of more than fifteen bytes");
    assert_eq!(long.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn signed_segments_reach_only_who_has_the_key() {
    let _watchdog = watchdog(LIMIT);
    let localhost = Ipv4Addr::LOCALHOST.into();
    let key = Md5Sig { addr: localhost, prefixlen: None, ifindex: 0, key: b"secret".into() };
    let network = Md5Sig { prefixlen: Some(8), ..key.clone() };
    assert!(!format!("{key:?}").contains("115"), "the key is not printed");

    let listener = listener();
    if let Err(error) = listener.set_tcp_md5sig_ext(&network) {
        return println!("skipped: no CONFIG_TCP_MD5SIG here: {error}");
    }
    let knowing = new(Family::INET, Type::STREAM);
    knowing.set_tcp_md5sig(&key).unwrap();
    knowing.connect(&listener.getsockname().unwrap()).unwrap();
    listener.accept().unwrap();

    let guessing = new(Family::INET, Type::STREAM);
    guessing.set_tcp_md5sig(&Md5Sig { key: b"guess".into(), ..key }).unwrap();
    guessing.set_timeout(Some(Duration::from_millis(50))).unwrap();
    let answer = guessing.connect(&listener.getsockname().unwrap());
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::TimedOut);

    let long = Md5Sig { addr: localhost, prefixlen: None, ifindex: 0, key: vec![0; 81] };
    let answer = new(Family::INET, Type::STREAM).set_tcp_md5sig(&long);
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_listener_keeps_the_first_segment() {
    let _watchdog = watchdog(LIMIT);
    let listener = listener();
    listener.set_tcp_save_syn(1).unwrap();
    let client = new(Family::INET, Type::STREAM);
    client.connect(&listener.getsockname().unwrap()).unwrap();
    let (server, peer) = listener.accept().unwrap();
    let syn = server.tcp_saved_syn().unwrap();
    assert_eq!(syn[0] >> 4, 4, "an IPv4 header");
    assert_eq!(syn[20..22], peer.port().unwrap().to_be_bytes(), "and a TCP header behind it");
    assert_eq!(server.tcp_saved_syn().unwrap(), [], "it is given out once");
}

#[test]
fn netlink_groups_are_joined_and_left() {
    let socket = new(Family(libc::AF_NETLINK), Type::RAW);
    let group = libc::RTNLGRP_LINK;
    socket.netlink_add_membership(group).unwrap();
    assert_eq!(socket.netlink_list_memberships().unwrap(), [group]);
    socket.netlink_drop_membership(group).unwrap();
    assert_eq!(socket.netlink_list_memberships().unwrap(), [0_u32; 0]);
}

#[test]
fn a_corked_udp_socket_sends_one_datagram() {
    let _watchdog = watchdog(LIMIT);
    let receiver = bound(Family::INET, Type::DGRAM);
    let sender = new(Family::INET, Type::DGRAM);
    sender.connect(&receiver.getsockname().unwrap()).unwrap();
    sender.set_udp_cork(true).unwrap();
    sender.send(b"one, ").unwrap();
    sender.send(b"two").unwrap();
    sender.set_udp_cork(false).unwrap();
    let mut buffer = [0; 32];
    let count = receiver.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"one, two");
}

#[test]
fn one_send_is_cut_into_datagrams() {
    let _watchdog = watchdog(LIMIT);
    let receiver = bound(Family::INET, Type::DGRAM);
    let sender = new(Family::INET, Type::DGRAM);
    sender.connect(&receiver.getsockname().unwrap()).unwrap();
    sender.set_udp_segment(4).unwrap();
    assert_eq!(sender.send(b"onestwosend").unwrap(), 11);
    for part in [&b"ones"[..], b"twos", b"end"] {
        let mut buffer = [0; 32];
        let count = receiver.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], part);
    }
}

#[test]
fn a_low_water_mark_waits_for_enough() {
    let _watchdog = watchdog(LIMIT);
    let (client, server) = connection();
    server.set_so_rcvlowat(4).unwrap();
    server.set_timeout(Some(Duration::from_millis(50))).unwrap();
    client.send_all(b"abc").unwrap();
    assert_eq!(server.wait(Interest::READ).unwrap_err().kind(), ErrorKind::TimedOut);
    client.send_all(b"d").unwrap();
    server.set_timeout(None).unwrap();
    server.wait(Interest::READ).unwrap();
    assert_eq!(server.recv(&mut [0; 8]).unwrap(), 4);
}

#[test]
fn broadcast_must_be_asked_for() {
    let socket = new(Family::INET, Type::DGRAM);
    let everyone: SockAddr = SocketAddr::from((Ipv4Addr::BROADCAST, 9)).into();
    socket.set_so_bindtodevice(Some("lo")).unwrap();
    assert_eq!(errno(socket.send_to(b"x", &everyone)), Some(libc::EACCES));
    socket.set_so_broadcast(true).unwrap();
    // Through the loopback interface nobody is bothered.
    socket.send_to(b"x", &everyone).unwrap();
}

#[test]
fn ports_come_from_the_range() {
    let socket = new(Family::INET, Type::DGRAM);
    if let Err(error) = socket.set_ip_local_port_range(Some(45_000..=45_099)) {
        return println!("skipped: needs Linux 6.3: {error}");
    }
    socket.bind(&loopback(Family::INET)).unwrap();
    let port = socket.getsockname().unwrap().port().unwrap();
    assert!((45_000..=45_099).contains(&port), "{port}");
}

#[test]
fn a_free_bind_takes_an_address_of_nobody() {
    let nobody: SockAddr = "203.0.113.9:0".parse::<SocketAddr>().unwrap().into();
    let socket = new(Family::INET, Type::DGRAM);
    assert_eq!(errno(socket.bind(&nobody)), Some(libc::EADDRNOTAVAIL));
    socket.set_ip_freebind(true).unwrap();
    socket.bind(&nobody).unwrap();
}

#[test]
fn packets_from_too_far_away_are_not_taken_in() {
    let _watchdog = watchdog(LIMIT);
    let (client, server) = connection();
    server.set_ip_minttl(64).unwrap();
    client.set_ip_ttl(63).unwrap();
    client.send_all(b"too far").unwrap();
    assert_eq!(server.recv_by(&mut [0; 8], MOMENT).unwrap_err().kind(), ErrorKind::TimedOut);
    client.set_ip_ttl(64).unwrap();
    // What was not acknowledged is sent again, now from near enough.
    server.recv_exact(&mut [0; 7]).unwrap();
}

#[test]
fn a_flow_label_is_lent_by_the_kernel() {
    let socket = new(Family::INET6, Type::DGRAM);
    let request = FlowLabelReq {
        dst: Ipv6Addr::LOCALHOST,
        label: 0,
        action: FlowLabelAction::Get,
        share: FlowLabelShare::Excl,
        flags: 1,
        expires: Duration::from_secs(6),
        linger: Duration::from_secs(6),
    };
    let label = socket.ipv6_flowlabel_mgr(request).unwrap();
    assert!((1..1 << 20).contains(&label), "{label:#x}");
    let back = FlowLabelReq { label, action: FlowLabelAction::Put, ..request };
    socket.ipv6_flowlabel_mgr(back).unwrap();
    assert_eq!(errno(socket.ipv6_flowlabel_mgr(back)), Some(libc::ESRCH));
}

#[test]
fn durations_are_rounded_up_and_bounded() {
    let socket = new(Family::INET, Type::STREAM);
    socket.set_tcp_keepidle(Duration::from_millis(1_200)).unwrap();
    assert_eq!(socket.tcp_keepidle().unwrap(), Duration::from_secs(2));
    socket.set_tcp_user_timeout(Duration::from_nanos(1)).unwrap();
    assert_eq!(socket.tcp_user_timeout().unwrap(), Duration::from_millis(1));
    let long = socket.set_tcp_keepidle(Duration::MAX);
    assert_eq!(long.unwrap_err().kind(), ErrorKind::InvalidInput);
    let long = socket.set_so_linger(Some(Duration::MAX));
    assert_eq!(long.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn options_that_hold_addresses_are_refused_as_bytes() {
    let socket = new(Family::INET, Type::STREAM);
    let mut room = [0; 40];
    let answer = socket.getsockopt(libc::IPPROTO_TCP, libc::TCP_ZEROCOPY_RECEIVE, &mut room);
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unsupported);
    let answer = socket.setsockopt(libc::IPPROTO_IPV6, libc::IPV6_FLOWLABEL_MGR, &[0; 32]);
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn the_kernels_time_limits_cannot_be_changed_behind_the_sockets_back() {
    let socket = new(Family::INET, Type::DGRAM);
    for name in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
        let answer = socket.setsockopt(libc::SOL_SOCKET, name, &[0; 16]);
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
