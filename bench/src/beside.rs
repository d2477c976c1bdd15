//! A cell in which one service of the product stands beside the program that people use for the
//! same: `web` beside nginx and hyper (`web.rs`), `chat` beside ngircd (`chat.rs`).
//!
//! What is compared is how much the server does in a second of its own CPU time. A foreign program
//! gets a folder, a configuration and a free port of its own and is run by this program (`beside`),
//! which writes the port file once it answers and waits for its end; so it is started, pinned and
//! killed like every other contestant. One that is not installed is skipped, and the report says
//! so.

use crate::arguments::Arguments;
use crate::blocks::{self, Entry, Samples, Slice, Surroundings};
use crate::peers::{PORT_FILE, Program, announce};
use crate::report::{Report, interval, object, row};
use crate::standing::{self, Standing, Turn};
use crate::statistics::Ratio;
use crate::{chat_ngircd, web_hyper, web_nginx};
use serde_json::{Map, Value, json};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// A program that is not ours.
pub(crate) struct Foreign {
    pub(crate) name: &'static str,
    pub(crate) paths: &'static [&'static str],
    pub(crate) version: &'static str,
    /// From the port, the folder it may use and what the cell gives: the text of its configuration.
    pub(crate) configuration: fn(u16, &Path, &[OsString]) -> String,
    /// Its arguments, before the path of the configuration.
    pub(crate) arguments: &'static [&'static str],
}

impl Foreign {
    /// It as a contestant, with what the cell gives to its configuration.
    pub(crate) fn program(&self, given: &[&OsStr]) -> Result<Program, String> {
        let path = self.path().ok_or_else(|| format!("not installed: {}", self.paths[0]))?;
        let output = Command::new(path).arg(self.version).output();
        let output = output.map_err(|error| error.to_string())?;
        let text = [output.stdout, output.stderr].concat();
        let version = String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned();
        let ourselves = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut arguments = ["beside", self.name, PORT_FILE].map(OsString::from).to_vec();
        arguments.extend(given.iter().map(|word| word.to_os_string()));
        Ok(Program::other(ourselves, arguments, version))
    }

    fn path(&self) -> Option<&'static str> {
        self.paths.iter().copied().find(|path| Path::new(path).is_file())
    }

    /// Runs it on a free port until it ends.
    fn run(&self, port_file: &Path, given: &[OsString]) -> io::Result<ExitStatus> {
        let folder = port_file.parent().unwrap_or(Path::new(".")).join(self.name);
        fs::create_dir_all(&folder)?;
        // Free now; whoever took it before the program does makes the slice fail.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let configuration = folder.join("configuration");
        fs::write(&configuration, (self.configuration)(port, &folder, given))?;
        let path = self.path().ok_or_else(|| io::Error::other("not installed"))?;
        // Through `launch`, so that it does not outlive this process.
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["launch", "-", "-", path]).args(self.arguments).arg(&configuration);
        let mut child = command.spawn()?;
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                drop(child.kill());
                return child.wait();
            }
            thread::sleep(START_POLL);
        }
        announce(port_file, port)?;
        child.wait()
    }
}

/// `beside NAME PORT_FILE GIVEN...`, run in the child.
pub(crate) fn run_inside(words: &[OsString]) -> io::Result<bool> {
    let [name, port_file, given @ ..] = words else {
        return Err(io::Error::other("beside NAME PORT_FILE [GIVEN...]"));
    };
    if let (true, [site]) = (name == web_hyper::NAME, given) {
        return web_hyper::serve(Path::new(port_file), Path::new(site)).map(|()| false);
    }
    let all = [web_nginx::ROWS, &[chat_ngircd::ROW]];
    let mut all = all.into_iter().flatten();
    let foreign = all.find(|foreign| OsStr::new(foreign.name) == name);
    let foreign = foreign.ok_or_else(|| io::Error::other("no foreign program is called so"))?;
    let status = foreign.run(Path::new(port_file), given)?;
    eprintln!("{} ended: {status}", foreign.name);
    Ok(status.success())
}

/// A service of the product on the engine that is made for this, with one worker.
pub(crate) fn product(arguments: &Arguments, words: &[&OsStr]) -> Result<Program, String> {
    let path = arguments.switchboard.clone();
    if !path.is_file() {
        return Err(format!("not built: {} (cargo build --release)", path.display()));
    }
    let mut all: Vec<OsString> = vec!["serve".into()];
    all.extend(words.iter().map(|word| word.to_os_string()));
    let more = "tcp://127.0.0.1:0 --engine coroutines --workers 1 --port-file".split(' ');
    all.extend(more.map(OsString::from));
    all.extend([PORT_FILE.into(), "--quiet".into()]);
    all.extend(arguments.switchboard_arguments.iter().map(OsString::from));
    Ok(Program::other(path, all, "see the environment".to_owned()))
}

/// One cell.
pub(crate) struct Cell {
    pub(crate) family: &'static str,
    /// What is counted, in the singular.
    pub(crate) each: &'static str,
    pub(crate) what: String,
    pub(crate) place: Map<String, Value>,
    /// What the product has to reach, of the best of those it is measured by.
    pub(crate) bar: f64,
    /// How long a contestant is measured before it is another's turn.
    pub(crate) turn: Duration,
    /// How the names of those begin; the figures of others only stand beside.
    pub(crate) bar_of: &'static str,
}

/// What one slice measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// How many in a CPU-second of the server.
    per_cpu: f64,
    per_second: f64,
    /// CPU-microseconds of server and load for each.
    both: f64,
    load: f64,
    surroundings: Surroundings,
}

impl Sample {
    fn new(turn: &Turn) -> Sample {
        let Turn { done, spent, surroundings, .. } = turn;
        let (count, seconds) = (done.messages.max(1) as f64, done.elapsed.as_secs_f64());
        Sample {
            per_cpu: count / spent.as_secs_f64(),
            per_second: count / seconds,
            both: (*spent + done.cpu).as_secs_f64() * 1e6 / count,
            load: done.cpu.as_secs_f64() / seconds,
            surroundings: *surroundings,
        }
    }
}

/// Runs the blocks and reports the cell: `contestants` with the reference first and the product
/// last. False when one failed or has no result; one that is not there is skipped.
pub(crate) fn run(
    cell: &Cell,
    contestants: Vec<(&str, Result<Program, String>)>,
    arguments: &Arguments,
    report: &mut Report,
    mut begin: impl FnMut(&Program, &Path, Duration) -> io::Result<Standing>,
) -> io::Result<bool> {
    let (mut able, mut unable) = (Vec::new(), Vec::new());
    for (name, program) in contestants {
        match program {
            Ok(program) => able.push((name, program)),
            Err(why) => unable.push((name.to_owned(), why)),
        }
    }
    println!("\n{}: {};", cell.family, cell.what);
    let (turn, turns) = standing::turns(arguments.slice, cell.turn);
    let (blocks, ms) = (arguments.blocks, turn.as_millis());
    println!("medians of {blocks} x {turns} x 2 turns of {ms} ms");
    let mut entries = blocks::entries(able);
    let line = |sample: &Sample, name: &str, block: usize, dropped: Option<&str>| {
        sample.json(cell, "slice", name, json!({ "block": block, "dropped": dropped }))
    };
    let samples = blocks::run_in_turns(
        (blocks, turns),
        &mut entries,
        report,
        |program, report| begin(program, report.folder(), turn),
        |standing: &mut Standing, _| {
            let turn = standing.turn()?;
            Ok(Slice { sample: Sample::new(&turn), fault: turn.fault })
        },
        line,
    )?;
    if !entries.is_empty() {
        summarize(cell, &entries, &samples, report)?;
    }
    report.skipped(cell.family, &cell.place, &unable)?;
    Ok(samples.verdict(&entries, arguments.quick))
}

fn summarize(
    cell: &Cell,
    entries: &[Entry<Program>],
    samples: &Samples<Sample>,
    report: &mut Report,
) -> io::Result<()> {
    let heads = ["/CPU-s", "us CPU", "us both", "/s", "load CPU", "to the first [95 %]"];
    row("server", &heads, &format!("(of one {})", cell.each));
    let has = |at: &usize| entries[*at].failure.is_none() && samples.count(*at) > 0;
    // The product stands last. Who stands first does so twice.
    let measures = |at: &usize| has(at) && entries[*at].name.starts_with(cell.bar_of) && *at != 1;
    let others = (0..entries.len().saturating_sub(1)).filter(measures);
    let middle = |at: usize| samples.median(at, |s| s.per_cpu);
    let best = others.max_by(|a, b| middle(*a).total_cmp(&middle(*b)));
    for (at, entry) in entries.iter().enumerate() {
        if !has(&at) {
            let why = entry.failure.as_deref().unwrap_or("every slice was dropped");
            report.no_result(cell.family, &cell.place, &entry.name, why)?;
            continue;
        }
        let to_best = best.filter(|best| *best != at && at + 1 == entries.len() && at > 1);
        let to_best = to_best.and_then(|best| samples.ratio_to(best, at, |s| s.per_cpu));
        let ratio = samples.ratio(at, |s| s.per_cpu);
        let figures = [
            format!("{:.0}", middle(at)),
            format!("{:.2}", 1e6 / middle(at)),
            format!("{:.2}", samples.median(at, |s| s.both)),
            format!("{:.0}", samples.median(at, |s| s.per_second)),
            format!("{:.0} %", samples.median(at, |s| s.load) * 100.0),
            interval(ratio),
        ];
        let judged = to_best.or(ratio);
        let judged = judged.filter(|_| best.is_some() && at > 1 && at + 1 == entries.len());
        row(&entry.name, &figures, &notes(cell, at, entry, judged));
        report.json(&json!({
            "v": 1, "t": cell.family, "contestant": entry.name, "place": cell.place,
            "slices": samples.count(at), "slices_dropped": entry.dropped,
            format!("{}s_per_cpu_second", cell.each): middle(at),
            "ratio": ratio.map(|ratio| ratio.json()),
            "ratio_to_best": judged.map(|ratio| ratio.json()), "bar": cell.bar,
            "bar_met": judged.map(|ratio| ratio.median >= cell.bar),
        }))?;
    }
    let floor = samples.floor(|s| s.per_cpu) * 100.0;
    println!("noise floor (the first against itself): {floor:.1} %");
    Ok(())
}

fn notes(cell: &Cell, at: usize, entry: &Entry<Program>, judged: Option<Ratio>) -> String {
    let mut notes = Vec::new();
    match (at, judged) {
        (0, _) => notes.push("reference".to_owned()),
        (1, _) => notes.push("noise floor".to_owned()),
        (_, Some(ratio)) => {
            let verdict = if ratio.median >= cell.bar { "met" } else { "MISSED" };
            let (median, bar, of) = (ratio.median, cell.bar, cell.bar_of);
            notes.push(format!("{median:.2} of the best {of}, bar {bar}: {verdict}"));
        }
        _ => {}
    }
    if entry.dropped > 0 {
        notes.push(format!("slices dropped: {}", entry.dropped));
    }
    notes.join("; ")
}

impl Sample {
    fn json(&self, cell: &Cell, t: &str, name: &str, more: Value) -> Value {
        let mut line = object(json!({ "v": 1, "t": format!("{}_{t}", cell.family) }));
        let fields = json!({
            "contestant": name, format!("{}s_per_cpu_second", cell.each): self.per_cpu,
            format!("{}s_per_second", cell.each): self.per_second,
            format!("system_cpu_us_per_{}", cell.each): self.both, "load_cpu_share": self.load,
            "others_cpu_share": self.surroundings.others,
            "stolen_share": self.surroundings.stolen,
        });
        for part in [cell.place.clone(), object(more), object(fields)] {
            line.extend(part);
        }
        Value::from(line)
    }
}

/// A folder of this name among the report's files, empty.
pub(crate) fn folder(report: &Report, name: &str) -> io::Result<PathBuf> {
    let folder = report.folder().join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

const START_LIMIT: Duration = Duration::from_secs(60);
const START_POLL: Duration = Duration::from_millis(2);
