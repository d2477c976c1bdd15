//! Connections that break, half or wholly: their handler learns of it, once, and nobody else does.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustix::io::Errno;
use switchboard::socket::fault::{Call, inject, let_sigpipe_kill};
use switchboard::{Address, Connection, Engine, Guards, Server};

use crate::apart::apart;
use crate::rude::{echo, flood, place, reset};
use crate::support::{Client, ask, on_every_engine, read_all, serve};

on_every_engine! {
    a_peer_that_has_finished_sending_gets_everything
    a_reset_in_a_request_ends_that_connection
    a_reset_in_an_answer_ends_that_connection
    a_reset_before_it_was_accepted_harms_nobody
    writing_to_a_closed_peer_never_kills
    an_error_of_a_receive_ends_that_connection
    an_interrupted_call_goes_on
}

/// Row 20.
fn a_peer_that_has_finished_sending_gets_everything(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), |c: &mut Connection| {
            let mut all = Vec::new();
            c.read_to_end(&mut all)?;
            c.write_all(&all)
        });
        let message: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[0]).collect();
        let client = server.client();
        client.send_all(&message).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert!(read_all(&client).unwrap() == message, "not what was sent");
        server.until(|counters| counters.closed == 1);
        assert!(server.told("reason: PeerClosed"));
        drop(client);
        server.stop().unwrap();
    });
}

/// A line is answered; the end comes back as an error, which has to be the reason.
fn lines(connection: &mut Connection) -> io::Result<()> {
    let mut line = String::new();
    while connection.read_line(&mut line)? > 0 {
        connection.write_all(line.as_bytes())?;
        line.clear();
    }
    Ok(())
}

/// Row 22.
fn a_reset_in_a_request_ends_that_connection(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), lines);
        let other = (engine.limit_connections() > 1).then(|| server.client());
        let opened = u64::from(other.is_some());
        server.until(|counters| counters.opened == opened);
        for round in 1..=5 {
            let client = server.client();
            assert_eq!(ask(&client, "one\nhalf a ", 4), "one\n");
            reset(&client);
            let both = (opened + round, round);
            server.until(|counters| (counters.opened, counters.closed) == both);
        }
        let events = server.events.lock().unwrap().clone();
        let resets = events.iter().filter(|event| event.contains("reason: PeerReset")).count();
        assert_eq!(resets, 5, "{events:?}");
        other.iter().for_each(|other| assert_eq!(ask(other, "well\n", 5), "well\n"));
        drop(other);
        server.stop().unwrap();
    });
}

/// Row 22.
fn a_reset_in_an_answer_ends_that_connection(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), flood);
        for round in 1..=5 {
            let client = server.client();
            client.recv_exact(&mut [0; 1000]).unwrap();
            reset(&client);
            server.until(|counters| counters.closed == round);
        }
        let events = server.events.lock().unwrap().clone();
        let resets = events.iter().filter(|event| event.contains("reason: PeerReset")).count();
        assert_eq!(resets, 5, "{events:?}");
        server.stop().unwrap();
    });
}

/// Row 22: the handshake is over, but nobody has taken the connection yet.
fn a_reset_before_it_was_accepted_harms_nobody(engine: Engine) {
    apart(engine, || {
        let mut server = Server::new().with_engine(engine).with_signals(false);
        server.bind("127.0.0.1:0", echo).unwrap();
        let (address, control) = (server.addresses().remove(0), server.control());
        let early: Vec<_> = (0..5).map(|_| Client::new(&address)).collect();
        early[..4].iter().for_each(|client| reset(client));
        let serving = std::thread::spawn(move || server.serve_forever());
        assert_eq!(ask(&early[4], "served", 6), "served");
        drop(early);
        assert_eq!(ask(&Client::new(&address), "after", 5), "after");
        control.shutdown();
        serving.join().unwrap().unwrap();
        let counters = control.counters();
        assert_eq!((counters.opened, counters.panicked), (counters.closed, 0));
    });
}

/// Row 23. Rust's runtime ignores the signal; a program that embeds this may not.
fn writing_to_a_closed_peer_never_kills(engine: Engine) {
    apart(engine, || {
        let_sigpipe_kill().unwrap();
        for address in ["127.0.0.1:0", "@switchboard-closed-peer"] {
            let address = match address.strip_prefix('@') {
                None => address.to_owned(),
                Some(name) => format!("@{name}-{}", std::process::id()),
            };
            let server = serve(engine, &address, Guards::default(), flood);
            let client = server.client();
            client.recv_exact(&mut [0; 1000]).unwrap();
            drop(client);
            server.until(|counters| counters.closed == 1);
            assert!(server.told("reason: PeerReset"), "{:?}", server.events.lock().unwrap());
            server.stop().unwrap();
        }
    });
}

/// A client that no fault point knows of.
fn outside(address: &Address) -> TcpStream {
    let place = place(address).as_inet().unwrap();
    TcpStream::connect(place).unwrap()
}

/// Row 22, and what else `recv(2)` may say.
fn an_error_of_a_receive_ends_that_connection(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), echo);
        let errors = [Errno::CONNRESET, Errno::TIMEDOUT, Errno::HOSTUNREACH, Errno::NOMEM];
        for (round, errno) in (1..).zip(errors) {
            let injection = inject(Call::Recv, errno.raw_os_error(), 1, 1);
            let mut rest = Vec::new();
            // Closed with the message unread or not: what counts is that it is closed.
            let _ = outside(&server.address).read_to_end(&mut rest);
            server.until(|counters| counters.closed == round);
            drop(injection);
        }
        let mut next = outside(&server.address);
        next.write_all(b"well").unwrap();
        next.read_exact(&mut [0; 4]).unwrap();
        next.shutdown(Shutdown::Write).unwrap();
        next.read_to_end(&mut Vec::new()).unwrap();
        server.stop().unwrap();
    });
}

/// `EINTR` is nobody's problem.
fn an_interrupted_call_goes_on(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), echo);
        let errno = Errno::INTR.raw_os_error();
        let interrupted =
            [Call::Accept, Call::Recv, Call::Send].map(|call| inject(call, errno, 1, 3));
        let mut client = outside(&server.address);
        client.write_all(b"well").unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        drop(interrupted);
        server.until(|counters| counters.closed == 1);
        assert!(server.told("reason: PeerClosed"));
        server.stop().unwrap();
    });
}
