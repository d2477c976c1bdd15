//! A message arrives as it was sent, over every transport: gathered, scattered, cut, looked at.
//!
//! Promises of CPython's `SendmsgUDPTest`, `SendmsgUDP6Test`, `SendmsgUDPLITETest`,
//! `SendmsgUDPLITE6Test`, `SendmsgTCPTest`, `SendmsgUnixStreamTest`; `RecvmsgUDPTest`,
//! `RecvmsgUDP6Test`, `RecvmsgUDPLITETest`, `RecvmsgUDPLITE6Test`, `RecvmsgTCPTest`,
//! `RecvmsgUnixStreamTest`; `RecvmsgIntoUDPTest`, `RecvmsgIntoUDP6Test`, `RecvmsgIntoUDPLITETest`,
//! `RecvmsgIntoUDPLITE6Test`, `RecvmsgIntoTCPTest`, `RecvmsgIntoUnixStreamTest`.

mod support;

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::Duration;

use socket::{Ancillary, ControlBuffer, Family, Flags, Protocol, Received, SockAddr, Socket, Type};
use support::watchdog;

const LIMIT: Duration = Duration::from_secs(20);
const MESSAGE: &[u8] = b"all of it, and in order\n";

/// Two connected ends.
struct Ends {
    sender: Socket,
    receiver: Socket,
    /// The sender's address, where the receiver is told of it.
    address: Option<SockAddr>,
    stream: bool,
}

/// Runs a promise over every transport; one that the kernel lacks is skipped, and said.
fn on_every_transport(promise: impl Fn(&Ends)) {
    let _watchdog = watchdog(LIMIT);
    const UDPLITE: Protocol = Protocol(libc::IPPROTO_UDPLITE);
    let (v4, v6) = ("127.0.0.1:0", "[::1]:0");
    let rows: [(&str, std::io::Result<Ends>); 8] = [
        ("UDP", datagrams(v4, Protocol::DEFAULT)),
        ("UDP6", datagrams(v6, Protocol::DEFAULT)),
        ("UDPLITE", datagrams(v4, UDPLITE)),
        ("UDPLITE6", datagrams(v6, UDPLITE)),
        ("TCP", tcp(v4)),
        ("UnixStream", unix(Type::STREAM)),
        ("UnixDatagram", unix(Type::DGRAM)),
        ("UnixSeqpacket", unix(Type::SEQPACKET)),
    ];
    for (name, ends) in rows {
        match ends {
            Ok(ends) => {
                println!("over {name}");
                promise(&ends);
            }
            Err(error) if std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none() => {
                println!("skipped over {name}: {error}");
            }
            Err(error) => panic!("no {name} here: {error}"),
        }
    }
}

fn bound(address: &str, kind: Type, protocol: Protocol) -> std::io::Result<Socket> {
    let address = SockAddr::from(address.parse::<SocketAddr>().unwrap());
    let socket = Socket::new(address.family(), kind, protocol)?;
    socket.bind(&address)?;
    Ok(socket)
}

fn datagrams(address: &str, protocol: Protocol) -> std::io::Result<Ends> {
    let sender = bound(address, Type::DGRAM, protocol)?;
    let receiver = bound(address, Type::DGRAM, protocol)?;
    sender.connect(&receiver.getsockname()?)?;
    let address = Some(sender.getsockname()?);
    Ok(Ends { sender, receiver, address, stream: false })
}

fn tcp(address: &str) -> std::io::Result<Ends> {
    let listener = bound(address, Type::STREAM, Protocol::DEFAULT)?;
    listener.listen(1)?;
    let sender = bound(address, Type::STREAM, Protocol::DEFAULT)?;
    sender.connect(&listener.getsockname()?)?;
    Ok(Ends { sender, receiver: listener.accept()?.0, address: None, stream: true })
}

fn unix(kind: Type) -> std::io::Result<Ends> {
    let (sender, receiver) = Socket::pair(Family::UNIX, kind, Protocol::DEFAULT)?;
    Ok(Ends { sender, receiver, address: None, stream: kind == Type::STREAM })
}

impl Ends {
    fn send(&self, bytes: &[u8]) {
        let sent = self.sender.send_msg(&[IoSlice::new(bytes)], &[], Flags::NONE, None).unwrap();
        assert_eq!(sent, bytes.len());
    }

    fn receive(&self, buffer: &mut [u8], flags: Flags) -> std::io::Result<Received> {
        let mut control = ControlBuffer::default();
        self.receiver.recv_msg(&mut [IoSliceMut::new(buffer)], &mut control, flags)
    }
}

#[test]
fn a_message_arrives_with_its_sender_and_nothing_else() {
    on_every_transport(|ends| {
        for room in [0, 1, 16, ControlBuffer::DEFAULT] {
            ends.send(MESSAGE);
            let mut buffer = [0; 1024];
            let mut control = ControlBuffer::with_capacity(room);
            let buffers = &mut [IoSliceMut::new(&mut buffer)];
            let received = ends.receiver.recv_msg(buffers, &mut control, Flags::NONE).unwrap();
            assert_eq!(received.flags, Flags::NONE);
            assert_eq!(received.address, ends.address);
            assert_eq!(control.messages().count(), 0);
            assert_eq!(&buffer[..received.count], MESSAGE);
        }
    });
}

#[test]
fn bytes_are_gathered_from_buffers_and_scattered_over_others() {
    on_every_transport(|ends| {
        let parts = [&MESSAGE[..5], b"", &MESSAGE[5..6], &MESSAGE[6..]].map(IoSlice::new);
        assert_eq!(ends.sender.send_msg(&parts, &[], Flags::NONE, None).unwrap(), MESSAGE.len());
        let (mut one, mut two, mut three) = ([0; 3], [0; 7], [0; 100]);
        let buffers = &mut [&mut one[..], &mut [], &mut two, &mut three].map(IoSliceMut::new);
        let mut control = ControlBuffer::default();
        let received = ends.receiver.recv_msg(buffers, &mut control, Flags::NONE).unwrap();
        assert_eq!(received.count, MESSAGE.len());
        let all = [&one[..], &two, &three[..MESSAGE.len() - 10]].concat();
        assert_eq!(all, MESSAGE);
    });
}

#[test]
fn a_buffer_too_small_cuts_a_datagram_and_leaves_the_rest_of_a_stream() {
    on_every_transport(|ends| {
        ends.send(MESSAGE);
        ends.send(b"next");
        let mut buffer = [0; 10];
        let received = ends.receive(&mut buffer, Flags::NONE).unwrap();
        assert_eq!((received.count, &buffer[..]), (10, &MESSAGE[..10]));
        let mut rest = [0; 1024];
        let second = ends.receive(&mut rest, Flags::NONE).unwrap();
        if ends.stream {
            assert_eq!(received.flags, Flags::NONE);
            assert!(MESSAGE[10..].iter().zip(&rest[..second.count]).all(|(a, b)| a == b));
        } else {
            assert!(received.flags.contains(Flags::TRUNC));
            assert_eq!(&rest[..second.count], b"next");
        }
    });
}

#[test]
fn asked_for_its_length_a_datagram_tells_all_of_it() {
    on_every_transport(|ends| {
        if !ends.stream {
            ends.send(MESSAGE);
            let received = ends.receive(&mut [0; 1], Flags::PEEK | Flags::TRUNC).unwrap();
            assert_eq!(received.count, MESSAGE.len());
            assert!(received.flags.contains(Flags::TRUNC));
            assert_eq!(ends.receiver.recv_with(&mut [0; 1], Flags::TRUNC).unwrap(), MESSAGE.len());
        }
    });
}

#[test]
fn looking_leaves_the_message_where_it_is() {
    on_every_transport(|ends| {
        ends.send(MESSAGE);
        for flags in [Flags::PEEK, Flags::PEEK, Flags::NONE] {
            let mut buffer = [0; 1024];
            let received = ends.receive(&mut buffer, flags).unwrap();
            assert_eq!(&buffer[..received.count], MESSAGE);
            assert_eq!(received.address, ends.address);
        }
        let error = ends.receive(&mut [0; 8], Flags::DONTWAIT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn an_empty_datagram_is_a_message() {
    on_every_transport(|ends| {
        if !ends.stream {
            ends.send(b"");
            ends.send(b"after");
            let received = ends.receive(&mut [0; 8], Flags::NONE).unwrap();
            assert_eq!((received.count, received.address), (0, ends.address.clone()));
            assert_eq!(ends.receive(&mut [0; 8], Flags::NONE).unwrap().count, 5);
        }
    });
}

#[test]
fn no_buffers_and_too_many_buffers_are_the_kernels_to_judge() {
    on_every_transport(|ends| {
        assert_eq!(ends.sender.send_msg(&[], &[], Flags::NONE, None).unwrap(), 0);
        let many = vec![IoSlice::new(b"x"); libc::UIO_MAXIOV as usize + 1];
        let error = ends.sender.send_msg(&many, &[], Flags::NONE, None).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        let mut bytes = vec![[0_u8; 1]; libc::UIO_MAXIOV as usize + 1];
        let mut many: Vec<_> = bytes.iter_mut().map(|byte| IoSliceMut::new(byte)).collect();
        let mut control = ControlBuffer::default();
        let error = ends.receiver.recv_msg(&mut many, &mut control, Flags::NONE).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    });
}

#[test]
fn a_message_that_is_refused_is_not_sent_in_part() {
    on_every_transport(|ends| {
        let buffers = [IoSlice::new(MESSAGE)];
        let bad = [Ancillary::Mark(0), Ancillary::GroSize(1)];
        let error = ends.sender.send_msg(&buffers, &bad, Flags::NONE, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = ends.sender.send_msg(&buffers, &[], Flags::ZEROCOPY, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        ends.send(b"whole");
        let mut buffer = [0; 1024];
        let received = ends.receive(&mut buffer, Flags::NONE).unwrap();
        assert_eq!(&buffer[..received.count], b"whole");
    });
}

#[test]
fn receiving_times_out_and_goes_on_afterwards() {
    const SHORT: Duration = Duration::from_millis(30);
    on_every_transport(|ends| {
        ends.receiver.set_timeout(Some(SHORT)).unwrap();
        let start = std::time::Instant::now();
        let error = ends.receive(&mut [0; 8], Flags::NONE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= SHORT);
        ends.receiver.set_timeout(Some(Duration::ZERO)).unwrap();
        let error = ends.receive(&mut [0; 8], Flags::NONE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        ends.receiver.set_timeout(None).unwrap();
        ends.send(b"late");
        assert_eq!(ends.receive(&mut [0; 8], Flags::NONE).unwrap().count, 4);
    });
}

#[test]
fn sending_into_a_full_stream_times_out_or_does_not_wait() {
    on_every_transport(|ends| {
        if ends.stream {
            let buffers = [IoSlice::new(&[7; 1 << 16])];
            ends.sender.set_timeout(Some(Duration::from_millis(30))).unwrap();
            let error = loop {
                if let Err(error) = ends.sender.send_msg(&buffers, &[], Flags::NONE, None) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            ends.sender.set_timeout(None).unwrap();
            let error = loop {
                if let Err(error) = ends.sender.send_msg(&buffers, &[], Flags::DONTWAIT, None) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    });
}

#[test]
fn the_end_of_a_stream_is_a_message_of_nothing() {
    on_every_transport(|ends| {
        if ends.stream {
            ends.sender.shutdown(std::net::Shutdown::Both).unwrap();
            let received = ends.receive(&mut [0; 8], Flags::NONE).unwrap();
            assert_eq!((received.count, received.flags), (0, Flags::NONE));
            let sent = ends.sender.send_msg(&[IoSlice::new(b"x")], &[], Flags::NONE, None);
            assert_eq!(sent.unwrap_err().kind(), ErrorKind::BrokenPipe);
        }
    });
}

#[test]
fn a_datagram_goes_where_it_is_addressed_and_nowhere_without_an_address() {
    let _watchdog = watchdog(LIMIT);
    let receiver = bound("127.0.0.1:0", Type::DGRAM, Protocol::DEFAULT).unwrap();
    let sender = bound("127.0.0.1:0", Type::DGRAM, Protocol::DEFAULT).unwrap();
    let bytes = [IoSlice::new(MESSAGE)];
    let error = sender.send_msg(&bytes, &[], Flags::NONE, None).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EDESTADDRREQ));
    let to = receiver.getsockname().unwrap();
    sender.send_msg(&bytes, &[], Flags::NONE, Some(&to)).unwrap();
    let mut buffer = [0; 64];
    let (count, from) = receiver.recv_from_with(&mut buffer, Flags::NONE).unwrap();
    assert_eq!((&buffer[..count], from), (MESSAGE, Some(sender.getsockname().unwrap())));
}
