//! An echo gives back every byte it was given, in whatever pieces, to one client and to many.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use crate::support::{Cell, Client, ask, on_every, read_all};
use switchboard::Connection;

on_every! {
    transports {
        a_line_comes_back_to_each_of_three
        every_size_comes_back
        many_clients_are_served_at_once
    }
    connections {
        many_pieces_come_back_in_order
    }
}

/// Sizes at which something changes: nothing, a page, the buffers of a connection and beyond.
const SIZES: &[usize] = &[1, 2, 255, 256, 4095, 4096, 8191, 8192, 8193, 16_384, 60_000];
/// The most of a datagram that is taken unless told otherwise.
const PACKET: usize = 8192;

fn echo(connection: &mut Connection) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    loop {
        match connection.read(&mut buffer)? {
            0 => return Ok(()),
            count => connection.write_all(&buffer[..count])?,
        }
    }
}

/// Bytes of every value, different at every place.
fn bytes(length: usize, salt: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 31 + place / 251 + salt * 7) as u8).collect()
}

fn comes_back(client: &Client, sent: &[u8]) {
    client.send_all(sent).unwrap();
    let mut answer = vec![0; sent.len()];
    client.recv_exact(&mut answer).unwrap();
    assert!(answer == sent, "{} bytes came back changed", sent.len());
}

/// The client of CPython's `SocketServerTest`, three times.
fn a_line_comes_back_to_each_of_three(cell: Cell) {
    let server = cell.serve(echo);
    for _ in 0..3 {
        assert_eq!(ask(&server.client(), "hello world\n", 12), "hello world\n");
    }
    let counters = server.until(|counters| counters.closed == 3);
    assert_eq!((counters.received, counters.sent), (36, 36));
    server.stop().unwrap();
}

fn every_size_comes_back(cell: Cell) {
    let server = cell.serve(echo);
    let client = server.client();
    let most = if cell.transport.is_datagram() { PACKET } else { usize::MAX };
    for size in SIZES.iter().filter(|size| **size <= most) {
        comes_back(&client, &bytes(*size, *size));
    }
    drop(client);
    server.stop().unwrap();
}

fn many_pieces_come_back_in_order(cell: Cell) {
    let server = cell.serve(echo);
    let client = server.client();
    let all: Vec<_> = (1..200).flat_map(|size| bytes(size, size)).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (1..200).for_each(|size| client.send_all(&bytes(size, size)).unwrap());
            client.shutdown(Shutdown::Write).unwrap();
        });
        assert!(read_all(&client).unwrap() == all, "what came back is not what was sent");
    });
    server.stop().unwrap();
}

fn many_clients_are_served_at_once(cell: Cell) {
    let server = cell.serve(echo);
    let clients: Vec<_> = (0..32).map(|_| server.client()).collect();
    std::thread::scope(|scope| {
        for (number, client) in clients.into_iter().enumerate() {
            scope.spawn(move || {
                (0..4).for_each(|turn| comes_back(&client, &bytes(1000, number * 4 + turn)));
            });
        }
    });
    let each = if cell.transport.is_datagram() { 4 } else { 1 };
    let counters = server.until(|counters| counters.closed == 32 * each);
    assert_eq!((counters.opened, counters.refused), (32 * each, 0));
    assert_eq!((counters.received, counters.sent), (128_000, 128_000));
    server.stop().unwrap();
}
