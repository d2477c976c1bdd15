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
    what_the_kernel_gives_up_is_no_deadline_of_ours
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
        let well = |client: &mut TcpStream| {
            client.write_all(b"well").unwrap();
            client.read_exact(&mut [0; 4]).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            client.read_to_end(&mut Vec::new()).unwrap();
        };
        // What workers receive before they serve, to see what works, is not meant, nor what a
        // process tells of its end.
        well(&mut outside(&server.address));
        server.until(|counters| counters.closed == 1);
        let errors = [Errno::CONNRESET, Errno::TIMEDOUT, Errno::HOSTUNREACH, Errno::NOMEM];
        for (round, errno) in (2..).zip(errors) {
            let injection = inject(Call::Recv, errno.raw_os_error(), 1, 1);
            let mut client = outside(&server.address);
            client.write_all(b"well").unwrap();
            // Closed with the message unread or not: what counts is that it is closed.
            let _ = client.read_to_end(&mut Vec::new());
            server.until(|counters| counters.closed == round);
            drop(injection);
        }
        well(&mut outside(&server.address));
        server.stop().unwrap();
    });
}

/// A peer that acknowledges nothing any more, and a queue of which nobody but its carrier knows.
fn what_the_kernel_gives_up_is_no_deadline_of_ours(engine: Engine) {
    apart(engine, || {
        let (mut is_full, full) = io::pipe().unwrap();
        let service = move |connection: &mut Connection| -> io::Result<()> {
            let writer = connection.writer()?;
            let message: std::sync::Arc<[u8]> = vec![7; 1 << 20].into();
            (0..32).for_each(|_| assert!(writer.post(&message), "there is room in the queue"));
            let _injection = inject(Call::Send, Errno::TIMEDOUT.raw_os_error(), 1, 1);
            (&full).write_all(b"!")?;
            connection.read(&mut [0]).map(drop)
        };
        let guards = Guards { limit_queue: 64 << 20, ..Guards::default() };
        let server = serve(engine, "127.0.0.1:0", guards, service);
        let mut client = outside(&server.address);
        is_full.read_exact(&mut [0]).unwrap();
        // There is room to send, and then it is said that it cannot be sent.
        let _ = client.read_to_end(&mut Vec::new());
        let counters = server.until(|counters| counters.closed == 1);
        assert_eq!(counters.timed_out, 0, "{:?}", server.events_with("Closed"));
        assert!(server.told("reason: Failed"), "{:?}", server.events_with("Closed"));
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
