//! Python's clients understand our servers, on every engine and transport, a crowd of them at once;
//! our sockets understand every one of Python's servers, also inside a handler.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use crate::support::python::{Python, words};
use crate::support::{Cell, Client, Transport, ask, on_every, read_all};
use switchboard::{Address, Connection};

on_every! {
    transports {
        a_python_client_gets_back_what_it_sent
    }
    connections {
        a_handler_may_be_a_client_of_python
    }
    streams {
        two_hundred_python_clients_at_once
    }
}

fn echo(connection: &mut Connection) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    if let Some(packet) = connection.packet() {
        let packet = packet.to_vec();
        return connection.reply(&packet);
    }
    loop {
        match connection.read(&mut buffer)? {
            0 => return Ok(()),
            count => connection.write_all(&buffer[..count])?,
        }
    }
}

/// Runs one of the programs against a server that echoes, until it says that all is fine.
fn fine(cell: Cell, name: &str, arguments: &[&str]) {
    let server = cell.serve(echo);
    let place = words(&server.address);
    let arguments: Vec<_> =
        arguments.iter().copied().chain(place.iter().map(String::as_str)).collect();
    if let Some(mut python) = Python::start(name, &arguments) {
        assert_eq!(python.hear(), "fine");
        python.finish();
    }
    server.stop().unwrap();
}

fn a_python_client_gets_back_what_it_sent(cell: Cell) {
    fine(cell, "client", &[cell.transport.kind()]);
}

fn two_hundred_python_clients_at_once(cell: Cell) {
    fine(cell, "crowd", &[]);
}

/// What any client of a shouting server may ask it.
fn shouts_back(client: &Client) {
    assert_eq!(ask(client, "hello world\n", 12), "HELLO WORLD\n");
    assert_eq!(ask(client, "and again\n", 10), "AND AGAIN\n");
}

/// Asks Python for every line it is asked itself.
fn a_handler_may_be_a_client_of_python(cell: Cell) {
    let Some(mut python) = Python::start("server", &["ThreadingTCPServer"]) else { return };
    let address: Address = python.hear().parse().unwrap();
    let server = cell.serve(move |connection: &mut Connection| {
        let client = Client::new(&address);
        let mut buffer = [0; 512];
        loop {
            match connection.read(&mut buffer)? {
                0 => return Ok(()),
                count => client.send_all(&buffer[..count])?,
            }
            let count = client.recv(&mut buffer)?;
            connection.write_all(&buffer[..count])?;
        }
    });
    let client = server.client();
    shouts_back(&client);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&client).unwrap(), b"");
    server.stop().unwrap();
    python.finish();
}

/// A server of Python's, and three clients of ours.
fn python_serves(class: &str, transport: Transport) {
    let _watchdog = crate::support::Watchdog::new();
    let place = transport.place();
    let path = place.path.as_ref().map(|path| path.to_str().unwrap());
    let arguments: Vec<_> = [class].into_iter().chain(path).collect();
    let Some(mut python) = Python::start("server", &arguments) else { return };
    let (scheme, _) = place.text.split_once("://").unwrap();
    let address: Address = format!("{scheme}://{}", python.hear()).parse().unwrap();
    for _ in 0..3 {
        shouts_back(&Client::new(&address));
    }
    python.finish();
}

macro_rules! python_servers {
    ($($test:ident = $class:literal on $transport:ident;)*) => {
        $(#[test] fn $test() { python_serves($class, Transport::$transport); })*
    };
}

python_servers! {
    tcp_server = "TCPServer" on TcpV4;
    threading_tcp_server = "ThreadingTCPServer" on TcpV4;
    forking_tcp_server = "ForkingTCPServer" on TcpV4;
    udp_server = "UDPServer" on UdpV4;
    threading_udp_server = "ThreadingUDPServer" on UdpV4;
    forking_udp_server = "ForkingUDPServer" on UdpV4;
    unix_stream_server = "UnixStreamServer" on UnixPath;
    threading_unix_stream_server = "ThreadingUnixStreamServer" on UnixPath;
    forking_unix_stream_server = "ForkingUnixStreamServer" on UnixPath;
    unix_datagram_server = "UnixDatagramServer" on UnixGramPath;
    threading_unix_datagram_server = "ThreadingUnixDatagramServer" on UnixGramPath;
    forking_unix_datagram_server = "ForkingUnixDatagramServer" on UnixGramPath;
}
