//! Connections that something between the two ends breaks: row 22 of the faults.
//!
//! An operator's tool (`ss -K`), and a filter that answers with resets. Both need the privilege to
//! change the network; the filter has a network of its own, seen by nobody else.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

#[expect(deprecated, reason = "unsound for descriptors only; this is about the network")]
use rustix::thread::{UnshareFlags, unshare};
use switchboard::{Connection, Engine, Guards};

use crate::apart::{apart, skip};
use crate::rude::{echo, flood, place};
use crate::support::{Serving, ask, on_every_engine, serve};

on_every_engine! {
    a_connection_destroyed_from_outside_ends_alone
    a_filter_that_resets_harms_what_it_resets
}

/// What a command prints; `None` if it fails or is not there.
fn output(command: &mut Command, input: &str) -> Option<String> {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().ok()?;
    // A command that fails at once may not have read it.
    let _ = child.stdin.take()?.write_all(input.as_bytes());
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).expect("it prints text"))
}

/// The connections that end or stand still, by the reason that is told of them.
fn closed_as(server: &Serving, reason: &str, count: usize) {
    server.until(|counters| counters.closed >= count as u64);
    let told = server.events_with(&format!("reason: {reason}"));
    assert_eq!(told.len(), count, "{:?}", server.events.lock().unwrap());
}

fn port(address: &switchboard::Address) -> u16 {
    place(address).as_inet().unwrap().port()
}

/// In the middle of a request, and in the middle of an answer.
fn a_connection_destroyed_from_outside_ends_alone(engine: Engine) {
    apart(engine, || {
        let handle = |connection: &mut Connection| {
            let mut first = [0];
            connection.read_exact(&mut first)?;
            if first == *b"f" { flood(connection) } else { echo(connection) }
        };
        let server = serve(engine, "127.0.0.1:0", Guards::default(), handle);
        let other = (engine.limit_connections() > 1).then(|| server.client());
        other.iter().for_each(|other| assert_eq!(ask(other, "xwell", 4), "well"));
        for (round, request) in (1..).zip(["xhalf", "f"]) {
            let client = server.client();
            assert!(!ask(&client, request, 4).is_empty());
            let own = client.getsockname().unwrap().as_inet().unwrap().port();
            let both = format!("sport = :{} and dport = :{own}", port(&server.address));
            let killed = output(Command::new("ss").args(["-K", "-tnH", &both]), "");
            if killed.is_none_or(|printed| printed.is_empty()) {
                skip("ss -K needs CAP_NET_ADMIN, and a kernel with INET_DIAG_DESTROY");
                break;
            }
            closed_as(&server, "PeerReset", round);
        }
        other.iter().for_each(|other| assert_eq!(ask(other, "again", 5), "again"));
        drop(other);
        server.stop().unwrap();
    });
}

/// A filter of the kernel's for this process's own network: every packet of a connection is
/// answered with a reset, but for resets.
const FILTER: &str = "table inet wire {
    chain input {
        type filter hook input priority 0
        tcp flags & rst == 0 reject with tcp reset
    }
}
";

/// In a handshake, in a request, in an answer.
fn a_filter_that_resets_harms_what_it_resets(engine: Engine) {
    apart(engine, || {
        // The server's threads are begun by this one, and so have its network.
        let up = || output(Command::new("ip").args(["link", "set", "lo", "up"]), "");
        #[expect(deprecated, reason = "as above")]
        let apart = unshare(UnshareFlags::NEWNET).is_ok();
        if !apart || up().is_none() {
            return skip("a network of its own needs CAP_SYS_ADMIN");
        }
        let filter = |text: &str| output(Command::new("nft").args(["-f", "-"]), text);
        if filter("flush ruleset").is_none() {
            return skip("nft is not there");
        }
        let server = serve(engine, "127.0.0.1:0", Guards::default(), flood);
        let client = server.client();
        client.recv_exact(&mut [0; 1000]).unwrap();
        filter(FILTER).expect("it is filtered");
        // What it sends is reset when there is room to send it.
        while client.recv(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
        closed_as(&server, "PeerReset", 1);
        let refused = std::net::TcpStream::connect(place(&server.address).as_inet().unwrap());
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
        filter("flush ruleset").expect("it is filtered no more");
        let next = server.client();
        next.recv_exact(&mut [0; 1000]).unwrap();
        drop((client, next));
        server.until(|counters| (counters.opened, counters.closed) == (2, 2));
        server.stop().unwrap();
    });
}
