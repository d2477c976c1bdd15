//! A TCP connection under repair tells its state and takes another's: it can be closed unnoticed
//! and made again, in this process or another.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket::options::{RepairOpt, RepairQueue};
use socket::{Family, Protocol, SockAddr, Socket, Type};
use support::watchdog;

fn new() -> Socket {
    Socket::new(Family::INET, Type::STREAM, Protocol::DEFAULT).unwrap()
}

/// A loopback address of this process alone, so that nobody takes the port while it is free.
fn own_address() -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 77, high, low)
}

#[test]
fn a_connection_is_closed_unnoticed_and_made_again() {
    let _watchdog = watchdog(Duration::from_secs(20));
    let (client, listener) = (new(), new());
    let loopback: SockAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into();
    listener.bind(&loopback).unwrap();
    listener.listen(1).unwrap();
    client.bind(&SocketAddr::from((own_address(), 0)).into()).unwrap();
    client.connect(&listener.getsockname().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    client.send_all(b"before ").unwrap();
    server.recv_exact(&mut [0; 7]).unwrap();
    if let Err(error) = client.set_tcp_repair(true) {
        return println!("skipped: needs CAP_NET_ADMIN: {error}");
    }

    // What there is to know.
    let sequence = |queue| {
        client.set_tcp_repair_queue(queue).unwrap();
        assert_eq!(client.tcp_repair_queue().unwrap(), queue);
        client.tcp_queue_seq().unwrap()
    };
    let (sent, received) = (sequence(RepairQueue::SEND_QUEUE), sequence(RepairQueue::RECV_QUEUE));
    let (window, info) = (client.tcp_repair_window().unwrap(), client.tcp_info().unwrap());
    let clock = client.tcp_timestamp().unwrap();
    let (here, there) = (client.getsockname().unwrap(), client.getpeername().unwrap());
    drop(client);

    // The same again, without a word to the peer.
    let copy = new();
    copy.set_tcp_repair(true).unwrap();
    assert!(copy.tcp_repair().unwrap());
    copy.set_so_reuseaddr(true).unwrap();
    copy.bind(&here).unwrap();
    copy.set_tcp_repair_queue(RepairQueue::SEND_QUEUE).unwrap();
    copy.set_tcp_queue_seq(sent).unwrap();
    copy.set_tcp_repair_queue(RepairQueue::RECV_QUEUE).unwrap();
    copy.set_tcp_queue_seq(received).unwrap();
    copy.connect(&there).unwrap();
    let scales = u32::from(info.snd_wscale) | u32::from(info.rcv_wscale) << 16;
    let mut options = vec![RepairOpt { opt_code: 2, opt_val: info.snd_mss }];
    let agreed = [(4, 3, scales), (2, 4, 0), (1, 8, 0)];
    for (bit, opt_code, opt_val) in agreed {
        if info.options & bit != 0 {
            options.push(RepairOpt { opt_code, opt_val });
        }
    }
    copy.set_tcp_repair_options(&options).unwrap();
    copy.set_tcp_timestamp(clock).unwrap();
    copy.set_tcp_repair_window(window).unwrap();
    assert_eq!(copy.tcp_repair_window().unwrap(), window);
    copy.set_tcp_repair(false).unwrap();

    let mut buffer = [0; 5];
    copy.send_all(b"after").unwrap();
    server.recv_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"after");
    server.send_all(b"back!").unwrap();
    copy.recv_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"back!");
}

#[test]
fn repairs_are_refused_outside_of_repair() {
    let socket = new();
    let answer = socket.set_tcp_repair_queue(RepairQueue::SEND_QUEUE);
    assert_eq!(answer.unwrap_err().raw_os_error(), Some(libc::EPERM));
    let options = [RepairOpt { opt_code: 2, opt_val: 1400 }];
    let answer = socket.set_tcp_repair_options(&options);
    assert_eq!(answer.unwrap_err().raw_os_error(), Some(libc::EINVAL));
}
