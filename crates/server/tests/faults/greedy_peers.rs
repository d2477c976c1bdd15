//! Peers that take little or give nothing back: what they cost is bounded, and slow is not gone.

use std::io::{self, Write};
use std::time::Duration;

use switchboard::{Address, Connection, Engine, Guards};

use crate::apart::{apart, memory};
use crate::rude::{flood, place, unconnected};
use crate::support::{Client, on_every_engine, serve};

on_every_engine! {
    a_peer_that_never_reads_costs_a_bounded_buffer
    a_peer_that_reads_slowly_gets_everything
}

/// A client with a receive buffer of so many bytes, or what the kernel makes of that.
fn narrow(address: &Address, bytes: i32) -> Client {
    let socket = unconnected(address);
    socket.set_so_rcvbuf(bytes).unwrap();
    socket.connect(&place(address)).unwrap();
    Client::from(socket)
}

/// Row 13.
fn a_peer_that_never_reads_costs_a_bounded_buffer(engine: Engine) {
    apart(engine, || {
        let guards =
            Guards { deadline_write: Some(Duration::from_millis(300)), ..Guards::default() };
        let server = serve(engine, "127.0.0.1:0", guards, flood);
        let before = memory("self", "VmRSS:");
        let client = narrow(&server.address, 1);
        server.until(|counters| counters.closed == 1);
        assert!(server.told("TimedOut(\"write\")"));
        // The handler writes without end; a server that kept all of it would have far more.
        let grown = memory("self", "VmHWM:").saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes more");
        drop(client);
        server.stop().unwrap();
    });
}

/// Row 13, the other way round: a peer that goes on reading is not gone.
fn a_peer_that_reads_slowly_gets_everything(engine: Engine) {
    const SIZE: usize = 3 << 20;
    apart(engine, || {
        let guards = Guards { deadline_write: Some(Duration::from_secs(5)), ..Guards::default() };
        let service = |connection: &mut Connection| -> io::Result<()> {
            // What the kernel takes at once has no deadline.
            connection.socket().set_so_sndbuf(1 << 16)?;
            connection.write_all(&vec![7; SIZE])
        };
        let server = serve(engine, "127.0.0.1:0", guards, service);
        let client = narrow(&server.address, 1 << 16);
        let mut room = vec![0; 16 << 10];
        let mut received = 0;
        while received < SIZE {
            // All of it takes longer than the deadline, none of its parts does.
            std::thread::park_timeout(Duration::from_millis(30));
            match client.recv(&mut room).unwrap() {
                0 => break,
                count => received += count,
            }
        }
        assert_eq!(received, SIZE, "cut off");
        drop(client);
        server.stop().unwrap();
    });
}
