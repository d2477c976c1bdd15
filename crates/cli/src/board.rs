//! `serve` alone: the board, every service at once on loopback.
//!
//! Each takes its own port; if somebody has that, the next free one that no other service calls its
//! own, and says so. Once all accept connections, a table shows where and what to try.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use services::{Row, Settings};
use switchboard::socket::{Host, Place};
use switchboard::{Address, Event, Server};

use crate::exit::{Exit, Failure, Result};
use crate::log::{Log, runs_on};
use crate::options::{Global, ServerOptions};
use crate::output::{Paint, note, table};
use crate::serve;

/// How many ports after its own a service tries.
const PORTS_TRIED: u16 = 100;

pub(crate) fn run(options: &ServerOptions, global: &Global) -> Result {
    if options.port_file.is_some() {
        let why = "--port-file: the board has many ports (try serve SERVICE, or --json)";
        return Err(Failure::new(Exit::Usage, why));
    }
    let log = Arc::new(Log::new(global, true));
    let board = Arc::new(Board {
        log: Arc::clone(&log),
        paint: Paint::stderr(global),
        listed: Mutex::default(),
    });
    let configured = || {
        let board = Arc::clone(&board);
        options.server().with_events(move |event| board.event(event))
    };
    let (server, listed) = bind(configured, global, options.lan)?;
    *board.listed.lock().unwrap_or_else(PoisonError::into_inner) = listed;
    serve::serve(server, &log)
}

/// Takes the events of the board.
struct Board {
    log: Arc<Log>,
    paint: Paint,
    /// What is on the board; taken when it is shown.
    listed: Mutex<Vec<Listed>>,
}

impl Board {
    fn event(&self, event: &Event<'_>) {
        let Event::Listening { address, service, engine, setup } = event else {
            return self.log.event(event);
        };
        if self.log.is_json() {
            self.log.event(event);
        } else if !self.log.is_quiet() {
            // One table stands for the lines of all listeners. The first tells that all are up.
            let listed =
                std::mem::take(&mut *self.listed.lock().unwrap_or_else(PoisonError::into_inner));
            if !listed.is_empty() {
                show(&listed, &runs_on(*engine, setup), self.paint);
            }
        }
        serve::tell_reach(&self.log, service, address);
    }
}

/// Where a service is.
type Listed = (&'static Row, Vec<Address>);

/// Binds all services. `bind` takes the server with it when it fails, so that after a port that is
/// taken everything begins again, without that port.
fn bind(
    configured: impl Fn() -> Server,
    global: &Global,
    lan: bool,
) -> Result<(Server, Vec<Listed>)> {
    let mut ports: Vec<u16> = services::ALL.iter().map(|row| row.port).collect();
    let own: HashSet<u16> = ports.iter().copied().collect();
    'again: loop {
        let (mut server, mut places) = (configured(), Vec::new());
        for (row, port) in services::ALL.iter().copied().zip(&mut ports) {
            let addresses = serve::standard(row, *port, global, lan);
            for address in &addresses {
                let service = serve::make(row, &Settings::new(row.settings))?;
                server = match server.bind(address, service) {
                    Ok(server) => server,
                    Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                        let next = (*port..row.port + PORTS_TRIED).skip(1);
                        let next = next.into_iter().find(|port| !own.contains(port));
                        *port = next.ok_or_else(|| Failure::from(error))?;
                        continue 'again;
                    }
                    Err(error) => return Err(error.into()),
                };
            }
            places.push((row, addresses));
        }
        return Ok((server, places));
    }
}

fn show(places: &[Listed], engine: &str, paint: Paint) {
    let mut hosts = Vec::new();
    let mut rows = vec![vec!["SERVICE".into(), "ADDRESS".into(), "TRY".into()]];
    for (row, addresses) in places {
        for (index, address) in addresses.iter().enumerate() {
            let Place::Inet(host, port) = &address.place else { continue };
            hosts.push(host.to_string());
            if index == 0 && *port != row.port {
                let (name, own) = (row.name, row.port);
                note(&format!("switchboard: {name}: port {own} is taken, using {port}"));
            }
            let (name, line) = match index {
                0 => (row.name, example(row, address)),
                _ => ("", format!("switchboard connect {}", here(address))),
            };
            rows.push(vec![name.into(), address.to_string(), line]);
        }
    }
    hosts.dedup();
    let (count, hosts) = (places.len(), hosts.join(", "));
    note(&format!("switchboard: {count} services listening on {hosts} ({engine})"));
    note(&format!("{}Ctrl-C ends it.", table(&rows, paint)));
}

/// The line that tries a service, for where it is now.
fn example(row: &Row, address: &Address) -> String {
    let address = here(address);
    let Place::Inet(host, port) = &address.place else { return String::new() };
    let loopback = Address { scheme: None, ..address.clone() };
    let short = match host {
        Host::Ip(ip) if *ip == Ipv4Addr::LOCALHOST => port.to_string(),
        _ => loopback.to_string(),
    };
    row.example
        .replace("{address}", &short)
        .replace("{host}", &host.to_string())
        .replace("{port}", &port.to_string())
}

/// The address to try from this machine: what listens everywhere also listens on loopback.
fn here(address: &Address) -> Address {
    let mut address = address.clone();
    if let Place::Inet(Host::Ip(ip), _) = &mut address.place
        && ip.is_unspecified()
    {
        *ip = if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    }
    address
}
