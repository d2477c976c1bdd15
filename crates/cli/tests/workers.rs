//! `--prefork`, and the engine that forks, as they are used: stopped from a terminal or by a
//! service manager, which signal the whole group; killed; and asked for JSON.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use support::{LIMIT, Running, fresh_path, switchboard};

/// Ways to serve by several processes.
const WAYS: [&[&str]; 3] =
    [&["--engine", "processes"], &["--prefork", "2"], &["--prefork", "2", "--engine", "processes"]];

/// A server that is the head of a group of its own.
fn serve(way: &[&str], more: &[&str]) -> Running {
    let port_file = fresh_path("port");
    let mut command = switchboard(&["serve", "--port-file"]);
    command.arg(&port_file).args(way).args(more).process_group(0);
    let running = Running::start(command, port_file);
    running.wait_until("the port file", || running.port_file().exists());
    running
}

fn client(server: &Running) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.write_all(b"a\n").unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    client
}

#[test]
fn a_signal_to_the_whole_group_finishes_what_is_under_way() {
    for way in WAYS {
        for signal in [Signal::INT, Signal::TERM] {
            let mut server = serve(way, &["-v", "hello", "0", "--delay", "300ms"]);
            let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
            client.set_read_timeout(Some(LIMIT)).unwrap();
            client.read_exact(&mut [0; 9]).unwrap();
            client.write_all(b"group\n").unwrap();
            server.err.wait_for(" in 6 B");
            kill_process_group(server.pid(), signal).unwrap();
            let mut rest = String::new();
            client.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "hello, group!\n", "{way:?} {signal:?}: {:?}", server.err.all());
            assert_eq!(server.end().code(), Some(0), "{:?}", server.err.all());
            let said = server.err.all().join("\n");
            assert!(!said.contains("died") && !said.contains("cut off"), "{said}");
        }
    }
}

#[test]
fn a_second_signal_ends_all_at_once() {
    for way in WAYS {
        let mut server = serve(way, &["-v", "--grace", "10m", "hello", "0", "--delay", "10m"]);
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        client.write_all(b"never\n").unwrap();
        server.err.wait_for(" in 6 B");
        kill_process_group(server.pid(), Signal::INT).unwrap();
        server.err.wait_for("stopping; 1 open may take 10m");
        kill_process_group(server.pid(), Signal::INT).unwrap();
        assert_eq!(server.end().code(), Some(130), "{way:?}: {:?}", server.err.all());
        // Nobody of the group is left.
        assert!(kill_process_group(server.pid(), Signal::KILL).is_err());
    }
}

#[test]
fn a_worker_that_is_killed_is_replaced_and_told_of() {
    let server = serve(&["--prefork", "1"], &["--json", "echo", "0"]);
    let mut lost = client(&server);
    let started = server.out.wait_for("worker_started");
    let pid = started.split("\"pid\":").nth(1).unwrap();
    let pid: i32 = pid.split([',', '}']).next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    assert_eq!(lost.read(&mut [0]).unwrap_or(0), 0);
    let died = server.out.wait_for("worker_died");
    assert!(died.contains(&format!("\"pid\":{pid},\"reason\":\"killed by SIGKILL\"")), "{died}");
    let closed = server.out.wait_for("\"closed\"");
    assert!(closed.contains("its process crashed: killed by SIGKILL"), "{closed}");
    drop(client(&server));
    server.stop();
}

#[test]
fn its_workers_end_with_it() {
    for way in WAYS {
        let mut server = serve(way, &["--grace", "1s", "echo", "0"]);
        let mut idle = client(&server);
        server.signal(Signal::KILL);
        assert!(!server.end().success());
        assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0, "{way:?}");
        let group = server.pid();
        server.wait_until("end of the group", || {
            rustix::process::test_kill_process_group(group).is_err()
        });
    }
}
