//! Peers that take little or give nothing back: what they cost is bounded, and slow is not gone.

use std::io::{self, Write};
use std::time::Duration;

use switchboard::{Connection, Engine, Guards, Socket};

use crate::apart::{apart, memory};
use crate::rude::{flood, place, unconnected};
use crate::support::{Client, on_every_engine, serve};

on_every_engine! {
    a_peer_that_never_reads_costs_a_bounded_buffer
    a_peer_that_reads_slowly_gets_everything
}

/// A client with the smallest receive buffer there is.
fn narrow(address: &switchboard::Address) -> Client {
    let socket: Socket = unconnected(address);
    socket.set_so_rcvbuf(1).unwrap();
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
        let client = narrow(&server.address);
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
    const SIZE: usize = 8 << 20;
    apart(engine, || {
        let guards =
            Guards { deadline_write: Some(Duration::from_millis(500)), ..Guards::default() };
        let service = |connection: &mut Connection| -> io::Result<()> {
            connection.write_all(&vec![7; SIZE])
        };
        let server = serve(engine, "127.0.0.1:0", guards, service);
        let client = server.client();
        let mut room = vec![0; 64 << 10];
        let mut received = 0;
        while received < SIZE {
            // All of it takes longer than the deadline, none of its parts does.
            std::thread::park_timeout(Duration::from_millis(10));
            match client.recv(&mut room).unwrap() {
                0 => break,
                count => received += count,
            }
        }
        assert_eq!(received, SIZE, "cut off: {:?}", server.events.lock().unwrap().last());
        drop(client);
        server.stop().unwrap();
    });
}
