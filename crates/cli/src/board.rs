//! `serve` alone: the board, every service at once on loopback.
//!
//! Each takes its own port; if somebody has that, the next free one that no other service calls its
//! own, and says so. A service for which a service manager has passed sockets, by its name, takes
//! those instead. Once all accept connections, a table shows where and what to try.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use services::{Row, Settings};
use switchboard::activation;
use switchboard::socket::{Host, Place};
use switchboard::{Address, Event, Server, Socket};

use crate::exit::{Exit, Failure, Result};
use crate::log::{Log, runs_on};
use crate::options::{Global, ServerOptions};
use crate::output::{Paint, note, table};
use crate::serve;

/// How many ports after its own a service tries.
const PORTS_TRIED: u16 = 100;

/// The setting of a service that shows what else there is.
const LINKS: &str = "links";

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
    let told = Arc::clone(&board);
    let mut server = options.server().with_events(move |event| told.event(event));
    let mut activated = activation::sockets()?;
    let mut listed = Vec::new();
    // Who shows what else there is comes last, when that is known.
    let (last, mut rows): (Vec<&Row>, Vec<&Row>) = services::ALL.iter().partition(|row| links(row));
    rows.extend(last);
    for row in rows {
        let mut settings = Settings::new(row.settings);
        if links(row) {
            settings.set(LINKS, links_to(&listed)).expect("it is in the list");
        }
        let own = serve::take_own(row, &mut activated);
        listed.push(match own.is_empty() {
            true => bind(&mut server, row, &settings, global, options.lan)?,
            false => adopt(&mut server, row, &settings, own)?,
        });
    }
    listed.sort_by_key(|listed| listed.row.name);
    serve::tell_left(&activated);
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
        if let Event::DrainEnded { cut: 1.. } = event {
            serve::leave_soon(|| {});
        }
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
struct Listed {
    row: &'static Row,
    addresses: Vec<Address>,
    /// Whether the sockets were passed to us.
    activated: bool,
}

/// Whether a service shows what else there is.
fn links(row: &Row) -> bool {
    row.settings.iter().any(|setting| setting.name == LINKS)
}

/// What such a service is told: the first address of each.
fn links_to(listed: &[Listed]) -> String {
    let links = listed.iter().filter_map(|Listed { row, addresses, .. }| {
        addresses.first().map(|address| format!("{}={address}", row.name))
    });
    links.collect::<Vec<_>>().join(",")
}

/// Binds a service, on its own port or on the next free one that no other calls its own.
fn bind(
    server: &mut Server,
    row: &'static Row,
    settings: &Settings,
    global: &Global,
    lan: bool,
) -> Result<Listed> {
    let others = |port: &u16| services::ALL.iter().any(|other| other.port == *port);
    let next = (row.port + 1..row.port + PORTS_TRIED).filter(|port| !others(port));
    let mut ports = [row.port].into_iter().chain(next).peekable();
    while let Some(port) = ports.next() {
        let addresses = serve::standard(row, port, global, lan);
        let service = serve::make(row, settings)?;
        match server.bind_all(&addresses, service) {
            Ok(_) => return Ok(Listed { row, addresses, activated: false }),
            Err(error) if error.kind() == ErrorKind::AddrInUse && ports.peek().is_some() => {}
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("the last port is bound or an error")
}

/// Serves a service at the sockets that were passed for it.
fn adopt(
    server: &mut Server,
    row: &'static Row,
    settings: &Settings,
    own: Vec<Socket>,
) -> Result<Listed> {
    let before = server.addresses().len();
    for socket in own {
        serve::adopt(server, row, socket, settings)?;
    }
    Ok(Listed { row, addresses: server.addresses().split_off(before), activated: true })
}

fn show(places: &[Listed], engine: &str, paint: Paint) {
    let mut hosts = Vec::new();
    let mut rows = vec![vec!["SERVICE".into(), "ADDRESS".into(), "TRY".into()]];
    for Listed { row, addresses, activated } in places {
        for (index, address) in addresses.iter().enumerate() {
            match &address.place {
                Place::Inet(_, port) if index == 0 && *port != row.port && !activated => {
                    let (name, own) = (row.name, row.port);
                    note(&format!("switchboard: {name}: port {own} is taken, using {port}"));
                }
                _ => {}
            }
            hosts.push(match &address.place {
                Place::Inet(host, _) => host.to_string(),
                _ => address.to_string(),
            });
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
    let Place::Inet(host, port) = &address.place else {
        return format!("switchboard connect {address}");
    };
    let loopback = Address { scheme: None, ..address.clone() };
    let short = match host {
        Host::Ip(ip) if *ip == Ipv4Addr::LOCALHOST => port.to_string(),
        _ => loopback.to_string(),
    };
    row.example
        // In a URL an IPv6 address has brackets, for nc it has none.
        .replace("{host}:{port}", &loopback.to_string())
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
