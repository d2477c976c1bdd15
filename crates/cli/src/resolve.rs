//! `resolve NAME [SERVICE]`: what the system's resolver answers, in its order, which is the order
//! in which to connect (RFC 6724).
//!
//! An address appears once, with every kind of socket it was given for. Nothing is asked but
//! `getaddrinfo`: what this shows is what a program on this machine gets.

use clap::ArgMatches;
use switchboard::socket::names::{AddrInfoFlags, GaiCode, Hints, Port, Reason, getaddrinfo};
use switchboard::socket::{Endpoint, Family, SockAddr};

use crate::exit::{Exit, Failure, Result};
use crate::json::Object;
use crate::options::Global;
use crate::output::{Paint, data, table};

/// An address, and the sockets that reach it.
struct Found {
    address: SockAddr,
    kinds: Vec<String>,
}

pub(crate) fn run(matches: &ArgMatches, global: &Global) -> Result {
    let name = matches.get_one::<String>("host").expect("the grammar demands a name");
    let service = matches.get_one::<String>("service").map(String::as_str);
    let family = global.family.unwrap_or(Family::UNSPEC);
    let hints = Hints { family, flags: AddrInfoFlags::CANONNAME, ..Hints::default() };
    let port = service.map_or(Port::None, Port::Name);
    let host = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let answer = getaddrinfo(Some(host), port, &hints).map_err(|error| {
        let service = service.map(|service| format!(" {}", service.escape_debug()));
        let why = format!("resolve{}: {error}", service.as_deref().unwrap_or_default());
        let remedy = match (error.reason(), service) {
            _ if error.is_temporary() => "the name service does not answer; is there a network?",
            (Reason::Gai(GaiCode::SERVICE), Some(_)) => "a port may also be a number",
            _ => return Failure::unresolved(why),
        };
        Failure::new(Exit::Resolve, format!("{why} ({remedy})"))
    })?;
    let found = group(&answer.endpoints);
    let official = answer.canonname.filter(|official| official != host);
    if global.json {
        let lines = found.iter().map(|one| {
            let object = Object::new("address").text("name", name);
            let object = match &official {
                Some(official) => object.text("official", official),
                None => object.null("official"),
            };
            let (ip, port) = parts(&one.address);
            object.text("ip", &ip).number("port", port).texts("over", &one.kinds).line()
        });
        return data(&lines.collect::<String>());
    }
    let mut rows = vec![vec!["ADDRESS".into(), "OVER".into()]];
    for one in &found {
        let (ip, _) = parts(&one.address);
        let place = if service.is_some() { one.address.to_string() } else { ip };
        rows.push(vec![place, one.kinds.join(" ")]);
    }
    if let Some(official) = official {
        rows.push(vec![format!("official name: {official}")]);
    }
    data(&table(&rows, Paint::stdout(global)))
}

/// Each address once, in the order in which it first comes.
fn group(endpoints: &[Endpoint]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for end in endpoints {
        // Names of C without their `SOCK_`: stream, dgram, raw.
        let kind = end.kind.to_string().to_lowercase();
        let kind = kind.strip_prefix("sock_").unwrap_or(&kind).to_owned();
        match found.iter_mut().find(|one| one.address == end.address) {
            Some(one) => one.kinds.push(kind),
            None => found.push(Found { address: end.address.clone(), kinds: vec![kind] }),
        }
    }
    found
}

fn parts(address: &SockAddr) -> (String, u16) {
    match address.as_inet() {
        // A zone is part of what is written before the port.
        Some(inet) if inet.is_ipv6() => {
            let text = address.to_string();
            let ip = text.strip_prefix('[').and_then(|rest| rest.rsplit_once(']'));
            (ip.map_or_else(|| inet.ip().to_string(), |(ip, _)| ip.to_owned()), inet.port())
        }
        Some(inet) => (inet.ip().to_string(), inet.port()),
        None => (address.to_string(), 0),
    }
}
