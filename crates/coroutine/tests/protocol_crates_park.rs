//! Protocol crates that know only `Read` and `Write` park where they wait, without knowing it: here
//! rustls and tungstenite, both ends of each on one worker. A call that blocked the thread would
//! never be answered.

mod support;

use std::io::{Read, Write};
use std::sync::Arc;

use coroutine::{spawn, yield_now};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use support::{run, tcp_pair};

/// A certificate for `localhost`, made now, for both sides.
fn configurations() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

#[test]
fn both_ends_of_a_tls_connection() {
    let (server, client) = configurations();
    run(move || {
        let (left, right) = tcp_pair();
        let serving = spawn(move || {
            let connection = ServerConnection::new(server).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, right);
            let mut buffer = [0; 4096];
            loop {
                match stream.read(&mut buffer).unwrap() {
                    0 => break,
                    count => stream.write_all(&buffer[..count]).unwrap(),
                }
            }
        });
        // Parked in the middle of its handshake.
        (0..3).for_each(|_| yield_now());
        assert!(!serving.is_finished());
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(client, name).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, left);
        for round in 0..50u8 {
            let sent = [round; 1000];
            stream.write_all(&sent).unwrap();
            let mut back = [0; 1000];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(sent, back);
        }
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        serving.join().unwrap();
    });
}

#[test]
fn both_ends_of_a_web_socket() {
    run(|| {
        let (left, right) = tcp_pair();
        let serving = spawn(move || {
            let mut socket = tungstenite::accept(right).unwrap();
            let mut echoed = 0;
            while let Ok(message) = socket.read() {
                if message.is_text() {
                    socket.send(message).unwrap();
                    echoed += 1;
                }
            }
            echoed
        });
        let (mut socket, _) = tungstenite::client("ws://localhost/", left).unwrap();
        for round in 0..50 {
            let text = format!("message {round}");
            socket.send(text.clone().into()).unwrap();
            assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), text);
        }
        socket.close(None).unwrap();
        while socket.read().is_ok() {}
        drop(socket);
        assert_eq!(serving.join().unwrap(), 50);
    });
}
