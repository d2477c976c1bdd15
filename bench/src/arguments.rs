//! The command line. Written by hand: a dozen flags do not pay for a parser's build time here.

use crate::peers::REFERENCE;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What to run, and how.
#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) cells: Vec<Family>,
    /// The run only shows that everything works.
    pub(crate) quick: bool,
    pub(crate) connections: Vec<usize>,
    pub(crate) message_bytes: Vec<usize>,
    pub(crate) blocks: usize,
    pub(crate) slice: Duration,
    pub(crate) warm_up: Duration,
    /// Clients at once in the accept cell.
    pub(crate) visitors: usize,
    /// Idle connections of the memory cell.
    pub(crate) idle: Vec<usize>,
    /// Servers that the memory cell measures of each contestant.
    pub(crate) measures: usize,
    /// Repeats of the start cell.
    pub(crate) starts: usize,
    /// How long the shortage cell watches the server's CPU.
    pub(crate) window: Duration,
    /// Repeats of a close in the shortage cell.
    pub(crate) closes: usize,
    /// Sends and receives that the pair cell counts instructions of, and twice that.
    pub(crate) pairs: u64,
    /// Size of the file that the sendfile and upload cells send.
    pub(crate) file_bytes: u64,
    /// Empty: all.
    pub(crate) peers: Vec<String>,
    pub(crate) reference: String,
    pub(crate) switchboard: PathBuf,
    pub(crate) switchboard_arguments: Vec<String>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) host_network: bool,
}

/// A group of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Start,
    Pair,
    Shortage,
    Echo,
    Accept,
    Memory,
    Udp,
    Sendfile,
    Web,
    Upload,
    Chat,
    Binary,
}

/// Every family by its name, in the order in which they run.
const FAMILIES: &[(&str, Family)] = &[
    ("start", Family::Start),
    ("pair", Family::Pair),
    ("shortage", Family::Shortage),
    ("echo", Family::Echo),
    ("accept", Family::Accept),
    ("memory", Family::Memory),
    ("udp", Family::Udp),
    ("sendfile", Family::Sendfile),
    ("web", Family::Web),
    ("upload", Family::Upload),
    ("chat", Family::Chat),
    ("binary", Family::Binary),
];

impl Arguments {
    /// Reads the arguments after the program's name. `Err` says what is wrong with which argument.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut words = Vec::new();
        for word in arguments {
            words.push(word.into_string().map_err(|word| format!("not UTF-8: {word:?}"))?);
        }
        let quick = words.iter().any(|word| word == "--quick");
        let mut parsed = Arguments::preset(quick);
        let mut words = words.into_iter();
        let command = words.next().ok_or("a command is missing")?;
        let chosen = FAMILIES.iter().filter(|(name, _)| command == "all" || command == *name);
        parsed.cells = chosen.map(|(_, family)| *family).collect();
        if parsed.cells.is_empty() {
            return Err(format!("unknown command {command}"));
        }
        while let Some(flag) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--quick" => {}
                "--host-network" => parsed.host_network = true,
                "--connections" => parsed.connections = counts(&flag, &value()?)?,
                "--size" => parsed.message_bytes = counts(&flag, &value()?)?,
                "--visitors" => parsed.visitors = count(&flag, &value()?)?,
                "--idle" => parsed.idle = counts(&flag, &value()?)?,
                "--blocks" => parsed.blocks = count(&flag, &value()?)?,
                "--slice" => parsed.slice = duration(&flag, &value()?)?,
                "--warm-up" => parsed.warm_up = duration(&flag, &value()?)?,
                "--repeat" => parsed.starts = count(&flag, &value()?)?,
                "--peers" => parsed.peers = value()?.split(',').map(str::to_owned).collect(),
                "--reference" => parsed.reference = value()?,
                "--switchboard" => parsed.switchboard = PathBuf::from(value()?),
                "--switchboard-arg" => parsed.switchboard_arguments.push(value()?),
                "--json" => parsed.json = Some(PathBuf::from(value()?)),
                other => return Err(format!("unknown flag {other}")),
            }
        }
        Ok(parsed)
    }

    /// Full runs are for figures to publish; quick ones show that everything works.
    fn preset(quick: bool) -> Arguments {
        let choose = |full: u64, short: u64| if quick { short } else { full };
        Arguments {
            cells: Vec::new(),
            quick,
            connections: vec![1, 64, choose(1000, 256) as usize],
            message_bytes: vec![64],
            blocks: choose(10, 1) as usize,
            slice: Duration::from_millis(choose(1000, 200)),
            warm_up: Duration::from_millis(choose(250, 50)),
            visitors: 16,
            idle: if quick { vec![500] } else { vec![1000, 10_000, 15_000] },
            measures: choose(3, 1) as usize,
            starts: choose(20, 5) as usize,
            window: Duration::from_millis(choose(2000, 300)),
            closes: choose(10, 1) as usize,
            pairs: choose(10_000, 1000),
            file_bytes: choose(1 << 30, 64 << 20),
            peers: Vec::new(),
            reference: REFERENCE.to_owned(),
            switchboard: PathBuf::from(DEFAULT_SWITCHBOARD),
            switchboard_arguments: Vec::new(),
            json: None,
            host_network: false,
        }
    }
}

/// What `--help` prints.
pub(crate) const HELP: &str = "\
switchboard-bench: the product beside its peers, on this machine

  echo       CPU per message and messages per second, closed loop
  accept     CPU per connection and connections per second: connect, echo, close
  memory     bytes for each idle connection, before and after it has said something
  start      from start to first answered byte
  shortage   64 descriptors, 200 clients: CPU burnt, time to recover
  pair       instructions that our send and recv add to the system calls
  udp        datagrams per CPU-second: one by one, in batches, segmented
  sendfile   a file over TCP: sendfile against read and send, and iperf3
  web        requests of a file per CPU-second, beside nginx: 1 KiB, 10 KiB, 1 MiB
  upload     a file of 1 GiB into upload, beside cp to the same disk
  chat       deliveries per CPU-second, a room of 1000, beside ngircd
  binary     the size of the released program
  all        all of these

  --quick                 all of it in less than a minute; fewer connections, rough figures
  --connections N[,N...]  connections of the echo cell (1,64,1000)
  --size N[,N...]         bytes per message of the echo cell (64)
  --visitors N            clients at once in the accept cell (16)
  --idle N[,N...]         idle connections of the memory cell (1000,10000,15000)
  --blocks N              blocks of turns (10); each row runs twice in a block
  --slice DURATION        measured time of a slice (1s), after --warm-up DURATION (250ms)
  --repeat N              repeats of the start cell (20)
  --peers NAME[,NAME...]  servers with only these, and the reference; switchboard: all its engines
  --reference NAME        what the others are compared with (bare-epoll)
  --switchboard PATH      the program to measure (../target/release/switchboard)
  --switchboard-arg WORD  one more argument for it; may be given again
  --json FILE             every slice and every result as JSON lines
  --host-network          stay in the host's network namespace, with its TCP settings

A run in which every slice of a row was dropped, because the machine was busy, exits with 1 unless
it is --quick.

Peers:";

fn count(flag: &str, word: &str) -> Result<usize, String> {
    let number = word.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{flag}: {word} is not a number above zero"))
}

fn counts(flag: &str, words: &str) -> Result<Vec<usize>, String> {
    words.split(',').map(|word| count(flag, word)).collect()
}

/// `500ms`, `2s` or `1m`.
fn duration(flag: &str, word: &str) -> Result<Duration, String> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match &word[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return Err(format!("{flag}: {word} is not a duration such as 500ms, 2s or 1m")),
    };
    Ok(Duration::from_millis(count(flag, digits)? as u64 * unit_ms))
}

const DEFAULT_SWITCHBOARD: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/switchboard");

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_command_alone_takes_every_default() {
        let parsed = parse("echo").unwrap();
        assert_eq!(parsed.cells, [Family::Echo]);
        assert_eq!((parsed.blocks, parsed.slice), (10, Duration::from_secs(1)));
    }

    #[test]
    fn all_is_every_family_once() {
        let cells = parse("all").unwrap().cells;
        assert_eq!(cells.len(), FAMILIES.len());
        for (name, family) in FAMILIES {
            assert_eq!(parse(name).unwrap().cells, [*family]);
            assert!(cells.contains(family) && HELP.contains(&format!("\n  {name} ")), "{name}");
        }
    }

    #[test]
    fn quick_yields_to_a_flag_wherever_it_stands() {
        for line in ["all --quick --blocks 9", "all --blocks 9 --quick"] {
            let parsed = parse(line).unwrap();
            assert_eq!((parsed.blocks, parsed.starts, parsed.quick), (9, 5, true));
        }
    }

    #[test]
    fn lists_and_repeated_flags_are_kept_in_order() {
        let parsed = parse(
            "echo --connections 1,64 --size 64,16384 \
             --idle 10,20 --reference bare-threads --switchboard-arg --workers --switchboard-arg 1",
        )
        .unwrap();
        assert_eq!((parsed.connections, parsed.message_bytes), (vec![1, 64], vec![64, 16384]));
        assert_eq!((parsed.idle, parsed.reference.as_str()), (vec![10, 20], "bare-threads"));
        assert_eq!(parsed.switchboard_arguments, ["--workers", "1"]);
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("--slice", "250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("--slice", "1m"), Ok(Duration::from_secs(60)));
        for wrong in ["2", "2h", "ms", "-1s", "0s", ""] {
            assert!(duration("--slice", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in [
            ("", "command"),
            ("fly", "fly"),
            ("echo --blocks", "--blocks"),
            ("echo --blocks 0", "--blocks"),
            ("echo --connections 1,x", "x"),
            ("echo --colour", "--colour"),
        ] {
            assert!(parse(line).unwrap_err().contains(named), "{line}");
        }
    }
}
