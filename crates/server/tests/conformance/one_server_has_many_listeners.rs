//! One server serves every transport at once, each with its own service, and all of them share its
//! limits and its end.

use std::io::{self, Read, Write};

use crate::support::{Client, Notes, Place, Serving, Transport, ask, on_every_engine};
use switchboard::{Connection, Engine, Guards, Handler, Server, Service};

on_every_engine! {
    every_listener_answers_for_itself
    the_limit_of_connections_is_for_all
    all_end_together
    what_cannot_be_bound_leaves_the_others
}

/// Says its name before every word, and notes who comes and goes.
#[derive(Clone)]
struct Named(&'static str, Notes);

impl Service for Named {
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(self.clone())
    }

    fn name(&self) -> &str {
        self.0
    }
}

impl Handler for Named {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.1.add("+1");
        let mut word = [0; 64];
        while let count @ 1.. = connection.read(&mut word)? {
            write!(connection, "{}", self.0)?;
            connection.write_all(&word[..count])?;
        }
        self.1.add("-1");
        Ok(())
    }
}

/// A server of all transports, its addresses in their order, and their places.
fn serve_all(
    engine: Engine,
    guards: Guards,
    notes: &Notes,
) -> (Serving, Vec<switchboard::Address>, Vec<Place>) {
    let places: Vec<_> = Transport::ALL.iter().map(|transport| transport.place()).collect();
    let mut addresses = Vec::new();
    let server = Server::new().with_engine(engine).with_guards(guards);
    let serving = Serving::start(server, |server| {
        for (place, transport) in places.iter().zip(Transport::ALL) {
            server.bind(&place.text, Named(transport.name(), notes.clone()))?;
        }
        addresses = server.addresses();
        Ok(server)
    });
    (serving, addresses, places)
}

fn every_listener_answers_for_itself(engine: Engine) {
    let (server, addresses, _places) = serve_all(engine, Guards::default(), &Notes::new());
    for (transport, address) in Transport::ALL.iter().zip(&addresses) {
        let name = transport.name();
        let expected = format!("{name}, well");
        assert_eq!(ask(&Client::new(address), ", well", expected.len()), expected);
    }
    let all = Transport::ALL.len() as u64;
    server.until(|counters| counters.closed == all);
    for transport in Transport::ALL {
        let name = format!("service: {:?}", transport.name());
        assert_eq!(server.events_with(&name).len(), 3, "listening, opened, closed: {name}");
    }
    server.stop().unwrap();
}

fn the_limit_of_connections_is_for_all(engine: Engine) {
    let notes = Notes::new();
    let guards = Guards { limit_connections: Some(1), ..Guards::default() };
    let (server, addresses, _places) = serve_all(engine, guards, &notes);
    std::thread::scope(|scope| {
        for (transport, address) in Transport::ALL.iter().zip(&addresses) {
            let client = Client::new(address);
            scope.spawn(move || {
                let expected = format!("{}!", transport.name());
                assert_eq!(ask(&client, "!", expected.len()), expected);
            });
        }
    });
    let all = Transport::ALL.len() as u64;
    server.until(|counters| counters.closed == all);
    assert_eq!(notes.most_at_once(), 1);
    server.stop().unwrap();
}

fn all_end_together(engine: Engine) {
    let (server, addresses, places) = serve_all(engine, Guards::default(), &Notes::new());
    let expected = "tcp_v4.";
    assert_eq!(ask(&Client::new(&addresses[0]), ".", expected.len()), expected);
    server.stop().unwrap();
    for path in places.iter().filter_map(|place| place.path.as_ref()) {
        assert!(!path.exists(), "{}", path.display());
    }
}

fn what_cannot_be_bound_leaves_the_others(engine: Engine) {
    let place = Transport::UnixPath.place();
    let path = place.path.as_ref().unwrap();
    let mut server = Server::new().with_engine(engine);
    server.bind(&place.text, Named("first", Notes::new())).unwrap();
    assert!(path.exists());
    let error = server.bind("/no/such/folder/socket", Named("second", Notes::new())).unwrap_err();
    assert!(error.to_string().contains("/no/such/folder/socket"), "{error}");
    assert!(path.exists() && server.addresses().len() == 1, "the server is as it was");
    drop(server);
    assert!(!path.exists());
}
