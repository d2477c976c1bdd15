//! The `processes` engine: each connection has a process, which has nothing of any other's; none is
//! left over, none is missed, and however one ends, its place comes back and its end is told.

mod support;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use support::{Client, Serving, Watchdog, alone, ask, kill, read_all, serve, until_gone};
use switchboard::socket::process::Fork;
use switchboard::{Connection, Engine, Guards, Server, Socket, socket};

/// Says which process it is, and then does what it is told.
fn obedient(connection: &mut Connection) -> io::Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, SeqCst);
    writeln!(connection, "{:10} {count}", std::process::id())?;
    let mut order = String::new();
    while connection.read_line(&mut order)? > 0 {
        match order.trim_end() {
            "exit" => std::process::exit(3),
            "abort" => std::process::abort(),
            "panic" => panic!("as told"),
            "sleep" => loop {
                std::thread::park();
            },
            "sockets" => writeln!(connection, "{}", sockets().join(" "))?,
            other => writeln!(connection, "{other}")?,
        }
        order.clear();
    }
    Ok(())
}

/// The sockets this process has open beside its standard files, by their inodes.
fn sockets() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let foreign = |path: &std::path::PathBuf| !["0", "1", "2"].iter().any(|fd| path.ends_with(fd));
    let links = entries.filter(foreign).filter_map(|path| std::fs::read_link(path).ok());
    let names = links.map(|link| link.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("socket:")).collect()
}

fn server(guards: Guards) -> Serving {
    serve(Engine::Processes, "127.0.0.1:0", guards, obedient)
}

/// The process that serves a new client, which is the first thing it says.
fn pid(client: &Socket) -> u32 {
    let said = ask(client, "", 13);
    assert!(said.ends_with(" 0\n"), "nobody else's count: {said:?}");
    said[..10].trim().parse().unwrap()
}

#[test]
fn each_connection_has_a_process_of_its_own() {
    let _watchdog = Watchdog::new();
    let server = server(Guards::default());
    let clients: Vec<_> = (0..8).map(|_| server.client()).collect();
    let mut pids: HashSet<_> = clients.iter().map(|client| pid(client)).collect();
    assert_eq!((pids.len(), server.control.active_children()), (8, 8));
    assert!(!pids.contains(&std::process::id()));
    drop(clients);
    server.until(|counters| counters.closed == 8);
    assert_eq!(server.control.active_children(), 0);
    pids.drain().for_each(|pid| assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists()));
    server.stop().unwrap();
}

#[test]
fn many_come_and_go_and_none_is_left() {
    let _watchdog = Watchdog::new();
    let server = server(Guards { limit_connections: Some(4), ..Guards::default() });
    for round in 1..=10 {
        let clients: Vec<_> = (0..10).map(|_| server.client()).collect();
        for client in &clients {
            // Four at once, and only as many from one address.
            let _ = client.send_all(b"hello\n");
        }
        drop(clients);
        server.until(|counters| counters.closed + counters.refused == 10 * round);
        assert_eq!(server.control.active_children(), 0);
    }
    let counters = server.control.counters();
    assert_eq!((counters.opened, counters.panicked), (counters.closed, 0));
    server.stop().unwrap();
}

#[test]
fn max_children_holds() {
    let _watchdog = Watchdog::new();
    let settings = Server::new().with_engine(Engine::Processes).with_max_children(2);
    let guards = Guards { limit_per_address: Some(100), ..Guards::default() };
    let server =
        Serving::start(settings.with_guards(guards), |server| server.bind("127.0.0.1:0", obedient));
    let (first, second, third) = (server.client(), server.client(), server.client());
    let pids = [pid(&first), pid(&second)];
    assert_eq!(server.control.active_children(), 2);
    server.until(|counters| counters.opened == 2);
    drop(first);
    assert!(!pids.contains(&pid(&third)), "it waited for room, and then got a process");
    server.stop().unwrap();
}

/// However a process ends, only its connection does, and the place comes back.
fn crashes(order: &str, reason: &str) {
    let _watchdog = Watchdog::new();
    let limits =
        Guards { limit_connections: Some(2), limit_per_address: Some(9), ..Guards::default() };
    let server = server(limits);
    let (bystander, victim) = (server.client(), server.client());
    let pids = [pid(&bystander), pid(&victim)];
    match order.strip_prefix("kill ") {
        Some(signal) => kill(pids[1], signal),
        None => victim.send_all(format!("{order}\n").as_bytes()).unwrap(),
    }
    assert_eq!(read_all(&victim).unwrap_or_default(), b"");
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!((counters.opened, server.control.active_children()), (2, 1));
    assert!(server.told(&format!("reason: {reason}")), "{:?}", server.events_with("Closed"));
    assert_eq!(ask(&bystander, "still here\n", 11), "still here\n");
    let next = server.client();
    pid(&next);
    drop((bystander, next));
    server.stop().unwrap();
}

#[test]
fn a_process_that_is_killed() {
    crashes("kill KILL", "Crashed(Signal(9))");
}

#[test]
fn a_process_that_ends_itself() {
    crashes("exit", "Crashed(Code(3))");
}

#[test]
fn a_process_that_aborts() {
    crashes("abort", "Crashed(Signal(6))");
}

#[test]
fn a_process_that_panics_has_not_crashed() {
    crashes("panic", "Panicked");
}

#[test]
fn signals_to_stop_are_not_for_children() {
    let _watchdog = Watchdog::new();
    let server = server(Guards::default());
    let client = server.client();
    let pid = pid(&client);
    kill(pid, "INT");
    kill(pid, "TERM");
    assert_eq!(ask(&client, "still here\n", 11), "still here\n");
    drop(client);
    server.until(|counters| counters.closed == 1);
    assert!(server.told("reason: PeerClosed"));
    server.stop().unwrap();
}

#[test]
fn one_that_does_not_end_is_killed() {
    let _watchdog = Watchdog::new();
    let mut server = server(Guards::default());
    let client = server.client();
    let pid = pid(&client);
    client.send_all(b"sleep\n").unwrap();
    server.control.stop_now();
    let error = server.join().unwrap_err();
    // On a busy machine it adds that somebody did not notice in time.
    assert!(error.to_string().starts_with("drain: 1 connection was cut off"), "{error}");
    assert!(server.told("reason: CutOff"));
    assert_eq!(server.control.active_children(), 0);
    until_gone(pid);
}

#[test]
fn a_child_has_no_connection_of_any_other() {
    let _watchdog = Watchdog::new();
    let server = server(Guards::default());
    let others: Vec<_> = (0..5).map(|_| server.client()).collect();
    let pids: HashSet<_> = others.iter().map(|client| pid(client)).collect();
    assert_eq!(pids.len(), 5);
    let client = server.client();
    pid(&client);
    client.send_all(b"sockets\n").unwrap();
    let mut line = String::new();
    io::BufReader::new(&*client).read_line(&mut line).unwrap();
    // Whoever is forked may speak before the server has let go of what it needed for the fork.
    server.until(|counters| counters.opened == 6);
    let ours = sockets();
    let common: Vec<_> =
        line.split(' ').filter(|name| ours.iter().any(|one| one == name)).collect();
    assert_eq!(common.len(), 1, "its own connection, which the server has too: {line}");
    drop((others, client));
    server.stop().unwrap();
}

#[test]
fn children_end_with_their_server() {
    let _watchdog = Watchdog::new();
    let (told, tell) =
        Socket::pair(socket::Family::UNIX, socket::Type::STREAM, Default::default()).unwrap();
    let name = format!("unix://@switchboard-end-{}", std::process::id());
    let serving = || {
        let server = Server::new().with_engine(Engine::Processes).with_signals(false);
        let guards = Guards { grace: Duration::from_secs(1), ..Guards::default() };
        let mut server = server.with_guards(guards);
        server.bind(name.as_str(), obedient).unwrap();
        tell.send_all(b"bound").unwrap();
        i32::from(server.serve_forever().is_err())
    };
    let parent = Fork::new().with_socket(&tell).run(serving).unwrap();
    told.recv_exact(&mut [0; 5]).unwrap();
    let address = name.parse().unwrap();
    let (idle, stuck) = (Client::new(&address), Client::new(&address));
    let pids = [pid(&idle), pid(&stuck)];
    stuck.send_all(b"sleep\n").unwrap();
    parent.kill(9).unwrap();
    assert_eq!(read_all(&idle).unwrap(), b"", "its input has ended, and so has it");
    pids.into_iter().for_each(until_gone);
}

#[test]
fn a_connection_is_refused_in_a_shortage() {
    let _watchdog = Watchdog::new();
    if !alone("a_connection_is_refused_in_a_shortage", "ulimit -n 80") {
        return;
    }
    let server = server(Guards::default());
    // The server serves when somebody has been served.
    pid(&server.client());
    server.until(|counters| counters.closed == 1);
    let client = Socket::new(socket::Family::INET, socket::Type::STREAM, Default::default());
    let client = Client::from(client.unwrap());
    let mut files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // Enough to accept a connection, and not enough to fork for it.
    files.truncate(files.len() - 3);
    let endpoint = server.address.resolve().unwrap().remove(0);
    client.connect(&endpoint.address).unwrap();
    assert_eq!(read_all(&client).unwrap(), b"", "an end, not a reset");
    let counters = server.until(|counters| counters.accept_failed > 0);
    assert_eq!((counters.opened, counters.refused), (1, 1));
    server.until_told("Shortage");
    server.until_told("pause: Some");
    drop(files);
    pid(&server.client());
    server.until(|counters| counters.opened == 2);
    server.stop().unwrap();
}
