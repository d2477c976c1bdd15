//! Each kind of ancillary data arrives as what it is, is honoured when sent, and survives being
//! cut.
//!
//! Promises of CPython's `RecvmsgRFC3542AncillaryUDP6Test`, `RecvmsgRFC3542AncillaryUDPLITE6Test`,
//! `RecvmsgIntoRFC3542AncillaryUDP6Test`, `RecvmsgIntoRFC3542AncillaryUDPLITE6Test`.

mod support;

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime};

use socket::{
    Ancillary, ControlBuffer, Credentials, Family, Flags, PacketInfo, PacketInfo6, Protocol,
    Socket, Type, cmsg_len, cmsg_space,
};
use support::{Watchdog, watchdog};

// Linux numbers that the libc crate does not have: asm-generic/socket.h.
const SO_RCVMARK: i32 = 75;
const SO_PASSPIDFD: i32 = 76;

fn guarded() -> Watchdog {
    watchdog(Duration::from_secs(20))
}

/// A sender connected to a receiver that has the options on; none where the kernel lacks
/// something, which is said.
fn pair(address: &str, protocol: i32, options: &[(i32, i32, i32)]) -> Option<(Socket, Socket)> {
    match try_pair(address, protocol, options) {
        Ok(pair) => Some(pair),
        Err(error) => skipped(&format!("{address} {protocol} {options:?}: {error}")),
    }
}

fn skipped<T>(reason: &str) -> Option<T> {
    assert!(std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none(), "not here: {reason}");
    println!("skipped: {reason}");
    None
}

fn try_pair(
    address: &str,
    protocol: i32,
    options: &[(i32, i32, i32)],
) -> std::io::Result<(Socket, Socket)> {
    let address = address.parse::<SocketAddr>().unwrap().into();
    let make = || {
        let family = if matches!(address, socket::SockAddr::Inet(_)) { 2 } else { 10 };
        let socket = Socket::new(Family(family), Type::DGRAM, Protocol(protocol))?;
        socket.bind(&address).map(|()| socket)
    };
    let (sender, receiver) = (make()?, make()?);
    sender.connect(&receiver.getsockname()?)?;
    for (level, name, value) in options {
        receiver.setsockopt(*level, *name, &value.to_ne_bytes())?;
    }
    Ok((sender, receiver))
}

fn send(socket: &Socket, ancillary: &[Ancillary<'_>]) {
    socket.send_msg(&[IoSlice::new(b"x")], ancillary, Flags::NONE, None).unwrap();
}

/// Receives one message with room for `size` bytes of ancillary data.
fn receive(socket: &Socket, size: usize) -> (ControlBuffer, Flags) {
    let mut control = ControlBuffer::with_capacity(size);
    let mut buffer = [0; 16];
    let buffers = &mut [IoSliceMut::new(&mut buffer)];
    let received = socket.recv_msg(buffers, &mut control, Flags::NONE).unwrap();
    assert_eq!(received.count, 1);
    (control, received.flags)
}

/// What `pick` finds in the ancillary data of the next message.
fn found<T>(socket: &Socket, pick: impl Fn(Ancillary<'_>) -> Option<T>) -> T {
    let (control, flags) = receive(socket, ControlBuffer::DEFAULT);
    assert_eq!(flags, Flags::NONE);
    control.messages().find_map(pick).unwrap_or_else(|| panic!("not in {control:?}"))
}

/// Picks the value of one variant.
macro_rules! value {
    ($variant:ident) => {
        |piece| match piece {
            Ancillary::$variant(value) => Some(value),
            _ => None,
        }
    };
}

const V4: (&str, i32) = ("127.0.0.1:0", 0);
const V6: (&str, i32) = ("[::1]:0", 0);
const HOPS_AND_CLASS: [(i32, i32, i32); 2] = [
    (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1),
];

#[test]
fn hop_limit_and_traffic_class_arrive_as_they_were_sent() {
    let _watchdog = guarded();
    for protocol in [0, libc::IPPROTO_UDPLITE] {
        let Some((sender, receiver)) = pair("[::1]:0", protocol, &HOPS_AND_CLASS) else { continue };
        send(&sender, &[]);
        assert!(found(&receiver, value!(HopLimit)) > 0);
        send(&sender, &[]);
        assert_eq!(found(&receiver, value!(TrafficClass)), 0);
        let both = [Ancillary::HopLimit(3), Ancillary::TrafficClass(0x20)];
        send(&sender, &both);
        assert_eq!(found(&receiver, value!(HopLimit)), 3);
        send(&sender, &both);
        assert_eq!(found(&receiver, value!(TrafficClass)), 0x20);
    }
}

#[test]
fn ancillary_data_cut_anywhere_gives_what_is_whole_and_says_so() {
    let _watchdog = guarded();
    for protocol in [0, libc::IPPROTO_UDPLITE] {
        let Some((sender, receiver)) = pair("[::1]:0", protocol, &HOPS_AND_CLASS) else { continue };
        let (one, whole) = (cmsg_len(4).unwrap(), cmsg_space(4).unwrap());
        for size in 0..=2 * whole {
            send(&sender, &[Ancillary::HopLimit(9), Ancillary::TrafficClass(0x20)]);
            let (control, flags) = receive(&receiver, size);
            let named = |piece: &Ancillary<'_>| match piece {
                Ancillary::HopLimit(hops) => *hops == 9,
                Ancillary::TrafficClass(class) => *class == 0x20,
                _ => false,
            };
            let expected = usize::from(size >= one) + usize::from(size >= whole + one);
            let whole_ones = control.messages().take_while(named).count();
            assert_eq!(whole_ones, expected, "{size}: {control:?}");
            assert_eq!(flags.contains(Flags::CTRUNC), whole_ones < 2, "{size}: {control:?}");
            for cut in control.messages().skip(whole_ones) {
                assert!(matches!(cut, Ancillary::Raw { bytes, .. } if bytes.len() < 4), "{size}");
            }
        }
    }
}

#[test]
fn ttl_and_type_of_service_arrive_as_they_were_sent() {
    let _watchdog = guarded();
    let options =
        [(libc::IPPROTO_IP, libc::IP_RECVTTL, 1), (libc::IPPROTO_IP, libc::IP_RECVTOS, 1)];
    let Some((sender, receiver)) = pair(V4.0, V4.1, &options) else { return };
    let both = [Ancillary::Ttl(3), Ancillary::Tos(0x10)];
    send(&sender, &both);
    assert_eq!(found(&receiver, value!(Ttl)), 3);
    send(&sender, &both);
    assert_eq!(found(&receiver, value!(Tos)), 0x10);
}

#[test]
fn packet_info_tells_the_way_in_and_chooses_the_way_out() {
    let _watchdog = guarded();
    let Some((sender, receiver)) = pair(V4.0, V4.1, &[(libc::IPPROTO_IP, libc::IP_PKTINFO, 1)])
    else {
        return;
    };
    send(&sender, &[]);
    let info: PacketInfo = found(&receiver, value!(PacketInfo));
    assert_eq!((info.addr, info.spec_dst), (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST));
    assert_ne!(info.ifindex, 0);

    // An answer from another of the machine's addresses, on the interface it came in by.
    let out = Socket::new(Family::INET, Type::DGRAM, Default::default()).unwrap();
    let spec_dst = Ipv4Addr::new(127, 0, 0, 9);
    let info = [Ancillary::PacketInfo(PacketInfo { spec_dst, ..info })];
    let to = receiver.getsockname().unwrap();
    out.send_msg(&[IoSlice::new(b"x")], &info, Flags::NONE, Some(&to)).unwrap();
    let (_, from) = receiver.recv_from(&mut [0; 8]).unwrap();
    assert_eq!(from.as_inet().unwrap().ip(), spec_dst);
}

#[test]
fn packet_info_of_ipv6_tells_the_way_in_and_chooses_the_way_out() {
    let _watchdog = guarded();
    let options = [(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)];
    let Some((sender, receiver)) = pair(V6.0, V6.1, &options) else { return };
    send(&sender, &[]);
    let info: PacketInfo6 = found(&receiver, value!(PacketInfo6));
    assert_eq!(info.addr, Ipv6Addr::LOCALHOST);
    send(&sender, &[Ancillary::PacketInfo6(info)]);
    assert_eq!(found(&receiver, value!(PacketInfo6)), info);
    let nowhere = PacketInfo6 { addr: Ipv6Addr::LOCALHOST, ifindex: i32::MAX as u32 };
    let nowhere = [Ancillary::PacketInfo6(nowhere)];
    sender.send_msg(&[IoSlice::new(b"x")], &nowhere, Flags::NONE, None).unwrap_err();
}

#[test]
fn times_of_arrival_are_now() {
    let _watchdog = guarded();
    let flags = (libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE) as i32;
    let options = [libc::SO_TIMESTAMP, libc::SO_TIMESTAMPNS, libc::SO_TIMESTAMPING];
    for (name, value) in options.into_iter().zip([1, 1, flags]) {
        let option = (libc::SOL_SOCKET, name, value);
        let Some((sender, receiver)) = pair(V4.0, V4.1, &[option]) else { continue };
        let before = SystemTime::now();
        let pick = |piece: Ancillary<'_>| match piece {
            Ancillary::Timestamp(at) if name == libc::SO_TIMESTAMP => Some(at),
            Ancillary::TimestampNs(at) if name == libc::SO_TIMESTAMPNS => Some(at),
            Ancillary::Timestamping(times) if name == libc::SO_TIMESTAMPING => {
                assert_eq!(times.hardware, None, "the loopback has no clock");
                times.software
            }
            _ => None,
        };
        // The first socket to ask for times has the kernel begin with them a little later.
        let at = loop {
            send(&sender, &[]);
            let (control, _) = receive(&receiver, ControlBuffer::DEFAULT);
            if let Some(at) = control.messages().find_map(pick) {
                break at;
            }
        };
        let after = SystemTime::now();
        // The clock of the day may be set back meanwhile, but not by this much.
        let slack = Duration::from_secs(60);
        assert!(before - slack < at && at < after + slack, "{at:?} is not now");
    }
}

#[test]
fn lost_packets_are_counted() {
    let _watchdog = guarded();
    let options =
        [(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1), (libc::SOL_SOCKET, libc::SO_RCVBUF, 1)];
    let Some((sender, receiver)) = pair(V4.0, V4.1, &options) else { return };
    let mut sent = 0;
    for _ in 0..200 {
        sent += u32::from(sender.send(&[0; 1024]).is_ok());
    }
    let mut received = 0;
    while receiver.recv_with(&mut [0; 1024], Flags::DONTWAIT).is_ok() {
        received += 1;
    }
    assert!(received < sent, "the queue took everything");
    send(&sender, &[]);
    assert_eq!(found(&receiver, value!(QueueOverflow)), sent - received);
}

#[test]
fn marks_arrive_as_they_were_sent() {
    let _watchdog = guarded();
    let Some((sender, receiver)) = pair(V4.0, V4.1, &[(libc::SOL_SOCKET, SO_RCVMARK, 1)]) else {
        return;
    };
    let mark = [Ancillary::Mark(7)];
    match sender.send_msg(&[IoSlice::new(b"x")], &mark, Flags::NONE, None) {
        Ok(_) => assert_eq!(found(&receiver, value!(Mark)), 7),
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
            skipped::<()>("marks need CAP_NET_ADMIN");
        }
    }
}

#[test]
fn credentials_are_those_of_the_sender() {
    let _watchdog = guarded();
    for kind in [Type::STREAM, Type::DGRAM, Type::SEQPACKET] {
        let (left, right) = Socket::pair(Family::UNIX, kind, Default::default()).unwrap();
        right.setsockopt(libc::SOL_SOCKET, libc::SO_PASSCRED, &1_i32.to_ne_bytes()).unwrap();
        let own = Credentials::current();
        assert_eq!(own.pid.unsigned_abs(), std::process::id());
        for ancillary in [&[][..], &[Ancillary::Credentials(own)]] {
            send(&left, ancillary);
            let (control, _) = receive(&right, ControlBuffer::DEFAULT);
            let pieces: Vec<_> = control.messages().collect();
            assert!(matches!(pieces[..], [Ancillary::Credentials(found)] if found == own));
        }
        // A process that is surely not this one: only the privileged may claim to be it.
        let other = Ancillary::Credentials(Credentials { pid: i32::MAX, ..own });
        let refused = left.send_msg(&[IoSlice::new(b"x")], &[other], Flags::NONE, None);
        assert!(matches!(refused.unwrap_err().raw_os_error(), Some(libc::EPERM | libc::ESRCH)));
    }
}

#[test]
fn a_process_descriptor_names_the_sender_and_is_closed_if_not_taken() {
    let _watchdog = guarded();
    let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    if let Err(error) = right.setsockopt(libc::SOL_SOCKET, SO_PASSPIDFD, &1_i32.to_ne_bytes()) {
        return skipped(&format!("SO_PASSPIDFD: {error}")).unwrap_or_default();
    }
    send(&left, &[]);
    let (mut control, _) = receive(&right, ControlBuffer::DEFAULT);
    let info = |number: i32| std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"));
    let shown = control.messages().find_map(value!(Pidfd)).unwrap().as_raw_fd();
    let own = format!("Pid:\t{}", std::process::id());
    assert!(info(shown).unwrap().lines().any(|line| line == own), "not a descriptor of {own}");
    let taken = control.take_pidfd().unwrap();
    assert_eq!(taken.as_raw_fd(), shown);
    assert!(control.take_pidfd().is_none());
    assert!(!control.messages().any(|piece| matches!(piece, Ancillary::Pidfd(_))));
    drop(taken);

    // Cut anywhere, there is either the descriptor or nothing, and nothing stays open.
    let whole = cmsg_space(4).unwrap();
    for size in 0..=whole {
        send(&left, &[]);
        let (mut control, flags) = receive(&right, size);
        let pidfd = control.take_pidfd();
        assert_eq!(pidfd.is_none(), flags.contains(Flags::CTRUNC), "with {size} bytes");
        assert!(pidfd.is_some() || size < whole);
    }
}

#[test]
fn what_has_no_name_here_passes_as_bytes() {
    let _watchdog = guarded();
    let Some((sender, receiver)) = pair(V4.0, V4.1, &[(libc::IPPROTO_IP, libc::IP_RECVTTL, 1)])
    else {
        return;
    };
    // A known kind, sent by number; and IP_RECVORIGDSTADDR, which has no variant.
    let ttl = 5_i32.to_ne_bytes();
    let raw = Ancillary::Raw { level: libc::IPPROTO_IP, kind: libc::IP_TTL, bytes: &ttl };
    send(&sender, &[raw]);
    assert_eq!(found(&receiver, value!(Ttl)), 5);
    receiver.setsockopt(libc::IPPROTO_IP, libc::IP_RECVORIGDSTADDR, &1_i32.to_ne_bytes()).unwrap();
    send(&sender, &[]);
    let bytes = found(&receiver, |piece| match piece {
        Ancillary::Raw { level: libc::IPPROTO_IP, kind: libc::IP_ORIGDSTADDR, bytes } => {
            Some(bytes.to_vec())
        }
        _ => None,
    });
    let port = receiver.getsockname().unwrap().port().unwrap();
    assert_eq!(bytes[2..8], [&port.to_be_bytes()[..], &[127, 0, 0, 1]].concat());
}

#[test]
fn nonsense_is_refused_by_the_kernel_and_comes_back_unchanged() {
    let _watchdog = guarded();
    let Some((sender, _receiver)) = pair(V4.0, V4.1, &[]) else { return };
    for (level, kind, bytes) in
        [(libc::IPPROTO_IP, -1, &b"abc"[..]), (libc::IPPROTO_IP, libc::IP_TTL, b"x")]
    {
        let raw = Ancillary::Raw { level, kind, bytes };
        let error = sender.send_msg(&[IoSlice::new(b"x")], &[raw], Flags::NONE, None).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
    let received = [
        Ancillary::GroSize(1),
        Ancillary::QueueOverflow(1),
        Ancillary::Timestamp(SystemTime::UNIX_EPOCH),
    ];
    for piece in received {
        let error =
            sender.send_msg(&[IoSlice::new(b"x")], &[piece], Flags::NONE, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
