//! `ping HOST`: is it there, and how far?
//!
//! ```text
//!   ICMP datagram socket ── not permitted ──► raw socket ── not permitted ──► TCP connects
//!   net.ipv4.ping_group_range                 CAP_NET_RAW                     nobody forbids them
//! ```
//! Which way it is, and why not the one before, is told first. Lines and summary are those of
//! iputils, which people and scripts read.
//!
//! | file | what is in it |
//! |---|---|
//! | `echo.rs` | ICMP and ICMPv6: sockets, packets, replies |
//! | `knock.rs` | the same question by TCP |
//! | `tally.rs` | what came of it, in lines |
//!
//! What it deliberately does not do: floods, sweeps of sizes, record routes.

mod echo;
mod knock;
mod tally;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use clap::ArgMatches;
use switchboard::socket::names::{Hints, getaddrinfo};
use switchboard::socket::signal::{StopSignals, stop_signals};
use switchboard::socket::{Family, Interest, Poll, Type, poll};
use switchboard::{Deadline, plain};

use crate::exit::{Exit, Failure, Result};
use crate::options::Global;
use crate::output::note;
use echo::Echo;
use knock::Knock;
use tally::Tally;

/// How long an answer may take after the last question. A third of the globe and back is 0.3 s.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// Less would be a flood. iputils lets everybody have this.
const INTERVAL_MIN: Duration = Duration::from_millis(2);

pub(crate) fn run(matches: &ArgMatches, global: &Global) -> Result {
    let name = matches.get_one::<String>("host").expect("the grammar demands a host");
    let interval = *matches.get_one::<Duration>("interval").expect("it has a default");
    if interval < INTERVAL_MIN {
        let why = "ping --interval: less than 2ms would be a flood (try 10ms)";
        return Err(Failure::new(Exit::Usage, why));
    }
    let host = host(name, global)?;
    let way = Way::choose(matches, host, global)?;
    let signals = stop_signals()
        .map_err(|error| Failure::new(Exit::No, format!("ping: {}", plain(&error))))?;
    let mut tally = Tally::new(name, host.ip(), global);
    // A connect carries no data.
    let bytes = matches!(way, Way::Echo(_)).then_some(echo::DATA_BYTES);
    tally.begin(bytes, &way.describe())?;
    let ping = Ping {
        way,
        interval,
        count: matches.get_one::<NonZeroU32>("count").map(|count| count.get()),
        wait: global.timeout.unwrap_or(ANSWER_WAIT),
        signals,
    };
    ping.run(&mut tally)?;
    tally.end()
}

/// The first address of the name.
fn host(name: &str, global: &Global) -> Result<SocketAddr> {
    let family = global.family.unwrap_or(Family::UNSPEC);
    let hints = Hints { family, kind: Type::DGRAM, ..Hints::default() };
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let found = getaddrinfo(Some(bare), 0, &hints)
        .map_err(|error| Failure::unresolved(format!("ping: {error}")))?;
    let inet = found.endpoints.iter().find_map(|end| end.address.as_inet());
    inet.ok_or_else(|| {
        let name = name.escape_debug();
        Failure::new(Exit::Resolve, format!("ping {name}: it has no address in that family"))
    })
}

/// How the question is asked.
enum Way {
    Echo(Echo),
    Knock(Knock),
}

impl Way {
    /// The first that is permitted, or the one that is demanded.
    fn choose(matches: &ArgMatches, host: SocketAddr, global: &Global) -> Result<Way> {
        let only = matches.get_one::<String>("by").map(String::as_str);
        let port = *matches.get_one::<u16>("port").expect("it has a default");
        let wanted = |way: &str| only.is_none_or(|only| only == way);
        let mut refused = Vec::new();
        for (way, kind) in [("datagram", Type::DGRAM), ("raw", Type::RAW)] {
            if !wanted(way) {
                continue;
            }
            match Echo::open(host, kind) {
                Ok(echo) => return Ok(Way::Echo(echo).told(&refused, global)),
                Err(error) => refused.push(format!("{}: {}", Echo::kind(kind), why(kind, &error))),
            }
        }
        match wanted("tcp") {
            true => Ok(Way::Knock(Knock::new(host, port)).told(&refused, global)),
            false => {
                let why = format!("ping by {} (try --by tcp)", refused.join("; "));
                Err(Failure::new(Exit::Permission, why))
            }
        }
    }

    /// Says why the ways before this one could not be taken.
    fn told(self, refused: &[String], global: &Global) -> Way {
        if !refused.is_empty() && !global.quiet {
            let way = self.describe();
            note(&format!("switchboard: ping {way}, because {}", refused.join("; ")));
        }
        self
    }

    fn describe(&self) -> String {
        match self {
            Way::Echo(echo) => echo.describe(),
            Way::Knock(knock) => knock.describe(),
        }
    }
}

/// Why a kind of ICMP socket cannot be had, with what would change it.
fn why(kind: Type, error: &io::Error) -> String {
    let remedy = match (error.kind(), kind) {
        (ErrorKind::PermissionDenied, Type::DGRAM) => {
            let range = std::fs::read_to_string("/proc/sys/net/ipv4/ping_group_range");
            let range = range.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
            format!(" (net.ipv4.ping_group_range is \"{range}\")")
        }
        (ErrorKind::PermissionDenied, _) => " (needs CAP_NET_RAW)".into(),
        _ => String::new(),
    };
    format!("{}{remedy}", plain(error))
}

/// What [`Way`]s report.
enum Heard {
    /// An answer to the question of this number.
    Reply { seq: u16, from: SocketAddr, bytes: Option<usize>, hops: Option<u8>, word: String },
    /// Somebody says that the question did not arrive.
    Lost { seq: Option<u16>, why: String },
}

struct Ping {
    way: Way,
    interval: Duration,
    count: Option<u32>,
    wait: Duration,
    signals: StopSignals,
}

impl Ping {
    /// Asks until there is nothing more to ask or to hear, or a signal comes.
    fn run(mut self, tally: &mut Tally) -> Result {
        let begun = Instant::now();
        let mut asked: u32 = 0;
        loop {
            let now = Instant::now();
            let due = begun + self.interval * asked;
            let more = self.count.is_none_or(|count| asked < count);
            if more && now >= due {
                asked = asked.wrapping_add(1);
                self.ask(asked as u16, tally)?;
                // Some answers are there at once.
                self.hear(tally)?;
                continue;
            }
            let last = tally.last_asked().unwrap_or(begun) + self.wait;
            if !more && (tally.all_answered() || now >= last) {
                return Ok(());
            }
            if self.sleep(Deadline::At(if more { due } else { last }))? {
                return Ok(());
            }
            self.hear(tally)?;
        }
    }

    fn ask(&mut self, seq: u16, tally: &mut Tally) -> Result {
        tally.asked(seq);
        let sent = match &mut self.way {
            Way::Echo(echo) => echo.ask(seq),
            Way::Knock(knock) => knock.ask(seq),
        };
        match sent {
            Ok(()) => Ok(()),
            Err(error) => tally.lost(Some(seq), &format!("not sent: {}", plain(&error))),
        }
    }

    /// Sleeps until there is something to hear; true for a signal.
    fn sleep(&self, until: Deadline) -> Result<bool> {
        let mut watched = vec![Poll::new(self.signals.asked(), Interest::READ)];
        match &self.way {
            Way::Echo(echo) => watched.push(echo.watch()),
            Way::Knock(knock) => watched.extend(knock.watch()),
        }
        poll(&mut watched, until)
            .map_err(|error| Failure::new(Exit::Receive, format!("poll: {}", plain(&error))))?;
        Ok(watched[0].ready.read)
    }

    fn hear(&mut self, tally: &mut Tally) -> Result {
        loop {
            let heard = match &mut self.way {
                Way::Echo(echo) => echo.hear(),
                Way::Knock(knock) => knock.hear(),
            };
            match heard {
                None => return Ok(()),
                Some(Heard::Reply { seq, from, bytes, hops, word }) => {
                    tally.reply(seq, from, bytes, hops, &word)?;
                }
                Some(Heard::Lost { seq, why }) => tally.lost(seq, &why)?,
            }
        }
    }
}
