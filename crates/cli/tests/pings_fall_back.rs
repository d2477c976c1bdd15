//! `ping`: each way asks and hears, and the way that is not permitted is passed over with a reason.

mod support;

use std::net::TcpStream;
use std::process::{Command, Output};

use rustix::process::Signal;
use socket::{Family, Socket, Type};
use support::scripted::{listen, nobody};
use support::{Running, fresh_path, has, run, skip, switchboard, told};

fn ping(words: &[&str]) -> Output {
    run(&mut switchboard(&[&["ping", "-i", "2ms", "-c", "2"], words].concat()), b"")
}

/// The lines of stdout, of a ping that was answered.
fn answered(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", told(output));
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

/// The same in a network of its own, in which everybody may ask by ICMP datagram socket.
fn ping_where_permitted(words: &[&str]) -> Output {
    let setup = "ip link set lo up && echo '0 2147483647' > /proc/sys/net/ipv4/ping_group_range && \
                 exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", setup, "sh", env!("CARGO_BIN_EXE_switchboard"), "ping"]);
    run(command.args(["-i", "2ms", "-c", "2"]).args(words), b"")
}

#[test]
fn icmp_is_asked_and_heard() {
    let root = rustix::process::geteuid().is_root() && has("unshare") && has("ip");
    for (host, by) in
        [("127.0.0.1", "datagram"), ("127.0.0.1", "raw"), ("::1", "datagram"), ("[::1]", "raw")]
    {
        let words = ["-q", "--by", by, host];
        let output = if root { ping_where_permitted(&words) } else { ping(&words) };
        if !root && output.status.code() == Some(13) {
            skip(&format!("ping by {by}: {}", told(&output)));
            continue;
        }
        let lines = answered(&output);
        let ip = host.trim_matches(['[', ']']);
        let begin = format!("PING {host} ({ip}): 56 data bytes, by ");
        assert!(lines[0].starts_with(&begin) && lines[0].contains(by), "{lines:?}");
        for (seq, line) in ["1", "2"].iter().zip(&lines[1..]) {
            let begin = format!("64 bytes from {ip}: icmp_seq={seq} ttl=64 time=");
            assert!(line.starts_with(&begin) && line.ends_with(" ms"), "{line}");
        }
        let summary = "2 packets transmitted, 2 received, 0% packet loss, time ";
        assert!(lines[5].starts_with(summary), "{lines:?}");
        assert!(lines[6].starts_with("rtt min/avg/max/mdev = "), "{lines:?}");
    }
    if root {
        let output = ping_where_permitted(&["10.9.9.9"]);
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(said.contains("seq=1 not sent: network is unreachable"), "{said}");
        assert!(said.contains(" 0 received, +2 errors, 100% packet loss"), "{said}");
    }
}

#[test]
fn an_open_port_and_a_closed_one_both_answer() {
    let (_listener, open) = listen();
    let (_held, closed) = nobody();
    for (port, word) in [(open, "open"), (closed, "closed")] {
        let output = ping(&["--by", "tcp", "--port", &port.to_string(), "localhost"]);
        let lines = answered(&output);
        assert!(lines[0].ends_with(&format!("): by TCP connect to port {port}")), "{lines:?}");
        let begin = format!("answer from 127.0.0.1:{port}: seq=1 port={word} time=");
        // A machine may have `localhost` in IPv6 first.
        assert!(lines[1].replace("[::1]", "127.0.0.1").starts_with(&begin), "{lines:?}");
        assert!(output.stderr.is_empty(), "{}", told(&output));
    }
}

#[test]
fn without_permission_it_is_tcp_and_says_why() {
    if !rustix::process::geteuid().is_root() {
        return skip("only root can give up its privileges");
    }
    if !has("setpriv") {
        return;
    }
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ping_group_range").unwrap();
    if range.split_whitespace().next() == Some("0") {
        return skip("everybody may ping here");
    }
    let (_listener, port) = listen();
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", env!("CARGO_BIN_EXE_switchboard")]);
    command.args(["ping", "-c", "1", "--port", &port.to_string(), "127.0.0.1"]);
    let output = run(&mut command, b"");
    assert!(answered(&output)[1].contains("port=open"), "{}", told(&output));
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    for word in ["by TCP connect", "because", "ping_group_range", "CAP_NET_RAW"] {
        assert!(line.contains(word) && line.matches('\n').count() == 1, "{line}");
    }
}

#[test]
fn no_answer_is_1_with_a_summary() {
    // A listener whose queue is full leaves further handshakes without an answer.
    let listener = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    listener.bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.getsockname().unwrap().as_inet().unwrap();
    let short = std::time::Duration::from_millis(50);
    let mut full = Vec::new();
    while let Ok(client) = TcpStream::connect_timeout(&address, short) {
        full.push(client);
    }
    let port = address.port().to_string();
    let output = ping(&["--by", "tcp", "--port", &port, "--timeout", "50ms", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("2 packets transmitted, 0 received, 100% packet loss"), "{said}");
    assert!(!said.contains("rtt"), "{said}");
}

#[test]
fn ctrl_c_ends_with_the_summary() {
    let (_listener, port) = listen();
    let port = port.to_string();
    let command =
        switchboard(&["ping", "-i", "100ms", "--by", "tcp", "--port", &port, "127.0.0.1"]);
    let mut running = Running::start(command, fresh_path("none"));
    running.out.wait_for("seq=3");
    running.signal(Signal::INT);
    assert!(running.end().success(), "{:?}", running.out.all());
    running.out.wait_for(" 0% packet loss");
}

#[test]
fn json_has_a_line_for_each_answer_and_one_for_all() {
    let (_listener, port) = listen();
    let output = ping(&["--json", "--by", "tcp", "--port", &port.to_string(), "127.0.0.1"]);
    let lines = answered(&output);
    let objects: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        objects.iter().map(|one| &one["t"]).collect::<Vec<_>>(),
        ["reply", "reply", "summary"]
    );
    assert_eq!((&objects[2]["sent"], &objects[2]["received"]), (&2.into(), &2.into()));
}

#[test]
fn wrong_words_are_2_and_unknown_names_6() {
    let rows: [(&[&str], i32, &str); 4] = [
        (&["-i", "1ms", "a"], 2, "flood"),
        (&["-c", "0", "a"], 2, "0"),
        (&["--by", "pigeon", "a"], 2, "pigeon"),
        (&["nobody.invalid"], 6, "nobody.invalid"),
    ];
    for (words, code, part) in rows {
        let output = run(&mut switchboard(&[&["ping"], words].concat()), b"");
        let line = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        assert!(line.contains(part) && line.matches('\n').count() == 1, "{line}");
    }
}
