//! What a server says of itself is so: its addresses from the moment it is bound, and every event
//! and every number of what its clients did.

use std::io::{self, Read, Write};

use crate::support::{Cell, Client, Serving, ask, on_every};
use switchboard::socket::Scheme;
use switchboard::{Address, Connection, Server};

on_every! {
    transports {
        the_address_is_known_once_bound
        a_place_that_is_taken_stays_taken
        both_ends_know_each_other
        events_and_counters_add_up
        messages_are_told_if_asked_for
    }
}

fn upper(connection: &mut Connection) -> io::Result<()> {
    let mut buffer = [0; 9000];
    loop {
        match connection.read(&mut buffer)? {
            0 => return Ok(()),
            count => connection.write_all(&buffer[..count].to_ascii_uppercase())?,
        }
    }
}

fn the_address_is_known_once_bound(cell: Cell) {
    let place = cell.transport.place();
    let mut server = cell.server();
    server.bind(&place.text, upper).unwrap();
    let address = server.addresses().remove(0);
    let text = address.to_string();
    assert_eq!(text.parse::<Address>().unwrap(), address, "it reads back");
    match cell.transport.is_inet() {
        false => assert_eq!(text, place.text),
        true => {
            let (stem, port) = text.rsplit_once(':').unwrap();
            assert!(place.text.starts_with(stem) && port.parse::<u16>().unwrap() > 0, "{text}");
        }
    }
    let _queued = Client::new(&address);
}

fn a_place_that_is_taken_stays_taken(cell: Cell) {
    let server = cell.serve(upper);
    let error = Server::new().bind(&server.address, upper).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
    let text = server.address.to_string();
    assert!(error.to_string().contains(&format!("bind {text}: address already in use")), "{error}");
    assert_eq!(ask(&server.client(), "alive", 5), "ALIVE");
    server.stop().unwrap();
}

fn both_ends_know_each_other(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        connection.read_exact(&mut [0; 3])?;
        let (from, to) = (connection.peer_address().clone(), connection.local_address().clone());
        write!(connection, "{from} {to}")
    });
    let client = server.client();
    client.send_all(b"who").unwrap();
    let mut answer = [0; 512];
    let count = client.recv(&mut answer).unwrap();
    let (own, peer) = (client.getsockname().unwrap(), client.getpeername().unwrap());
    assert_eq!(String::from_utf8_lossy(&answer[..count]), format!("{own} {peer}"));
    assert_eq!(server.address.resolve().unwrap()[0].address, peer);
    server.stop().unwrap();
}

/// The number of an event's connection.
fn id(event: &str) -> u64 {
    let rest = event.split("id: ").nth(1).unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

fn events_and_counters_add_up(cell: Cell) {
    let server = cell.serve(upper);
    let datagram = cell.transport.is_datagram();
    for length in 1..=20 {
        let client = server.client();
        assert_eq!(ask(&client, &"x".repeat(length), length), "X".repeat(length));
    }
    let counters = server.until(|counters| counters.closed >= 20);
    assert_eq!((counters.opened, counters.closed, counters.open()), (20, 20, 0));
    assert_eq!((counters.received, counters.sent), (210, 210));
    assert_eq!((counters.refused, counters.panicked, counters.timed_out), (0, 0, 0));
    each_is_opened_and_closed_once(&server, 20);
    let reason = if datagram { "reason: Finished" } else { "reason: PeerClosed" };
    assert_eq!(server.events_with(reason).len(), 20);
    assert_eq!(server.events_with("Listening").len(), 1);
    let what = format!("datagram: {datagram}");
    assert_eq!(server.events_with(&what).len(), 40, "opened and closed");
    server.stop().unwrap();
}

fn each_is_opened_and_closed_once(server: &Serving, count: u64) {
    let events = server.events.lock().unwrap();
    let of = |name: &str| {
        let mut ids: Vec<_> = events
            .iter()
            .enumerate()
            .filter(|(_, event)| event.starts_with(name))
            .map(|(place, event)| (id(event), place))
            .collect();
        ids.sort_unstable();
        ids
    };
    let (opened, closed) = (of("Opened"), of("Closed"));
    for (wanted, (opened, closed)) in (1..=count).zip(opened.iter().zip(&closed)) {
        assert_eq!((opened.0, closed.0), (wanted, wanted));
        assert!(opened.1 < closed.1, "closed before it was opened: {wanted}");
    }
    assert_eq!((opened.len(), closed.len()), (count as usize, count as usize));
}

fn messages_are_told_if_asked_for(cell: Cell) {
    let server = cell.serve_by(cell.server().with_message_events(true), upper);
    assert_eq!(ask(&server.client(), "hello", 5), "HELLO");
    server.until(|counters| counters.closed == 1);
    for way in ["In", "Out"] {
        let told = server.events_with(&format!("direction: {way}, bytes: 5"));
        assert_eq!(told.len(), 1, "{way}: {:?}", server.events);
    }
    server.stop().unwrap();
}

/// Each transport of the suite stands for a scheme, and no scheme of this machine is left out.
#[test]
fn every_scheme_has_a_transport() {
    let served: Vec<_> = crate::support::Transport::ALL
        .iter()
        .map(|transport| transport.place().text.parse::<Address>().unwrap().scheme.unwrap())
        .collect();
    for scheme in Scheme::ALL {
        // Of the same sockets with the family spelt out, of HTTP, and of a virtual machine's host,
        // which this machine may not have.
        let stands_for = match scheme {
            Scheme::Tcp4 | Scheme::Tcp6 | Scheme::Http => Scheme::Tcp,
            Scheme::Udp4 | Scheme::Udp6 => Scheme::Udp,
            Scheme::Vsock => continue,
            other => *other,
        };
        assert!(served.contains(&stands_for), "{scheme:?}");
    }
}
