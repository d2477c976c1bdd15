//! What the command line said, as values: the options of every command and those of every server.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use switchboard::socket::{Endpoint, Family, Host, Place, Scheme};
use switchboard::{Address, Engine, Guards, Server};

use crate::args::Limit;
use crate::exit::{Exit, Failure, Result};

/// The options of every command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Global {
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) json: bool,
    pub(crate) color: When,
    /// `None`: each command has its own default.
    pub(crate) timeout: Option<Duration>,
    /// IPv4 or IPv6, if only one will do.
    pub(crate) family: Option<Family>,
}

/// When to use colour.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

impl Global {
    pub(crate) fn of(matches: &ArgMatches) -> Global {
        let family = match (matches.get_flag("ipv4"), matches.get_flag("ipv6")) {
            (true, _) => Some(Family::INET),
            (_, true) => Some(Family::INET6),
            _ => None,
        };
        let color = match matches.get_one::<String>("color").map(String::as_str) {
            Some("always") => When::Always,
            Some("never") => When::Never,
            _ => When::Auto,
        };
        Global {
            quiet: matches.get_flag("quiet"),
            verbose: matches.get_flag("verbose"),
            json: matches.get_flag("json"),
            color,
            timeout: matches.get_one("timeout").copied(),
            family,
        }
    }

    /// Reads the argument `ADDR`, if it was given. With -4 or -6 a scheme for both becomes that for
    /// one.
    ///
    /// # Errors
    /// Text that is not an address.
    pub(crate) fn address(&self, matches: &ArgMatches) -> Result<Option<Address>> {
        let Some(text) = matches.get_one::<String>("address") else { return Ok(None) };
        let read = |text: &str| text.parse::<Address>();
        let address = match (read(text), self.scheme(Scheme::Tcp)) {
            (Ok(Address { scheme: None, .. }), scheme) if scheme != Scheme::Tcp => {
                // Only the parser knows a bare port, whose loopback depends on the family.
                let prefixed = read(&format!("{}://{text}", scheme.word()));
                prefixed.or_else(|_| read(text))
            }
            (address, _) => address,
        };
        let mut address = address.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        address.scheme = address.scheme.map(|scheme| self.scheme(scheme));
        let asked = address.scheme.map_or(Family::UNSPEC, Scheme::family);
        if let Some(family) = self.family
            && [Family::INET, Family::INET6].contains(&asked)
            && asked != family
        {
            return Err(Failure::new(Exit::Usage, other(family, &address)));
        }
        Ok(Some(address))
    }

    /// The scheme that asks for the same in one family.
    pub(crate) fn scheme(&self, scheme: Scheme) -> Scheme {
        match (scheme, self.family) {
            (Scheme::Tcp, Some(Family::INET)) => Scheme::Tcp4,
            (Scheme::Tcp, Some(Family::INET6)) => Scheme::Tcp6,
            (Scheme::Udp, Some(Family::INET)) => Scheme::Udp4,
            (Scheme::Udp, Some(Family::INET6)) => Scheme::Udp6,
            (other, _) => other,
        }
    }

    /// Whether -4 and -6 leave this address as it is.
    ///
    /// # Errors
    /// A numeric address of the other family.
    pub(crate) fn agrees(&self, address: &Address) -> Result {
        let family = match &address.place {
            Place::Inet(Host::Ip(ip), _) if ip.is_ipv4() => Family::INET,
            Place::Inet(Host::Ip(_) | Host::Zoned(..), _) => Family::INET6,
            _ => return Ok(()),
        };
        match self.family {
            Some(asked) if asked != family => {
                Err(Failure::new(Exit::Resolve, other(asked, address)))
            }
            _ => Ok(()),
        }
    }

    /// The socket addresses that `address` stands for, in the order in which to try them.
    ///
    /// # Errors
    /// A name without one, or an address that is no place to connect to.
    pub(crate) fn resolve(&self, address: &Address) -> Result<Vec<Endpoint>> {
        self.agrees(address)?;
        let mut endpoints = address.resolve().map_err(Failure::unresolved)?;
        if let Some(family) = self.family {
            let inet = |family| family == Family::INET || family == Family::INET6;
            endpoints.retain(|end| end.family == family || !inet(end.family));
        }
        match endpoints.is_empty() {
            true => {
                let why = "no address in that family (there may be one without -4 or -6)";
                Err(Failure::new(Exit::Resolve, format!("cannot resolve {address}: {why}")))
            }
            false => Ok(endpoints),
        }
    }
}

/// What to say to an address that is not of the family that -4 or -6 asks for.
fn other(asked: Family, address: &Address) -> String {
    let flag = if asked == Family::INET { "-4" } else { "-6" };
    format!("address \"{address}\": {flag} asks for the other family (leave it out)")
}

/// The options of every server.
#[derive(Debug, Clone)]
pub(crate) struct ServerOptions {
    pub(crate) engine: Engine,
    pub(crate) port_file: Option<PathBuf>,
    pub(crate) lan: bool,
    pub(crate) guards: Guards,
    workers: Option<usize>,
    prefork: usize,
    messages: bool,
}

impl ServerOptions {
    pub(crate) fn of(matches: &ArgMatches, global: &Global) -> ServerOptions {
        let count = |name| matches.get_one::<NonZeroUsize>(name).map(|count| count.get());
        let limit = |name| matches.get_one::<Limit>(name).and_then(|limit| limit.0);
        let standard = Guards::default();
        let grace = matches.get_one("grace").copied().unwrap_or(standard.grace);
        let guards = Guards {
            limit_connections: count("max-connections"),
            limit_per_address: count("max-per-ip"),
            deadline_first_byte: limit("first-byte"),
            deadline_idle: limit("idle"),
            deadline_write: limit("write"),
            deadline_connection: limit("connection"),
            grace,
            ..standard
        };
        ServerOptions {
            engine: matches.get_one("engine").copied().unwrap_or_default(),
            port_file: matches.get_one("port-file").cloned(),
            lan: matches.get_flag("lan"),
            guards,
            workers: count("workers"),
            prefork: matches.get_one("prefork").copied().unwrap_or_default(),
            messages: global.verbose,
        }
    }

    /// A server with these options and no listener yet.
    pub(crate) fn server(&self) -> Server {
        let server = Server::new()
            .with_engine(self.engine)
            .with_guards(self.guards.clone())
            .with_prefork(self.prefork)
            .with_message_events(self.messages);
        match self.workers {
            Some(workers) => server.with_workers(workers),
            None => server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    /// The options of a server that is started with these words.
    fn options(words: &[&str]) -> ServerOptions {
        let words = [&["switchboard", "serve", "echo"], words].concat();
        let matches = args::program().try_get_matches_from(words).unwrap();
        let (_, serve) = matches.subcommand().unwrap();
        let (_, echo) = serve.subcommand().unwrap();
        ServerOptions::of(echo, &Global::of(echo))
    }

    #[test]
    fn every_flag_of_a_server_sets_its_guard() {
        let words = "--max-connections 7 --max-per-ip 3 --first-byte 1s --idle 2s --write 3s \
                     --connection 4s --grace 5s --engine threads --workers 6 --prefork 8 --lan \
                     --port-file f";
        let set = options(&words.split_whitespace().collect::<Vec<_>>());
        let seconds = |count| Some(Duration::from_secs(count));
        let guards = &set.guards;
        assert_eq!((guards.limit_connections, guards.limit_per_address), (Some(7), Some(3)));
        assert_eq!(guards.deadline_first_byte, seconds(1));
        assert_eq!(guards.deadline_idle, seconds(2));
        assert_eq!(guards.deadline_write, seconds(3));
        assert_eq!(guards.deadline_connection, seconds(4));
        assert_eq!(Some(guards.grace), seconds(5));
        assert_eq!((set.engine, set.workers, set.prefork), (Engine::Threads, Some(6), 8));
        assert!(set.lan && set.port_file == Some("f".into()));
    }

    #[test]
    fn without_flags_the_guards_are_those_of_the_library() {
        assert_eq!(options(&[]).guards, Guards::default());
        let off = options(&["--first-byte", "off", "--idle", "off", "--write", "off"]).guards;
        assert_eq!(off.deadline_first_byte.or(off.deadline_idle).or(off.deadline_write), None);
    }
}
