//! The upload cell: how fast a file of a gibibyte gets into `upload`, beside `cp` to the same disk.
//!
//! The file lies in the page cache. `cp` is over when the bytes are in the page cache of the copy;
//! an upload is answered when they are on the disk, synchronised, with name, and hashed. So it does
//! more than what it is measured by, and `cp` with `sync` stands beside. Nothing is pinned: a copy
//! is one process, an upload is two. A slice is one transfer, by `switchboard send` or by curl; the
//! copy is compared in size and removed.

use crate::accounting::{Machine, process_cpu};
use crate::arguments::Arguments;
use crate::blocks::{self, Entry, Samples, Slice, Surroundings};
use crate::load::pattern;
use crate::peers::{PORT_FILE, Program};
use crate::report::{Report, interval, row};
use crate::server::{Conditions, Server};
use serde_json::{Map, json};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// One way to copy a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Copy,
    CopyAndSync,
    Send,
    Curl,
}

/// Every row; the first is the reference.
const ROWS: &[(&str, Way)] = &[
    ("cp", Way::Copy),
    ("cp and sync", Way::CopyAndSync),
    ("upload by send", Way::Send),
    ("upload by curl", Way::Curl),
];

/// What one slice measured.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Decimal.
    gigabytes_per_second: f64,
    /// CPU-seconds of all that took part, of the kernel's threads none.
    cpu: f64,
    surroundings: Surroundings,
}

/// Runs the cell. False when a way failed; one that is not installed is skipped.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> io::Result<bool> {
    let (blocks, mib) = (arguments.blocks, arguments.file_bytes >> 20);
    println!("\nupload: a file of {mib} MiB to the disk below {};", report.folder().display());
    println!("medians of {blocks} blocks of 2 transfers");
    let source = report.folder().join("source");
    write_file(&source, arguments.file_bytes)?;
    let (mut rows, mut unable) = (Vec::new(), Vec::new());
    for (name, way) in ROWS {
        match missing(*way, arguments) {
            None => rows.push((*name, *way)),
            Some(why) => unable.push(((*name).to_owned(), why)),
        }
    }
    let mut entries = blocks::entries(rows);
    let samples = blocks::run(
        blocks,
        &mut entries,
        report,
        |way, report| slice(*way, &source, arguments, report.folder()),
        |sample, name, block, dropped| {
            json!({
                "v": 1, "t": "upload_slice", "contestant": name, "block": block,
                "dropped": dropped, "gigabytes_per_second": sample.gigabytes_per_second,
                "cpu_s": sample.cpu, "others_cpu_share": sample.surroundings.others,
                "stolen_share": sample.surroundings.stolen,
            })
        },
    )?;
    summarize(arguments, &entries, &samples, report)?;
    report.skipped("upload", &Map::new(), &unable)?;
    fs::remove_file(source)?;
    Ok(samples.verdict(&entries, arguments.quick))
}

/// Why a way cannot be gone here.
fn missing(way: Way, arguments: &Arguments) -> Option<String> {
    let path = &arguments.switchboard;
    if matches!(way, Way::Send | Way::Curl) && !path.is_file() {
        return Some(format!("not built: {} (cargo build --release)", path.display()));
    }
    let curl = || Command::new("curl").arg("-V").stdout(Stdio::null()).status();
    (way == Way::Curl && curl().is_err()).then(|| "not installed: curl".to_owned())
}

fn slice(
    way: Way,
    source: &Path,
    arguments: &Arguments,
    report_folder: &Path,
) -> io::Result<Slice<Sample>> {
    let folder = report_folder.join("uploads");
    fs::create_dir_all(&folder)?;
    let copy = folder.join("copy");
    let server = match way {
        Way::Send | Way::Curl => Some(serve(&folder, arguments, report_folder)?),
        _ => None,
    };
    let port = server.as_ref().map_or(0, |server| server.port);
    // What the slice before has left to be written is not this one's.
    rustix::fs::sync();
    let (machine, cpu) = (Machine::now()?, process_cpu(std::process::id())?);
    let start = Instant::now();
    for mut step in steps(way, source, &copy, port, arguments) {
        let output = step.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(io::Error::other(format!("{:?}: {}", step.get_program(), text.trim())));
        }
    }
    let elapsed = start.elapsed();
    let (machine_after, cpu_after) = (Machine::now()?, process_cpu(std::process::id())?);
    drop(server);
    let length = fs::metadata(&copy)?.len();
    fs::remove_file(&copy)?;
    if length != arguments.file_bytes {
        return Err(io::Error::other(format!("the copy has {length} bytes")));
    }
    let own = cpu_after.saturating_sub(cpu);
    let surroundings = Surroundings::between(&machine, &machine_after, own, elapsed);
    let sample = Sample {
        gigabytes_per_second: arguments.file_bytes as f64 / 1e9 / elapsed.as_secs_f64(),
        cpu: own.as_secs_f64(),
        surroundings,
    };
    // The kernel's own threads write to the disk and count as others.
    let fault = (surroundings.others > OTHERS_LIMIT).then_some("others used half a CPU or more");
    Ok(Slice { sample, fault })
}

fn serve(folder: &Path, arguments: &Arguments, report_folder: &Path) -> io::Result<Server> {
    let mut words = vec!["serve".into(), "upload".into(), folder.as_os_str().to_owned()];
    let more = "tcp://127.0.0.1:0 --engine coroutines --quiet --port-file".split(' ');
    words.extend(more.map(Into::into));
    words.push(PORT_FILE.into());
    words.extend(arguments.switchboard_arguments.iter().map(Into::into));
    let program = Program::other(arguments.switchboard.clone(), words, String::new());
    let conditions = Conditions::Bound { cpu: None, descriptors: None };
    Server::start(&program, conditions, report_folder)
}

/// The commands of one transfer.
fn steps(way: Way, source: &Path, copy: &Path, port: u16, arguments: &Arguments) -> Vec<Command> {
    let url = format!("http://127.0.0.1:{port}/copy");
    let command = |program: &Path, words: &[&Path]| {
        let mut command = Command::new(program);
        command.args(words);
        command
    };
    let cp = || command("cp".as_ref(), &[source, copy]);
    match way {
        Way::Copy => vec![cp()],
        Way::CopyAndSync => vec![cp(), command("sync".as_ref(), &[copy])],
        Way::Send => {
            vec![command(&arguments.switchboard, &["send".as_ref(), source, url.as_ref()])]
        }
        Way::Curl => {
            vec![command("curl".as_ref(), &["-fsS".as_ref(), "-T".as_ref(), source, url.as_ref()])]
        }
    }
}

fn write_file(path: &PathBuf, bytes: u64) -> io::Result<()> {
    let content = pattern(PERIOD_BYTES);
    let (mut file, mut left) = (File::create(path)?, bytes);
    while left > 0 {
        let part = PERIOD_BYTES.min(usize::try_from(left).unwrap_or(PERIOD_BYTES));
        file.write_all(&content[..part])?;
        left -= part as u64;
    }
    file.sync_all()
}

fn summarize(
    arguments: &Arguments,
    entries: &[Entry<Way>],
    samples: &Samples<Sample>,
    report: &mut Report,
) -> io::Result<()> {
    row("way", &["GB/s", "CPU-s", "", "", "", "GB/s to cp [95 %]"], "");
    for (at, entry) in entries.iter().enumerate() {
        if entry.failure.is_some() || samples.count(at) == 0 {
            let why = entry.failure.as_deref().unwrap_or("every slice was dropped");
            report.no_result("upload", &Map::new(), &entry.name, why)?;
            continue;
        }
        let (rate, cpu) =
            (samples.median(at, |s| s.gigabytes_per_second), samples.median(at, |s| s.cpu));
        let ratio = samples.ratio(at, |s| s.gigabytes_per_second);
        let judged = matches!(entry.contestant, Way::Send | Way::Curl).then_some(ratio).flatten();
        let met = judged.map(|ratio| ratio.median >= BAR);
        let empty = String::new;
        let figures =
            [format!("{rate:.2}"), format!("{cpu:.2}"), empty(), empty(), empty(), interval(ratio)];
        let mut notes = match (at, met) {
            (0, _) => "reference".to_owned(),
            (1, _) => "noise floor".to_owned(),
            (_, Some(met)) => format!("bar {BAR}: {}", if met { "met" } else { "MISSED" }),
            _ => String::new(),
        };
        if entry.dropped > 0 {
            notes += &format!("; slices dropped: {}", entry.dropped);
        }
        row(&entry.name, &figures, &notes);
        report.json(&json!({
            "v": 1, "t": "upload", "contestant": entry.name, "slices": samples.count(at),
            "slices_dropped": entry.dropped, "file_bytes": arguments.file_bytes,
            "gigabytes_per_second": rate, "cpu_s": cpu,
            "rate_ratio": ratio.map(|ratio| ratio.json()), "bar": BAR, "bar_met": met,
        }))?;
    }
    let floor = samples.floor(|s| s.gigabytes_per_second) * 100.0;
    println!("noise floor (cp against itself): {floor:.1} %");
    Ok(())
}

/// The product's promise, of `cp` without `sync`.
const BAR: f64 = 0.8;
const OTHERS_LIMIT: f64 = 0.5;
/// No multiple of a page.
const PERIOD_BYTES: usize = (1 << 20) - 3;
