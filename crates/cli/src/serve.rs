//! `serve SERVICE`: one service, on one address or on its own ports.
//!
//! Without an address it listens wherever its row says, on loopback; `serve` alone is the board.
//! Running a server is the same for both and is at the end of this file.

use std::io::{self, ErrorKind, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::ArgMatches;
use services::{Form, Row, Settings};
use switchboard::activation::{self, Activated};
use switchboard::socket::names::interface_addresses;
use switchboard::socket::process::start_thread;
use switchboard::socket::signal::stop_signals;
use switchboard::socket::{Family, Host, Interest, Place, Poll, Scheme, poll};
use switchboard::{Address, Control, Deadline, Event, Server, Socket};

use crate::board;
use crate::exit::{Exit, Failure, Result};
use crate::json::Object;
use crate::log::Log;
use crate::options::{Global, ServerOptions};
use crate::output::note;
use crate::port_file::PortFile;

pub(crate) fn run(matches: &ArgMatches, global: &Global) -> Result {
    match matches.subcommand() {
        None => board::run(&ServerOptions::of(matches, global), global),
        Some((name, matches)) => {
            let row = services::find(name).expect("the grammar has the services of the list");
            let global = Global::of(matches);
            one(row, matches, &global, &ServerOptions::of(matches, &global))
        }
    }
}

fn one(row: &Row, matches: &ArgMatches, global: &Global, options: &ServerOptions) -> Result {
    let settings = settings(row, matches)?;
    let log = Arc::new(Log::new(global, false));
    let port_file = Arc::new(PortFile::new(options.port_file.clone())?);
    let events = {
        let (log, port_file) = (Arc::clone(&log), Arc::clone(&port_file));
        move |event: &Event<'_>| {
            log.event(event);
            match event {
                Event::Listening { address, service, .. } => {
                    tell_reach(&log, service, address);
                    port_file.listening(address);
                }
                Event::DrainEnded { cut: 1.. } => {
                    let port_file = Arc::clone(&port_file);
                    leave_soon(move || port_file.remove());
                }
                _ => {}
            }
        }
    };
    let mut server = options.server().with_events(events);
    match global.address(matches)? {
        Some(Address { place: Place::Descriptor(number), .. }) => {
            adopt(&mut server, row, activation::descriptor(number)?, &settings)?;
        }
        Some(Address { place: Place::DescriptorName(name), .. }) => {
            adopt(&mut server, row, activation::named(&name)?, &settings)?;
        }
        Some(address) => {
            let mut address = checked(row, address, global)?;
            if options.lan {
                open_up(row, matches, &mut address)?;
            }
            refuse_port_file(options, &address)?;
            server.bind(&address, make(row, &settings)?)?;
        }
        None => {
            let own = own_or_any(row)?;
            if own.is_empty() {
                let addresses = standard(row, row.port, global, options.lan);
                server.bind_all(&addresses, make(row, &settings)?)?;
            }
            own.into_iter().try_for_each(|one| adopt(&mut server, row, one, &settings))?;
        }
    }
    refuse_port_file(options, &server.addresses()[0])?;
    let ended = serve(server, &log);
    port_file.remove();
    ended
}

/// A port file can only be written where there is a port.
fn refuse_port_file(options: &ServerOptions, address: &Address) -> Result {
    match options.port_file.is_some() && !matches!(address.place, Place::Inet(..)) {
        true => Err(Failure::new(Exit::Usage, format!("--port-file: {address} has no port"))),
        false => Ok(()),
    }
}

/// The sockets that a service manager passed to a server of one service: those of its name, or if
/// none has it all of them, since there is nobody else they could be for.
fn own_or_any(row: &Row) -> Result<Vec<Socket>> {
    let mut activated = activation::sockets()?;
    let own = take_own(row, &mut activated);
    if own.is_empty() {
        return Ok(activated.into_iter().map(|one| one.socket).collect());
    }
    tell_left(&activated);
    Ok(own)
}

/// Takes the sockets that a service manager passed for a service: those of its name, as systemd
/// has it with `.socket` behind it unless told otherwise.
pub(crate) fn take_own(row: &Row, activated: &mut Vec<Activated>) -> Vec<Socket> {
    let is_own =
        |one: &mut Activated| one.name.strip_suffix(".socket").unwrap_or(&one.name) == row.name;
    activated.extract_if(.., is_own).map(|one| one.socket).collect()
}

/// Says which sockets were passed to us in vain: their clients would wait for ever.
pub(crate) fn tell_left(activated: &[Activated]) {
    for Activated { name, .. } in activated {
        note(&format!("switchboard: socket \"{name}\" is of no service here"));
    }
}

/// Serves a service at a socket that was passed to us, if it speaks that kind.
pub(crate) fn adopt(server: &mut Server, row: &Row, socket: Socket, settings: &Settings) -> Result {
    server.bind_socket(socket, make(row, settings)?)?;
    let address = server.addresses().pop().expect("it has just been added");
    speaks(row, &address, address.scheme.unwrap_or(Scheme::Tcp))
}

/// What the command line set of a service.
fn settings(row: &Row, matches: &ArgMatches) -> Result<Settings> {
    let mut settings = Settings::new(row.settings);
    for setting in row.settings {
        let given = match setting.form {
            Form::Switch => matches.get_flag(setting.name).then(String::new),
            Form::Value(_) | Form::Argument => matches.get_one::<String>(setting.name).cloned(),
        };
        if let Some(value) = given {
            settings.set(setting.name, value).expect("it is in the list it came from");
        }
    }
    Ok(settings)
}

/// A service with these settings.
pub(crate) fn make(row: &Row, settings: &Settings) -> Result<Box<dyn switchboard::Service>> {
    (row.make)(settings).map_err(|error| {
        let exit = match error.kind() {
            // Of a folder to write to.
            ErrorKind::ReadOnlyFilesystem => Exit::Output,
            kind => Exit::of(kind, Exit::Usage),
        };
        Failure::new(exit, format!("serve {}: {error}", row.name))
    })
}

/// Where a service listens unless told otherwise, but on this port.
pub(crate) fn standard(row: &Row, port: u16, global: &Global, lan: bool) -> Vec<Address> {
    let six = global.family == Some(Family::INET6);
    let host: IpAddr = if six { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
    let host = if lan { opened(host) } else { host };
    let at = |scheme: &Scheme| Address {
        scheme: Some(global.scheme(*scheme)),
        place: Place::Inet(Host::Ip(host), port),
    };
    row.schemes.iter().map(at).collect()
}

/// The given address, with the service's usual scheme if it has none.
fn checked(row: &Row, mut address: Address, global: &Global) -> Result<Address> {
    if address.place == Place::Stdio {
        let (name, port) = (row.name, row.port);
        let why = format!("serve {name} {address}: cannot listen there (try 127.0.0.1:{port})");
        return Err(Failure::new(Exit::Usage, why));
    }
    global.agrees(&address)?;
    let scheme = address.scheme.unwrap_or_else(|| global.scheme(row.schemes[0]));
    speaks(row, &address, scheme)?;
    address.scheme = Some(scheme);
    Ok(address)
}

/// For `--lan`: a port alone is that of all addresses, and not of loopback. Who has written
/// loopback has to say which it is to be.
fn open_up(row: &Row, matches: &ArgMatches, address: &mut Address) -> Result {
    let written = matches.get_one::<String>("address").map_or("", String::as_str);
    let (Place::Inet(Host::Ip(host), port), name) = (&mut address.place, row.name) else {
        return Ok(());
    };
    if host.is_loopback() && written.contains(&host.to_string()) {
        let why = format!(
            "serve {name} {written}: --lan is for all addresses, and {host} is this machine alone \
             (try {port}, or without --lan)"
        );
        return Err(Failure::new(Exit::Usage, why));
    }
    *host = if host.is_loopback() { opened(*host) } else { *host };
    Ok(())
}

/// Refuses an address of a kind that the service does not speak.
fn speaks(row: &Row, address: &Address, scheme: Scheme) -> Result {
    if row.speaks(scheme) {
        return Ok(());
    }
    let own: Vec<_> = row.schemes.iter().map(|scheme| scheme.word()).collect();
    let (name, word, own) = (row.name, scheme.word(), own.join(" or "));
    let why = format!("serve {name} {address}: it does not speak {word} (try {own})");
    Err(Failure::new(Exit::Usage, why))
}

/// All addresses of the same family.
fn opened(host: IpAddr) -> IpAddr {
    if host.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// For a server on all addresses: which those are.
pub(crate) fn tell_reach(log: &Log, service: &str, address: &Address) {
    if log.is_quiet() {
        return;
    }
    for place in reachable(address) {
        match log.is_json() {
            true => {
                let object = Object::new("reachable").text("service", service);
                log.json_line(object.text("address", &place.to_string()));
            }
            false => note(&format!("switchboard: {service} reached at {place}")),
        }
    }
}

/// The addresses of this machine behind `0.0.0.0` or `[::]`; none for any other.
fn reachable(address: &Address) -> Vec<Address> {
    let Place::Inet(Host::Ip(host), port) = &address.place else { return Vec::new() };
    if !host.is_unspecified() {
        return Vec::new();
    }
    // A machine that does not tell its addresses still serves on them.
    let mut own: Vec<IpAddr> =
        interface_addresses().unwrap_or_default().iter().map(|one| one.address).collect();
    own.retain(|ip| ip.is_ipv4() == host.is_ipv4() && !needs_a_zone(ip));
    own.sort_by_key(IpAddr::is_loopback);
    let at = |ip| Address { scheme: address.scheme, place: Place::Inet(Host::Ip(ip), *port) };
    own.into_iter().map(at).collect()
}

/// Whether an address only means something together with an interface; nobody wants to type that.
fn needs_a_zone(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// Serves until asked to stop, and says how that went.
pub(crate) fn serve(server: Server, log: &Log) -> Result {
    let control = server.control();
    log.controls(control.clone());
    let mut server = server.with_reload(hang_up(control));
    let ended = server.serve_forever();
    if let Some(exit) = second_signal() {
        return Err(Failure::quiet(exit));
    }
    ended.map_err(|error| match error.is_timeout() {
        true => Failure::new(Exit::No, error.to_string()),
        false => error.into(),
    })
}

/// The server has cut off what would not end, and should be back any moment. On the serial engine
/// it is not where a handler has not noticed: that has the thread which serves, and is left behind
/// with the process.
pub(crate) fn leave_soon(last: impl FnOnce() + Send + 'static) {
    const MOMENT: Duration = Duration::from_secs(1);
    let leave = move || {
        thread::sleep(MOMENT);
        last();
        let exit = second_signal().unwrap_or_else(|| {
            note("switchboard: drain: cut off, and a handler did not notice");
            Exit::No
        });
        std::process::exit(exit as i32);
    };
    // Without a thread for it one waits for the handler.
    let _ = start_thread("leave", leave);
}

/// What SIGHUP means here. Sent by somebody: read everything again, of which there is nothing yet
/// but to say so. Sent by the kernel, since the terminal has gone that the server was started from:
/// end, as every program at a terminal does. A terminal that has gone is no terminal any more.
fn hang_up(control: Control) -> impl FnMut() -> io::Result<()> + Send {
    let at_terminal =
        || io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
    let started_at_terminal = at_terminal();
    move || {
        if started_at_terminal && !at_terminal() {
            control.shutdown();
            return Err(io::Error::other("the terminal has gone, so the server ends"));
        }
        Ok(())
    }
}

/// The exit code of a server that was told twice to stop.
fn second_signal() -> Option<Exit> {
    let signals = stop_signals().ok()?;
    let mut again = [Poll::new(signals.again(), Interest::READ)];
    let came = poll(&mut again, Deadline::Immediate).is_ok_and(|count| count > 0);
    came.then(|| Exit::of_signal(signals.signal()))
}
