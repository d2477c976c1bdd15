//! The sendfile cell: a file over loopback TCP, by `sendfile` and by reading and sending it.
//!
//! The sender is on the server's CPU, the receiver, which reads into a buffer of 1 MiB and throws
//! it away, on the other. The file holds real bytes, is written out and in the page cache, so the
//! disk has no part in it. A slice is two connections: the first sends the beginning of the file,
//! and every byte that arrives is compared; over the second the whole file goes again and again,
//! and only the count is. `blocks.rs` says how the ways take turns.
//!
//! Beside them `iperf3`, where it is installed, sends from memory, by `write` and by `sendfile`
//! (`-Z`), 1 GiB a slice, and its own figures are shown. It reads 128 KiB at a time and counts its
//! start among its CPU time, so it is an orientation, not a rival.

use crate::accounting::Machine;
use crate::arguments::Arguments;
use crate::blocks::{self, Entry, Samples, Slice, Surroundings};
use crate::iperf;
use crate::isolation::Isolation;
use crate::load::{pattern, thread_cpu};
use crate::report::{Report, interval, row};
use crate::server::pin;
use crate::statistics::Ratio;
use serde_json::{Map, Value, json};
use socket::{Family, Protocol, Socket, Type};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Every row; the first is the reference.
const ROWS: &[Row] = &[
    Row { name: "read and send", way: Way::ReadAndSend },
    Row { name: "sendfile", way: Way::Sendfile },
    Row { name: "iperf3", way: Way::Iperf { zero_copy: false } },
    Row { name: "iperf3 -Z", way: Way::Iperf { zero_copy: true } },
];

/// One way to send.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    way: Way,
}

#[derive(Clone, Copy)]
enum Way {
    /// 64 KiB at a time.
    ReadAndSend,
    Sendfile,
    Iperf {
        zero_copy: bool,
    },
}

/// Runs the cell. False when a way failed; one that is not installed is skipped.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    report: &mut Report,
) -> io::Result<bool> {
    let (mib, seconds) = (arguments.file_bytes >> 20, arguments.slice.as_secs_f64());
    let blocks = arguments.blocks;
    println!("\nsendfile: a file of {mib} MiB over loopback TCP, in the page cache;");
    println!("medians of {blocks} blocks of 2 slices of {seconds} s; CPU-s per GiB");
    let path = match write_file(report.folder(), arguments.file_bytes) {
        Ok(path) => path,
        Err(error) => {
            report.no_result(
                "sendfile",
                &Map::new(),
                "all",
                &format!("no file to send: {error}"),
            )?;
            return Ok(false);
        }
    };
    let missing = iperf::missing();
    let taking_part = |row: &&Row| missing.is_none() || !matches!(row.way, Way::Iperf { .. });
    let rows = ROWS.iter().filter(taking_part).map(|row| (row.name, *row));
    let mut entries = blocks::entries(rows);
    let samples = blocks::run(
        blocks,
        &mut entries,
        report,
        |row, _| match row.way {
            Way::Iperf { zero_copy } => by_iperf(zero_copy, isolation),
            way => slice(way, &path, arguments, isolation),
        },
        Sample::json,
    )?;
    summarize(arguments, &entries, &samples, report)?;
    if let Some(missing) = missing {
        println!("  iperf3: skipped, {missing}");
        report.json(
            &json!({ "v": 1, "t": "sendfile", "contestant": "iperf3", "skipped": missing }),
        )?;
    }
    Ok(samples.verdict(&entries, arguments.quick))
}

/// What one slice measured.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Decimal.
    gigabytes_per_second: f64,
    /// CPU-seconds of the sender per GiB.
    sender: f64,
    receiver: f64,
    surroundings: Surroundings,
}

impl Sample {
    fn new(
        bytes: u64,
        elapsed: Duration,
        cpu: (Duration, Duration),
        surroundings: Surroundings,
    ) -> Sample {
        let gibibytes = bytes as f64 / (1 << 30) as f64;
        Sample {
            gigabytes_per_second: bytes as f64 / 1e9 / elapsed.as_secs_f64(),
            sender: cpu.0.as_secs_f64() / gibibytes,
            receiver: cpu.1.as_secs_f64() / gibibytes,
            surroundings,
        }
    }

    fn both(&self) -> f64 {
        self.sender + self.receiver
    }

    fn json(&self, name: &str, block: usize, dropped: Option<&str>) -> Value {
        json!({
            "v": 1, "t": "sendfile_slice", "contestant": name, "block": block, "dropped": dropped,
            "gigabytes_per_second": self.gigabytes_per_second,
            "sender_cpu_s_per_gib": self.sender, "receiver_cpu_s_per_gib": self.receiver,
            "others_cpu_share": self.surroundings.others,
            "stolen_share": self.surroundings.stolen,
        })
    }
}

fn slice(
    way: Way,
    path: &Path,
    arguments: &Arguments,
    isolation: &Isolation,
) -> io::Result<Slice<Sample>> {
    let mut file = File::open(path)?;
    let beginning = Some(arguments.file_bytes.min(CHECKED_BYTES));
    transfer(true, isolation, |socket| send(way, socket, &mut file, beginning))?;
    let before = Machine::now()?;
    let done = transfer(false, isolation, |socket| {
        let start = Instant::now();
        let mut sent = 0;
        while start.elapsed() < arguments.slice {
            sent += send(way, socket, &mut file, None)?;
        }
        Ok(sent)
    })?;
    let (sender, receiver) = done.cpu;
    let surroundings = Surroundings::since(&before, sender + receiver, done.elapsed)?;
    let sample = Sample::new(done.bytes, done.elapsed, done.cpu, surroundings);
    Ok(Slice { sample, fault: surroundings.fault() })
}

fn by_iperf(zero_copy: bool, isolation: &Isolation) -> io::Result<Slice<Sample>> {
    let before = Machine::now()?;
    let done = iperf::run(zero_copy, isolation)?;
    let own = done.sender_cpu + done.receiver_cpu;
    let surroundings = Surroundings::since(&before, own, done.elapsed)?;
    let cpu = (done.sender_cpu, done.receiver_cpu);
    let sample = Sample::new(done.bytes, done.elapsed, cpu, surroundings);
    Ok(Slice { sample, fault: surroundings.fault() })
}

/// Sends `count` bytes from the file's beginning, or all of it.
fn send(way: Way, socket: &Socket, file: &mut File, count: Option<u64>) -> io::Result<u64> {
    if !matches!(way, Way::ReadAndSend) {
        return socket.sendfile(file, 0, count);
    }
    file.rewind()?;
    let mut buffer = vec![0; READ_BYTES];
    let mut sent = 0;
    let whole = count.unwrap_or(u64::MAX);
    while sent < whole {
        let room = READ_BYTES.min(usize::try_from(whole - sent).unwrap_or(READ_BYTES));
        let count = file.read(&mut buffer[..room])?;
        if count == 0 {
            break;
        }
        socket.send_all(&buffer[..count])?;
        sent += count as u64;
    }
    Ok(sent)
}

/// What went over one connection.
struct Done {
    bytes: u64,
    /// From the first byte until the receiver has read the last.
    elapsed: Duration,
    /// Of the sender and of the receiver.
    cpu: (Duration, Duration),
}

/// Runs `send` over a connection of its own to a receiver that reads all there is, and compares it
/// if it is to.
fn transfer(
    compare: bool,
    isolation: &Isolation,
    send: impl FnOnce(&Socket) -> io::Result<u64> + Send,
) -> io::Result<Done> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let to: SocketAddr = listener.local_addr()?;
    let socket = Socket::new(Family::INET, Type::STREAM, Protocol::default())?;
    socket.connect(&to.into())?;
    thread::scope(|scope| {
        let socket = &socket;
        let sender = scope.spawn(move || -> io::Result<(u64, Duration, Duration)> {
            isolation.server_cpu.map_or(Ok(()), pin)?;
            let (start, cpu) = (Instant::now(), thread_cpu());
            let sent = send(socket);
            // In any case, or the receiver waits for ever.
            socket.shutdown(Shutdown::Write)?;
            // The receiver closes when it has read all.
            socket.recv(&mut [0])?;
            Ok((sent?, start.elapsed(), thread_cpu() - cpu))
        });
        let cpu = thread_cpu();
        let received = receive(&listener, compare);
        let receiver_cpu = thread_cpu() - cpu;
        let sent = sender.join().expect("the sender does not panic");
        let (received, (sent, elapsed, sender_cpu)) = (received?, sent?);
        if received != sent {
            let text = format!("{sent} bytes were sent and {received} received");
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        Ok(Done { bytes: sent, elapsed, cpu: (sender_cpu, receiver_cpu) })
    })
}

/// Reads a connection to its end and answers how many bytes came.
fn receive(listener: &TcpListener, compare: bool) -> io::Result<u64> {
    let (mut connection, _) = listener.accept()?;
    let content = if compare { pattern(PERIOD_BYTES) } else { Vec::new() };
    let mut buffer = vec![0; RECEIVE_BYTES];
    let mut received = 0;
    loop {
        let count = connection.read(&mut buffer)?;
        if count == 0 {
            return Ok(received as u64);
        }
        if compare && !is_part(&buffer[..count], received, &content) {
            let text = format!("after byte {received} other bytes came than the file has");
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        received += count;
    }
}

/// Whether `bytes` are what comes at `place` when `content` is repeated without end.
fn is_part(mut bytes: &[u8], place: usize, content: &[u8]) -> bool {
    let mut from = place % content.len();
    while !bytes.is_empty() {
        let (part, rest) = bytes.split_at(bytes.len().min(content.len() - from));
        if *part != content[from..from + part.len()] {
            return false;
        }
        (bytes, from) = (rest, 0);
    }
    true
}

/// Writes the file to send, through to the disk, so that no writing goes on while it is sent.
fn write_file(folder: &Path, bytes: u64) -> io::Result<PathBuf> {
    let path = folder.join("file");
    let content = pattern(PERIOD_BYTES);
    let mut file = File::create(&path)?;
    let mut left = bytes;
    while left > 0 {
        let part = PERIOD_BYTES.min(usize::try_from(left).unwrap_or(PERIOD_BYTES));
        file.write_all(&content[..part])?;
        left -= part as u64;
    }
    file.sync_all()?;
    Ok(path)
}

fn summarize(
    arguments: &Arguments,
    entries: &[Entry<Row>],
    samples: &Samples<Sample>,
    report: &mut Report,
) -> io::Result<()> {
    let heads = ["GB/s", "sender", "receiver", "both", "", "GB/s ratio [95 %]", "sender ratio"];
    row("way", &heads, "");
    let floor = samples.floor(|s| s.gigabytes_per_second);
    let sender_floor = samples.floor(|s| s.sender);
    for (at, entry) in entries.iter().enumerate() {
        if entry.failure.is_some() || samples.count(at) == 0 {
            let why = entry.failure.as_deref().unwrap_or("every slice was dropped");
            report.no_result("sendfile", &Map::new(), &entry.name, why)?;
            continue;
        }
        let middle = |field: fn(&Sample) -> f64| samples.median(at, field);
        let rate = samples.ratio(at, |s| s.gigabytes_per_second);
        let sender = samples.ratio(at, |s| s.sender);
        let figures = [
            format!("{:.2}", middle(|s| s.gigabytes_per_second)),
            format!("{:.3}", middle(|s| s.sender)),
            format!("{:.3}", middle(|s| s.receiver)),
            format!("{:.3}", middle(Sample::both)),
            String::new(),
            interval(rate),
            interval(sender),
        ];
        row(&entry.name, &figures, &notes(at, entry, rate, floor));
        report.json(&json!({
            "v": 1, "t": "sendfile", "contestant": entry.name, "slices": samples.count(at),
            "slices_dropped": entry.dropped, "disturbed": entry.disturbed,
            "file_bytes": arguments.file_bytes,
            "gigabytes_per_second": middle(|s| s.gigabytes_per_second),
            "sender_cpu_s_per_gib": middle(|s| s.sender),
            "receiver_cpu_s_per_gib": middle(|s| s.receiver),
            "rate_ratio": rate.map(|r| r.json()), "sender_ratio": sender.map(|r| r.json()),
        }))?;
    }
    let [rate, sender] = [floor, sender_floor].map(|floor| floor * 100.0);
    println!("noise floor (the reference against itself): GB/s {rate:.1} %, sender {sender:.1} %");
    Ok(())
}

/// What a reader must know about a row.
fn notes(at: usize, entry: &Entry<Row>, rate: Option<Ratio>, floor: f64) -> String {
    let mut notes = Vec::new();
    match (at, entry.contestant.way) {
        (0, _) => notes.push("reference".to_owned()),
        (1, _) => notes.push("noise floor".to_owned()),
        (_, Way::Iperf { .. }) => notes.push("from memory, its own figures".to_owned()),
        _ if !rate.is_some_and(|ratio| ratio.differs(floor)) => {
            notes.push("no difference in GB/s above the floor".to_owned());
        }
        _ => {}
    }
    notes.extend(entry.remarks());
    notes.join("; ")
}

const READ_BYTES: usize = 64 * 1024;
const RECEIVE_BYTES: usize = 1 << 20;
/// So much of the file is sent once to be compared.
const CHECKED_BYTES: u64 = 64 << 20;
/// After so many bytes the file repeats itself: no multiple of a page, so that a block that is
/// left out or comes twice is seen.
const PERIOD_BYTES: usize = (1 << 20) - 3;

#[cfg(test)]
mod tests {
    use super::*;

    const ANYWHERE: Isolation =
        Isolation { fresh_network: false, load_cpu: None, server_cpu: None };

    #[test]
    fn both_ways_send_the_same_file() {
        let folder = std::env::temp_dir().join(format!("sendfile-cell-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut file = File::open(write_file(&folder, 3_000_001).unwrap()).unwrap();
        for way in [Way::ReadAndSend, Way::Sendfile] {
            let mut send = |count| {
                transfer(true, &ANYWHERE, |socket| send(way, socket, &mut file, count)).unwrap()
            };
            assert_eq!(send(None).bytes, 3_000_001);
            assert_eq!(send(Some(70_000)).bytes, 70_000);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn other_bytes_than_the_file_has_are_an_error() {
        let outcome = transfer(true, &ANYWHERE, |socket| {
            socket.send_all(b"other")?;
            Ok(5)
        });
        assert_eq!(outcome.err().unwrap().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_part_may_begin_anywhere_and_wrap() {
        assert!(is_part(b"cabca", 2, b"abc"));
        assert!(is_part(b"", 7, b"abc"));
        assert!(!is_part(b"cb", 2, b"abc"));
        assert!(!is_part(b"a", 1, b"abc"));
    }
}
