//! What the program inherits, and what is done to it from outside: it starts safely or says why
//! not, and it ends as it was asked to, on every engine.
//!
//! The numbers in the comments are those of the rows of the list of faults; the rows that are about
//! the server and not the program are tests of the crate `switchboard`.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::{LIMIT, Running, fresh_path, has, run, skip, switchboard, told};
use switchboard::Engine;

fn engines() -> impl Iterator<Item = &'static str> {
    Engine::ALL.iter().map(|engine| engine.name())
}

fn connect(server: &Running) -> TcpStream {
    let client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client
}

/// Whether an echo is served, in a conversation of its own.
fn serves(server: &Running) {
    talks(server).expect("an echo");
}

/// A client that has had its echo; `None` if it was let go, perhaps as too slow to say something.
fn talks(server: &Running) -> Option<TcpStream> {
    let (mut client, mut room) = (connect(server), [0; 4]);
    let said = client.write_all(b"well").and_then(|()| client.read_exact(&mut room));
    (said.is_ok() && &room == b"well").then_some(client)
}

/// The program through another command, which sets the scene and then becomes it.
fn serve_through(before: &[&str], args: &[&str]) -> Running {
    let port_file = fresh_path("port");
    let mut command = Command::new(before[0]);
    command.args(&before[1..]).arg(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["serve", "--port-file"]).arg(&port_file).args(args);
    let server = Running::start(command, port_file);
    server.wait_until("the port file", || server.port_file().exists());
    server
}

/// A shell that does this and then becomes the program.
fn serve_after(script: &str, args: &[&str]) -> Running {
    serve_through(&["sh", "-c", &format!("{script}\nexec \"$@\""), "sh"], args)
}

/// Most systems begin programs with a thousand descriptors, for the sake of old ones.
#[test]
fn it_takes_as_many_descriptors_as_it_may_have() {
    let server = serve_after("ulimit -S -n 64", &["echo", "127.0.0.1:0"]);
    let path = format!("/proc/{}/limits", server.pid().as_raw_nonzero());
    let limits = std::fs::read_to_string(path).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [soft, hard] = numbers[..] else { panic!("{line}") };
    assert_eq!(soft, hard.min(1 << 20));
    // With 64, no more than a quarter of 60 would be served.
    let clients: Vec<_> = (0..70).map(|_| connect(&server)).collect();
    for mut client in clients {
        client.write_all(b"well").unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
    }
}

/// A line of `/proc/…/status` of a server. `proc_pid_status(5)`.
fn status(server: &Running, line: &str) -> String {
    let path = format!("/proc/{}/status", server.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap();
    status.lines().find_map(|found| found.strip_prefix(line)).unwrap().trim().to_owned()
}

/// Row 41.
#[test]
fn missing_standard_streams_are_not_taken_for_connections() {
    for engine in engines() {
        for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let server = serve_after(&format!("exec {closed}"), &["--engine", engine, "echo", "0"]);
            serves(&server);
            for number in 0..3 {
                let path = format!("/proc/{}/fd/{number}", server.pid().as_raw_nonzero());
                let what = std::fs::read_link(&path).unwrap();
                let what = what.to_string_lossy();
                assert!(!what.starts_with("socket:"), "{closed}: {number} is {what}");
                assert!(!what.contains("event"), "{closed}: {number} is {what}");
            }
            server.stop();
        }
    }
}

/// Row 41: whoever blocked the signals that end it has not asked for a program without an end, nor
/// for one that never reloads.
#[test]
fn a_blocked_signal_still_ends_it() {
    let program = "import os, signal, sys\n\
                   signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n\
                   os.execv(sys.argv[1], sys.argv[1:])";
    if !has("python3") {
        return;
    }
    for engine in engines() {
        let args = ["--engine", engine, "echo", "0"];
        let server = serve_through(&["python3", "-c", program], &args);
        serves(&server);
        server.signal(Signal::HUP);
        server.err.wait_for("switchboard: reloaded");
        server.stop();
    }
}

/// Row 41: with SIGCHLD ignored, a child that has ended cannot be waited for.
#[test]
fn ignored_signals_do_no_harm() {
    for engine in engines() {
        let script = "trap '' CHLD HUP PIPE USR1 USR2";
        let server = serve_after(script, &["--engine", engine, "echo", "0"]);
        for _ in 0..5 {
            serves(&server);
        }
        server.stop();
    }
}

/// Row 41: without a mask, files that others may write to are still not made.
#[test]
fn without_a_mask_its_port_file_is_its_own() {
    use std::os::unix::fs::PermissionsExt;
    let server = serve_after("umask 0", &["echo", "0"]);
    serves(&server);
    let mode = std::fs::metadata(server.port_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o022, 0, "others may write to it: {mode:o}");
    server.stop();
}

/// Row 41: descriptors that were meant for somebody else are left alone.
#[test]
fn sockets_passed_to_another_process_are_left_alone() {
    for pid in ["1", "0", "-1", "", "x", "99999999999999999999"] {
        let script = format!("LISTEN_FDS=1 LISTEN_PID={pid}; export LISTEN_FDS LISTEN_PID");
        let server = serve_after(&script, &["echo", "0"]);
        serves(&server);
        server.stop();
    }
}

/// Row 41.
#[test]
fn a_hostile_environment_is_survived() {
    let rows = [
        ("TERM", "\u{1b}[2J"),
        ("COLUMNS", "-1"),
        ("LINES", "0"),
        ("LANG", "../../../../etc/passwd"),
        ("TZ", ":/dev/zero"),
        ("HOME", "/nonexistent"),
        ("TMPDIR", "/nonexistent"),
        ("PATH", ""),
        ("RUST_LOG", "%s%n"),
        ("RUST_BACKTRACE", "full"),
        ("NOTIFY_SOCKET", "/nonexistent/socket"),
        ("LOCALDOMAIN", "x"),
        ("RES_OPTIONS", "timeout:99999"),
        ("IFS", "/"),
    ];
    let mut script = String::from("unset USER LOGNAME SHELL\n");
    for (name, value) in rows {
        script += &format!("export {name}='{value}'\n");
    }
    let huge = "x".repeat(100_000);
    script += &format!("export HUGE={huge}\nexport SWITCHBOARD_NOTHING=x");
    let server = serve_after(&script.replace("export PATH=''\n", ""), &["echo", "0"]);
    serves(&server);
    server.stop();
}

/// Row 41: a variable of its own that it cannot understand is refused, not passed over.
#[test]
fn a_variable_it_cannot_understand_is_refused() {
    for (name, value) in [("ENGINE", "steam"), ("IDLE", "soon"), ("MAX_CONNECTIONS", "-1")] {
        let mut command = switchboard(&["serve", "echo", "0"]);
        let output = run(command.env(format!("SWITCHBOARD_{name}"), value), b"");
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(value), "{}", told(&output));
    }
}

/// Row 42. The offset moves the clock that never goes back to where it is on a machine that has
/// just been started, or that has run for ten years.
#[test]
fn deadlines_hold_on_a_machine_of_any_age() {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split_whitespace().next().unwrap().parse().unwrap();
    let young = format!("--monotonic=-{}", uptime as u64);
    for offset in [young.as_str(), "--monotonic=315360000"] {
        let before = ["unshare", "-T", offset];
        if !has("unshare") {
            return;
        }
        let mut may = Command::new("unshare");
        may.args(&before[1..]).arg("true").stderr(Stdio::null());
        if !may.status().unwrap().success() {
            return skip("a clock of its own needs CAP_SYS_ADMIN");
        }
        for engine in engines() {
            let args = ["--engine", engine, "--first-byte", "100ms", "echo", "0"];
            let server = serve_through(&before, &args);
            server.wait_until("echo", || talks(&server).is_some());
            let mut silent = connect(&server);
            assert_eq!(silent.read(&mut [0]).unwrap(), 0);
            server.err.wait_for("(timed out: no first byte)");
            server.stop();
        }
    }
}

/// Row 42: the clock on the wall jumps by a year, back and forth, while the server serves. The
/// service that tells the time shows that it does; no wait is longer or shorter for it.
#[test]
fn the_clock_on_the_wall_may_jump() {
    let shown = Command::new("faketime").args(["-f", "+0", "env"]).output();
    let shown = shown.map(|output| String::from_utf8(output.stdout).unwrap()).unwrap_or_default();
    let Some(preload) = shown.lines().find(|line| line.starts_with("LD_PRELOAD=")) else {
        return skip("faketime is not there");
    };
    let jumps = fresh_path("clock");
    let set = |jump: &str| std::fs::write(&jumps, jump).unwrap();
    set("+0");
    let file = format!("FAKETIME_TIMESTAMP_FILE={}", jumps.display());
    let before = ["env", preload, &file, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"];

    let server = serve_through(&before, &["daytime", "0"]);
    let year = || {
        let mut said = String::new();
        connect(&server).read_to_string(&mut said).unwrap();
        said.split(' ').nth(3).unwrap().parse::<u32>().unwrap()
    };
    let now = year();
    set("+1y");
    assert_eq!(year(), now + 1, "it does not jump");
    set("-1y");
    assert_eq!(year(), now - 1, "it does not jump");
    server.stop();

    for engine in engines().filter(|engine| *engine != "serial") {
        set("+0");
        let args = ["--engine", engine, "--first-byte", "300ms", "--idle", "1h", "echo", "0"];
        let server = serve_through(&before, &args);
        let mut open = None;
        server.wait_until("echo", || {
            open = talks(&server);
            open.is_some()
        });
        let mut open = open.unwrap();
        for jump in ["-1y", "+1y", "-1y"] {
            let mut silent = connect(&server);
            set(jump);
            assert_eq!(silent.read(&mut [0]).unwrap(), 0);
        }
        open.write_all(b"still").unwrap();
        open.read_exact(&mut [0; 5]).unwrap();
        server.err.wait_for("(timed out: no first byte)");
        drop(open);
        server.stop();
    }
    std::fs::remove_file(jumps).unwrap();
}

/// Row 42: a clock that somebody may set is read nowhere in the product but by the services, which
/// say what time it is and keep no deadlines of their own.
#[test]
fn no_deadline_is_kept_by_the_clock_on_the_wall() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut looked_at = 0;
    let mut folders: Vec<_> =
        std::fs::read_dir(root).unwrap().map(|one| one.unwrap().path().join("src")).collect();
    folders.retain(|folder| !folder.ends_with("services/src"));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            looked_at += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            for word in ["SystemTime::now", "CLOCK_REALTIME", "gettimeofday", "UNIX_EPOCH.elapsed"]
            {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
    assert!(looked_at > 50, "only {looked_at} files");
}

/// Row 35: at any moment of its start it ends, by the signal or of itself, and leaves no file.
#[test]
fn a_signal_during_the_start_ends_it() {
    for engine in engines() {
        for round in 0..20_u32 {
            let port_file = fresh_path("port");
            let mut command = switchboard(&["serve", "--engine", engine, "--port-file"]);
            command.arg(&port_file).args(["echo", "0"]);
            let mut server = Running::start(command, port_file);
            // Nothing is waited for: this only moves the moment.
            let moment = Instant::now() + Duration::from_micros(u64::from(round) * 150);
            while Instant::now() < moment {
                thread::yield_now();
            }
            server.signal(Signal::TERM);
            let status = server.end();
            use std::os::unix::process::ExitStatusExt;
            let killed = status.signal() == Some(Signal::TERM.as_raw());
            assert!(killed || status.code() == Some(0), "{status}: {:?}", server.err.all());
            assert!(!server.port_file().exists(), "{status}: the port file is left behind");
        }
    }
}

/// Row 35.
#[test]
fn a_signal_under_load_cuts_no_answer_in_two() {
    const LINE: &[u8] = b"the quick brown fox jumps over the lazy dog\n";
    for engine in engines() {
        let mut server = Running::serve(&["-q", "--engine", engine, "upper", "0"]);
        let clients = if engine == "serial" { 1 } else { 8 };
        let ask = |mut client: TcpStream| {
            move || {
                let mut answer = [0; LINE.len()];
                while client.write_all(LINE).is_ok() {
                    match read_up_to(&mut client, &mut answer) {
                        0 => break,
                        count => assert_eq!(&answer[..count], LINE.to_ascii_uppercase()),
                    }
                }
            }
        };
        let mut busy = Vec::new();
        for _ in 0..clients {
            let mut client = connect(&server);
            client.write_all(LINE).unwrap();
            client.read_exact(&mut [0; LINE.len()]).unwrap();
            busy.push(thread::spawn(ask(client)));
        }
        server.signal(Signal::TERM);
        assert_eq!(server.end().code(), Some(0), "{engine}: {:?}", server.err.all());
        busy.into_iter().for_each(|one| one.join().unwrap());
    }
}

/// Fills the buffer, or as much of it as comes before the end or a reset.
fn read_up_to(client: &mut TcpStream, buffer: &mut [u8]) -> usize {
    let mut count = 0;
    while count < buffer.len() {
        match client.read(&mut buffer[count..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => count += more,
        }
    }
    count
}

/// Row 18: a line that never ends is refused long before it is a burden.
#[test]
fn a_line_without_an_end_costs_no_memory() {
    const MUCH: usize = 64 << 20;
    for engine in engines() {
        let server = Running::serve(&["--engine", engine, "hello", "0"]);
        let mut client = connect(&server);
        let chunk = vec![b'x'; 1 << 16];
        let mut sent = 0;
        while sent < MUCH && client.write_all(&chunk).is_ok() {
            sent += chunk.len();
        }
        assert!(sent < MUCH, "all of it was taken");
        let peak = status(&server, "VmHWM:");
        let peak: usize = peak.trim_end_matches(" kB").parse().unwrap();
        assert!(peak < 32 << 10, "{peak} kB");
        drop(client);
        server.stop();
    }
}

/// Row 23: whoever reads its output has had enough, before it began.
#[test]
fn a_closed_pipe_is_not_an_error() {
    let rows: [&[&str]; 5] =
        [&["services"], &["engines", "-v"], &["--help"], &["addr", "1"], &["serve", "--help"]];
    for args in rows {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = switchboard(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""), "{args:?}");
    }
}
