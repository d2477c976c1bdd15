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
    /// Connections and bytes per message of each echo cell.
    pub(crate) echoes: Vec<(usize, usize)>,
    pub(crate) blocks: usize,
    pub(crate) slice: Duration,
    pub(crate) warm_up: Duration,
    /// Clients at once in the accept cell.
    pub(crate) visitors: usize,
    /// Members of the fan-out cell.
    pub(crate) members: usize,
    /// Connections that say nothing in the idle cell.
    pub(crate) silent: usize,
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
    /// Messages of each connection in the instructions cell, and twice that.
    pub(crate) rounds: usize,
    /// Size of the file that the sendfile and upload cells send.
    pub(crate) file_bytes: u64,
    /// Empty: all.
    pub(crate) peers: Vec<String>,
    /// Of those, who stays out.
    pub(crate) without: Vec<String>,
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
    Instructions,
    Shortage,
    Echo,
    Lines,
    Accept,
    Idle,
    Flood,
    FanOut,
    Datagrams,
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
    ("instructions", Family::Instructions),
    ("shortage", Family::Shortage),
    ("echo", Family::Echo),
    ("lines", Family::Lines),
    ("accept", Family::Accept),
    ("idle", Family::Idle),
    ("flood", Family::Flood),
    ("fan-out", Family::FanOut),
    ("datagrams", Family::Datagrams),
    ("memory", Family::Memory),
    ("udp", Family::Udp),
    ("sendfile", Family::Sendfile),
    ("web", Family::Web),
    ("upload", Family::Upload),
    ("chat", Family::Chat),
    ("binary", Family::Binary),
];

/// Those that compare servers at what they are for: the sheet.
const SHEET: &[Family] = &[
    Family::Echo,
    Family::Lines,
    Family::Accept,
    Family::Idle,
    Family::Flood,
    Family::FanOut,
    Family::Datagrams,
    Family::Memory,
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
        let chosen = FAMILIES.iter().filter(|(name, family)| match command.as_str() {
            "all" => true,
            "sheet" => SHEET.contains(family),
            one => one == *name,
        });
        parsed.cells = chosen.map(|(_, family)| *family).collect();
        if command == "sheet" && !quick {
            parsed.for_the_sheet();
        }
        let (mut connections, mut sizes) = (None, None);
        if parsed.cells.is_empty() {
            return Err(format!("unknown command {command}"));
        }
        while let Some(flag) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--quick" => {}
                "--host-network" => parsed.host_network = true,
                "--connections" => connections = Some(counts(&flag, &value()?)?),
                "--size" => sizes = Some(counts(&flag, &value()?)?),
                "--visitors" => parsed.visitors = count(&flag, &value()?)?,
                "--members" => parsed.members = count(&flag, &value()?)?,
                "--silent" => parsed.silent = count(&flag, &value()?)?,
                "--idle" => parsed.idle = counts(&flag, &value()?)?,
                "--blocks" => parsed.blocks = count(&flag, &value()?)?,
                "--slice" => parsed.slice = duration(&flag, &value()?)?,
                "--warm-up" => parsed.warm_up = duration(&flag, &value()?)?,
                "--repeat" => parsed.starts = count(&flag, &value()?)?,
                "--peers" => parsed.peers = names(&value()?),
                "--without" => parsed.without = names(&value()?),
                "--reference" => parsed.reference = value()?,
                "--switchboard" => parsed.switchboard = PathBuf::from(value()?),
                "--switchboard-arg" => parsed.switchboard_arguments.push(value()?),
                "--json" => parsed.json = Some(PathBuf::from(value()?)),
                other => return Err(format!("unknown flag {other}")),
            }
        }
        if connections.is_some() || sizes.is_some() {
            let connections = connections.unwrap_or_else(|| distinct(&parsed.echoes, |it| it.0));
            let sizes = sizes.unwrap_or_else(|| vec![64]);
            let all = connections.iter().flat_map(|one| sizes.iter().map(|size| (*one, *size)));
            parsed.echoes = all.collect();
        }
        Ok(parsed)
    }

    /// Many cells and many contestants: shorter slices, and of the product only the engine that is
    /// made for this. What is given on the command line goes before.
    fn for_the_sheet(&mut self) {
        self.blocks = 3;
        self.slice = Duration::from_millis(500);
        self.warm_up = Duration::from_millis(150);
        self.measures = 1;
        self.idle = vec![10_000];
        self.without = names("switchboard-serial,switchboard-threads,switchboard-processes");
    }

    /// Full runs are for figures to publish; quick ones show that everything works.
    fn preset(quick: bool) -> Arguments {
        let choose = |full: u64, short: u64| if quick { short } else { full };
        Arguments {
            cells: Vec::new(),
            quick,
            echoes: match quick {
                true => vec![(1, 64), (64, 64), (64, 16 << 10)],
                false => vec![(1, 64), (64, 64), (1000, 64), (10_000, 64), (64, 16 << 10)],
            },
            blocks: choose(10, 1) as usize,
            slice: Duration::from_millis(choose(1000, 60)),
            warm_up: Duration::from_millis(choose(250, 20)),
            visitors: 16,
            members: choose(1000, 200) as usize,
            silent: choose(10_000, 200) as usize,
            idle: if quick { vec![500] } else { vec![1000, 10_000, 15_000] },
            measures: choose(3, 1) as usize,
            starts: choose(20, 5) as usize,
            window: Duration::from_millis(choose(2000, 300)),
            closes: choose(10, 1) as usize,
            pairs: choose(10_000, 1000),
            rounds: choose(200, 20) as usize,
            file_bytes: choose(1 << 30, 64 << 20),
            peers: Vec::new(),
            without: Vec::new(),
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
  lines      the same per line, 16 lines under way on each connection
  accept     CPU per connection and connections per second: connect, echo, close
  idle       messages per second of 64 connections, alone and beside 10,000 silent ones
  flood      99th percentile of 64 connections, alone and beside one that floods
  fan-out    CPU per delivery of a message to each of 1000 connections
  datagrams  CPU per datagram answered, 64 senders
  memory     bytes for each idle connection: silent, after a message, idle for seconds
  start      from start to first answered byte
  shortage   64 descriptors, 200 clients: CPU burnt, time to recover
  pair       instructions that our send and recv add to the system calls
  instructions  of a server for one message, and for one line, counted by callgrind
  udp        datagrams per CPU-second: one by one, in batches, segmented
  sendfile   a file over TCP: sendfile against read and send, and iperf3
  web        requests of a file per CPU-second, beside nginx and hyper: 1 KiB, 10 KiB, 1 MiB
  upload     a file of 1 GiB into upload, beside cp to the same disk
  chat       deliveries per CPU-second, a room of 1000, beside ngircd
  binary     the size of the released program
  all        all of these
  sheet      those that compare servers at what they are for, in short slices: about 17 minutes,
             12 with --blocks 2
  tables     not a cell: the figures in FILE as tables, see --from

  --quick                 all of it in less than a minute; fewer connections, rough figures
  --connections N[,N...]  connections of the echo cell (1,64,1000,10000)
  --size N[,N...]         bytes per message of the echo cell (64; and 16384 with 64 connections)
  --visitors N            clients at once in the accept cell (16)
  --silent N              silent connections of the idle cell (10000)
  --members N             members of the fan-out cell (1000)
  --idle N[,N...]         idle connections of the memory cell (1000,10000,15000)
  --blocks N              fresh starts of each row (10), which is measured twice after each
  --slice DURATION        for so long (1s), after --warm-up DURATION (250ms); in turns of 50ms where
                          servers can stand meanwhile
  --repeat N              repeats of the start cell (20)
  --peers NAME[,NAME...]  servers with only these, and the reference; switchboard: all its engines
  --without NAME[,NAME...] servers without these
  --reference NAME        what the others are compared with (bare-epoll)
  --switchboard PATH      the program to measure (../target/release/switchboard)
  --switchboard-arg WORD  one more argument for it; may be given again
  --json FILE             every slice and every result as JSON lines
  --host-network          stay in the host's network namespace, with its TCP settings

  tables --from FILE [--into DOCUMENT]
                          print what is in the JSON lines as tables, or put them into the document

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

fn names(words: &str) -> Vec<String> {
    words.split(',').map(str::to_owned).collect()
}

/// The values of `field` in order, each once.
fn distinct(all: &[(usize, usize)], field: fn(&(usize, usize)) -> usize) -> Vec<usize> {
    let mut values: Vec<_> = all.iter().map(field).collect();
    values.sort_unstable();
    values.dedup();
    values
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
mod tests;
