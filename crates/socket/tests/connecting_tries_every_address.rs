//! A connection is made if any address takes it: families in turn, the first to connect wins.
//!
//! Servers that never answer are listeners with a full queue: the kernel drops what comes.

mod support;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use socket::{
    ConnectOptions, Deadline, Endpoint, Family, SockAddr, Socket, ToEndpoints, Type,
    create_connection,
};
use support::{
    PATIENCE, listener, listener_at, listener_of_one_family, refusing, silent, watchdog,
};

/// So long that no attempt begins because of it.
const NEVER: Duration = Duration::from_secs(3600);

fn endpoints(addresses: &[&SockAddr]) -> Vec<Endpoint> {
    addresses.iter().flat_map(|one| one.to_endpoints(Type::STREAM).unwrap()).collect()
}

fn patient(attempt_delay: Duration) -> ConnectOptions {
    ConnectOptions { attempt_delay, timeout: Some(PATIENCE), ..Default::default() }
}

#[test]
fn a_silent_address_costs_one_delay_and_not_the_connection() {
    let _watchdog = watchdog(PATIENCE);
    let (_server, good) = listener();
    for silent in [silent("[::1]:0"), silent("127.0.0.2:0")] {
        let start = Instant::now();
        let list = endpoints(&[&silent.address, &good]);
        let socket = create_connection(list, &patient(Duration::from_millis(40))).unwrap();
        assert_eq!(socket.getpeername().unwrap(), good);
        assert!(start.elapsed() >= Duration::from_millis(40), "began before it was due");
    }
}

#[test]
fn the_delay_is_a_quarter_of_a_second_unless_said_otherwise() {
    let _watchdog = watchdog(PATIENCE);
    let ((_server, good), silent) = (listener(), silent("127.0.0.3:0"));
    let start = Instant::now();
    create_connection(endpoints(&[&silent.address, &good]), &Default::default()).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(250));
}

#[test]
fn a_failure_begins_the_next_at_once() {
    let _watchdog = watchdog(PATIENCE);
    let ((_server, good), (_held, refused)) = (listener(), refusing("127.0.0.1:0"));
    let (_held6, refused6) = refusing("[::1]:0");
    let list = endpoints(&[&refused6, &refused, &good]);
    let socket = create_connection(list, &patient(NEVER)).unwrap();
    assert_eq!(socket.getpeername().unwrap(), good);
}

#[test]
fn families_take_turns() {
    let _watchdog = watchdog(PATIENCE);
    let held = ["[::1]:0", "[::1]:0", "[::1]:0", "127.0.0.1:0", "127.0.0.1:0"].map(refusing);
    let list: Vec<_> = held.iter().map(|(_, address)| address).collect();
    let error = create_connection(endpoints(&list), &patient(NEVER)).unwrap_err();
    let tried: Vec<_> = error.attempts().iter().map(|failed| &failed.address).collect();
    assert_eq!(tried, [0, 3, 1, 4, 2].map(|index| list[index]));
}

#[test]
fn an_attempt_that_takes_long_goes_on_beside_later_ones() {
    let _watchdog = watchdog(PATIENCE);
    let (slow, dead) = (silent("127.0.0.4:0"), silent("127.0.0.5:0"));
    let connecting = std::thread::spawn({
        let list = endpoints(&[&slow.address, &dead.address]);
        move || create_connection(list, &patient(Duration::from_millis(10)))
    });
    wait_for_attempt(&dead.address);
    // Now there is room in the queue: the kernel answers the SYN that the client repeats.
    slow.listener.accept().unwrap();
    let socket = connecting.join().unwrap().unwrap();
    assert_eq!(socket.getpeername().unwrap(), slow.address);
}

/// Waits until somebody on this machine is connecting to `address`: state 02, SYN_SENT.
fn wait_for_attempt(address: &SockAddr) {
    let SockAddr::Inet(inet) = address else { panic!("not IPv4") };
    let ip = u32::from_ne_bytes(inet.ip().octets());
    let row = format!(" {ip:08X}:{:04X} 02 ", inet.port());
    while !std::fs::read_to_string("/proc/net/tcp").unwrap().contains(&row) {
        std::thread::yield_now();
    }
}

#[test]
fn one_deadline_is_for_all_and_each_address_is_reported() {
    let _watchdog = watchdog(PATIENCE);
    let (one, two, three) = (silent("127.0.0.6:0"), silent("[::1]:0"), silent("127.0.0.7:0"));
    let list = endpoints(&[&one.address, &two.address, &three.address]);
    let limit = Duration::from_millis(120);
    for options in [
        ConnectOptions { timeout: Some(limit), ..patient(Duration::from_millis(80)) },
        ConnectOptions { deadline: Deadline::After(limit), ..patient(Duration::from_millis(80)) },
    ] {
        let start = Instant::now();
        let error = create_connection(&list[..], &options).unwrap_err();
        assert!(start.elapsed() >= limit);
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let failed: Vec<_> = error.attempts().iter().map(|one| one.address.clone()).collect();
        assert_eq!(failed, [one.address.clone(), two.address.clone(), three.address.clone()]);
        assert!(error.attempts().iter().all(|one| one.error.kind() == ErrorKind::TimedOut));
        assert!(error.attempts()[2].error.to_string().contains("not tried"));
    }
}

#[test]
fn a_single_silent_address_ends_at_the_deadline_too() {
    let _watchdog = watchdog(PATIENCE);
    let silent = silent("127.0.0.8:0");
    let limit = Duration::from_millis(60);
    let options = ConnectOptions { timeout: Some(limit), ..Default::default() };
    let start = Instant::now();
    let error = create_connection(&silent.address, &options).unwrap_err();
    assert!(start.elapsed() >= limit);
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::TimedOut, 1));
}

#[test]
fn a_name_leads_to_whichever_address_listens() {
    let _watchdog = watchdog(PATIENCE);
    for [ours, other] in [["127.0.0.1", "[::1]"], ["[::1]", "127.0.0.1"]] {
        let (_server, address, _refusing) = listener_of_one_family(ours, other);
        match create_connection(("localhost", address.port().unwrap()), &patient(NEVER)) {
            Ok(socket) => assert_eq!(socket.getpeername().unwrap(), address),
            // The machine's name service may know only one of the two.
            Err(error) => {
                assert!(error.attempts().iter().all(|one| one.address != address), "{error}");
            }
        }
    }
}

#[test]
fn every_attempt_leaves_from_the_source_address() {
    let _watchdog = watchdog(PATIENCE);
    let (server, good) = listener();
    let source: SockAddr = "127.0.0.9:0".parse::<std::net::SocketAddr>().unwrap().into();
    let options = ConnectOptions { source_address: Some(source), ..patient(NEVER) };
    create_connection(&good, &options).unwrap();
    let (_, peer) = server.accept().unwrap();
    assert_eq!(peer.as_inet().unwrap().ip().to_string(), "127.0.0.9");

    let (_server6, other) = listener_at("[::1]:0");
    let error = create_connection(&other, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("127.0.0.9"), "{error}");
}

#[test]
fn a_source_port_alone_fits_both_families_and_attempts_side_by_side() {
    let _watchdog = watchdog(PATIENCE);
    // Keeps the port from everybody who does not ask for it by number, in both families.
    let holder = Socket::new(Family::INET6, Type::STREAM, Default::default()).unwrap();
    holder.set_so_reuseaddr(true).unwrap();
    holder.set_ipv6_v6only(false).unwrap();
    holder.bind(&"[::]:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let port = holder.getsockname().unwrap().port().unwrap();
    let any: SockAddr = std::net::SocketAddr::from(([0, 0, 0, 0], port)).into();
    let options =
        ConnectOptions { source_address: Some(any), ..patient(Duration::from_millis(10)) };
    let (dead, (server, good)) = (silent("127.0.0.10:0"), listener_at("127.0.0.11:0"));
    create_connection(endpoints(&[&dead.address, &good]), &options).unwrap();
    assert_eq!(server.accept().unwrap().1.port(), Some(port));
    let (server6, good6) = listener_at("[::1]:0");
    create_connection(&good6, &options).unwrap();
    assert_eq!(server6.accept().unwrap().1.port(), Some(port));
}

#[test]
fn addresses_without_a_handshake_are_tried_in_turn() {
    let _watchdog = watchdog(PATIENCE);
    let directory = support::directory();
    let nobody = SockAddr::from(directory.join("nobody").as_path());
    let path = directory.join("somebody");
    let server = socket::UnixListener::bind(&path).unwrap();
    let list = endpoints(&[&nobody, &SockAddr::from(path.as_path())]);
    let socket = create_connection(list, &patient(NEVER)).unwrap();
    assert_eq!(socket.family().unwrap(), Family::UNIX);
    server.accept().unwrap();
}

#[test]
fn text_and_tuples_and_addresses_say_the_same() {
    let _watchdog = watchdog(PATIENCE);
    let (_server, address) = listener();
    let (inet, port) = (address.as_inet().unwrap(), address.port().unwrap());
    let connected = |socket: Result<Socket, socket::ConnectError>| {
        assert_eq!(socket.unwrap().getpeername().unwrap(), address);
    };
    let options = patient(NEVER);
    connected(create_connection(address.to_string(), &options));
    connected(create_connection(format!("tcp://{address}").as_str(), &options));
    connected(create_connection(("127.0.0.1", port), &options));
    connected(create_connection(("127.0.0.1".to_owned(), port), &options));
    connected(create_connection(([127, 0, 0, 1], port), &options));
    connected(create_connection(inet, &options));
    connected(create_connection([inet], &options));
    connected(create_connection(address.to_string().parse::<socket::Address>().unwrap(), &options));
}
