//! Workers, on every engine: they serve together, count together, and end together; one that dies
//! takes only its own connections with it and is replaced; and none outlives its supervisor.

mod support;

use std::collections::HashSet;
use std::io::{self, Write};
use std::os::unix::process::parent_id;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use support::{Client, Serving, Watchdog, ask, kill, on_every_engine, read_all, until_gone};
use switchboard::socket::process::Fork;
use switchboard::socket::{Family, Type};
use switchboard::{Connection, Control, Engine, Event, Guards, Server, Service, Socket};

on_every_engine! {
    workers_serve_and_count_together
    a_killed_worker_takes_only_its_own
    a_worker_that_is_told_to_stop_finishes
    a_request_under_way_is_answered_before_the_end
    stopping_now_cuts_off
    workers_end_with_their_supervisor
    a_handler_may_stop_the_server
}

/// Says which worker serves, and the number of the connection; then echoes lines.
fn named(engine: Engine) -> impl Service {
    move |connection: &mut Connection| -> io::Result<()> {
        let child = engine == Engine::Processes;
        let worker = if child { parent_id() } else { std::process::id() };
        writeln!(connection, "{worker:10} {:10}", connection.id())?;
        connection.flush()?;
        while connection.next_request()? {
            let mut line = String::new();
            connection.read_line(&mut line)?;
            connection.write_all(line.as_bytes())?;
        }
        Ok(())
    }
}

fn serve(engine: Engine, workers: usize, guards: Guards) -> Serving {
    let guards = Guards { limit_per_address: Some(1000), ..guards };
    let server = Server::new().with_engine(engine).with_guards(guards).with_prefork(workers);
    Serving::start(server, |server| server.bind("127.0.0.1:0", named(engine)))
}

/// The worker that serves a new client, and the number of its connection.
fn name(client: &Socket) -> (u32, u64) {
    let said = ask(client, "", 22);
    let (worker, id) = said.split_at(10);
    (worker.trim().parse().unwrap(), id.trim().parse().unwrap())
}

/// The workers of which these events say something; 0 for an event about no worker.
fn workers(server: &Serving, what: &str) -> Vec<u32> {
    let events = server.events_with(what);
    let number =
        |event: &String| event.split("pid: ").nth(1)?.split([' ', ',']).next()?.parse().ok();
    events.iter().map(|event| number(event).unwrap_or_default()).collect()
}

/// Waits until the events have said so of `count` workers.
fn until(server: &Serving, what: &str, count: usize) -> Vec<u32> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let workers = workers(server, what);
        if workers.len() >= count {
            return workers;
        }
        assert!(Instant::now() < end, "not {count}: {:?}", server.events_with("Worker"));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Clients, one for each worker, and nobody else any more.
fn one_for_each(server: &Serving, workers: &[u32]) -> Vec<(u32, Client)> {
    let mut clients: Vec<(u32, Client)> = Vec::new();
    let mut others = Vec::new();
    let before = server.control.counters();
    while clients.len() < workers.len() {
        let client = server.client();
        let (worker, _) = name(&client);
        assert!(workers.contains(&worker), "{worker} of {workers:?}");
        match clients.iter().any(|(one, _)| *one == worker) {
            true => others.push(client),
            false => clients.push((worker, client)),
        }
        if others.len() >= 100 {
            // One of the workers may have no turn for a while.
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(others.len() < 500, "the kernel has favourites");
    }
    let opened = before.opened + (clients.len() + others.len()) as u64;
    let closed = before.closed + others.len() as u64;
    drop(others);
    server.until(|counters| (counters.opened, counters.closed) == (opened, closed));
    clients
}

fn workers_serve_and_count_together(engine: Engine) {
    let server = serve(engine, 3, Guards::default());
    let started = until(&server, "WorkerStarted", 3);
    assert!(!started.contains(&std::process::id()));
    assert_eq!(server.control.active_children(), 3);
    let mut ids = HashSet::new();
    for _ in 0..20 {
        let client = server.client();
        let (worker, id) = name(&client);
        assert!(started.contains(&worker));
        assert!(ids.insert(id), "{id} twice");
        assert_eq!(ask(&client, "hello\n", 6), "hello\n");
    }
    let counters = server.until(|counters| counters.closed == 20);
    assert_eq!((counters.opened, counters.received, counters.sent), (20, 120, 20 * (22 + 6)));
    let (control, events) = (server.control.clone(), server.events.clone());
    server.stop().unwrap();
    assert_eq!(control.active_children(), 0);
    let events = events.lock().unwrap();
    assert!(events[0].contains("Listening") && !events.iter().any(|one| one.contains("Died")));
    assert!(events.last().unwrap().contains("DrainEnded { cut: 0 }"));
    started.into_iter().for_each(until_gone);
}

fn a_killed_worker_takes_only_its_own(engine: Engine) {
    let server = serve(engine, 2, Guards::default());
    let mut all = until(&server, "WorkerStarted", 2);
    for round in 1..=3 {
        let mut clients = one_for_each(&server, &all);
        let (victim, lost) = clients.pop().unwrap();
        kill(victim, "KILL");
        let _ = read_all(&lost);
        assert_eq!(until(&server, "WorkerDied", round).pop(), Some(victim));
        all.retain(|worker| *worker != victim);
        all.push(until(&server, "WorkerStarted", 2 + round).pop().unwrap());
        for (_, client) in &clients {
            assert_eq!(ask(client, "still here\n", 11), "still here\n");
        }
        drop(clients);
        server.until(|counters| counters.open() == 0);
        assert_eq!(server.events_with("Crashed(Signal(9))").len(), round);
        until_gone(victim);
    }
    assert_eq!(server.control.active_children(), 2);
    server.stop().unwrap();
}

fn a_worker_that_is_told_to_stop_finishes(engine: Engine) {
    let server = serve(engine, 1, Guards::default());
    let first = until(&server, "WorkerStarted", 1)[0];
    let client = server.client();
    assert_eq!(name(&client).0, first);
    client.send_all(b"half a li").unwrap();
    // It has the half when it has answered what came before.
    kill(first, "TERM");
    client.send_all(b"ne\n").unwrap();
    let answer = String::from_utf8(read_all(&client).unwrap()).unwrap();
    assert!(answer.is_empty() || answer == "half a line\n", "{answer:?}");
    assert_eq!(until(&server, "WorkerDied", 1), [first]);
    assert!(server.told("exit: Code(0)"), "{:?}", server.events_with("WorkerDied"));
    let next = server.client();
    assert_eq!(name(&next).0, until(&server, "WorkerStarted", 2)[1]);
    drop(next);
    server.until(|counters| counters.closed == 2);
    assert!(!server.told("Crashed") && !server.told("CutOff"));
    server.stop().unwrap();
}

fn a_request_under_way_is_answered_before_the_end(engine: Engine) {
    let server = serve(engine, 2, Guards { grace: Duration::from_secs(120), ..Guards::default() });
    let started = until(&server, "WorkerStarted", 2);
    let clients = one_for_each(&server, &started);
    for (_, client) in &clients {
        assert_eq!(ask(client, "one\nhalf a li", 4), "one\n");
    }
    server.control.shutdown();
    until(&server, "DrainBegan", 1);
    for (_, client) in &clients {
        client.send_all(b"ne\n").unwrap();
        assert_eq!(read_all(client).unwrap(), b"half a line\n");
    }
    let address = server.address.clone();
    let events = server.events.clone();
    server.stop().unwrap();
    let events = events.lock().unwrap();
    assert!(events.iter().any(|event| event.contains("DrainBegan { open: 2")));
    let endpoint = address.resolve().unwrap().remove(0);
    assert!(Socket::connected(&endpoint, Default::default()).is_err(), "nobody listens any more");
}

fn stopping_now_cuts_off(engine: Engine) {
    let mut server = serve(engine, 2, Guards::default());
    let started = until(&server, "WorkerStarted", 2);
    let clients = one_for_each(&server, &started);
    // In the middle of a line there is no end without loss.
    clients.iter().for_each(|(_, client)| client.send_all(b"half a li").unwrap());
    server.control.stop_now();
    let error = server.join().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let counters = server.control.counters();
    assert_eq!((counters.open(), counters.cut), (0, 2));
    started.into_iter().for_each(until_gone);
}

fn workers_end_with_their_supervisor(engine: Engine) {
    let (told, tell) = Socket::pair(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    let address = format!("unix://@switchboard-orphans-{engine}-{}", std::process::id());
    let serving = || {
        let mut server = Server::new().with_engine(engine).with_signals(false).with_prefork(2);
        server.bind(address.as_str(), named(engine)).unwrap();
        tell.send_all(b"bound").unwrap();
        i32::from(server.serve_forever().is_err())
    };
    let supervisor = Fork::new().with_socket(&tell).run(serving).unwrap();
    told.recv_exact(&mut [0; 5]).unwrap();
    let address = address.parse().unwrap();
    let mut clients: Vec<(u32, Client)> = Vec::new();
    while clients.iter().map(|(worker, _)| worker).collect::<HashSet<_>>().len() < 2 {
        let client = Client::new(&address);
        clients.push((name(&client).0, client));
    }
    supervisor.kill(9).unwrap();
    for (worker, client) in &clients {
        assert_eq!(read_all(client).unwrap(), b"", "the server drains");
        until_gone(*worker);
    }
}

fn a_handler_may_stop_the_server(engine: Engine) {
    let server = Server::new().with_engine(engine).with_prefork(2);
    let control: Control = server.control();
    let stop = move |connection: &mut Connection| {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        control.shutdown();
        write!(connection, "{} opened", control.counters().opened)
    };
    let mut server = Serving::start(server, |server| server.bind("127.0.0.1:0", stop));
    let client = server.client();
    server.until(|counters| counters.opened == 1);
    client.send_all(b"stop\n").unwrap();
    assert_eq!(read_all(&client).unwrap(), b"1 opened");
    server.join().unwrap();
}

#[test]
fn workers_that_die_at_once_stop_the_server() {
    let _watchdog = Watchdog::new();
    let mut died = 0;
    let events = std::sync::Mutex::new(Vec::new());
    let events = Arc::new(events);
    let seen = events.clone();
    let mut server =
        Server::new().with_signals(false).with_prefork(1).with_events(move |event: &Event<'_>| {
            if let Event::WorkerStarted { pid } = event {
                kill(*pid, "KILL");
            }
            seen.lock().unwrap().push(format!("{event:?}"));
        });
    server.bind("127.0.0.1:0", named(Engine::Threads)).unwrap();
    let control = server.control();
    let error = server.serve_forever().unwrap_err().to_string();
    assert_eq!(
        error,
        "prefork: a worker died 5 times in a row within 1 s of its start, the last time: \
         killed by SIGKILL (serve without prefork to see why)"
    );
    let mut pauses = Vec::new();
    for event in events.lock().unwrap().iter().filter(|event| event.contains("WorkerDied")) {
        died += 1;
        pauses.push(event.split("pause: ").nth(1).unwrap().to_owned());
    }
    // More, if one of them was not killed within a second.
    assert!(died >= 5, "{died}");
    assert_eq!(
        pauses[died - 5..],
        ["Some(50ms) }", "Some(100ms) }", "Some(200ms) }", "Some(400ms) }", "None }"]
    );
    assert_eq!(control.active_children(), 0);
}

#[test]
fn settings_are_read_again_by_the_workers_and_by_those_to_come() {
    let _watchdog = Watchdog::new();
    let settings = Arc::new(AtomicU32::new(0));
    let (read, own) = (Arc::clone(&settings), Arc::clone(&settings));
    let server =
        Server::new().with_engine(Engine::Threads).with_prefork(2).with_reload(move || {
            read.fetch_add(1, SeqCst);
            Ok(())
        });
    let tell = move |connection: &mut Connection| {
        write!(connection, "{:10} {}", std::process::id(), own.load(SeqCst))
    };
    let server = Serving::start(server, |server| server.bind("127.0.0.1:0", tell));
    let asked = || {
        let said = ask(&server.client(), "", 12);
        let (worker, settings) = said.split_at(10);
        (worker.trim().parse::<u32>().unwrap(), settings.trim().parse::<u32>().unwrap())
    };
    // One that has served takes the signal.
    let mut seen = HashSet::new();
    while seen.len() < 2 {
        seen.insert(asked());
    }
    assert!(seen.iter().all(|(_, settings)| *settings == 0));
    kill(std::process::id(), "HUP");
    until(&server, "Reloaded { error: None }", 1);
    let mut new = HashSet::new();
    while new.len() < 2 {
        new.extend(Some(asked()).filter(|(_, settings)| *settings == 1));
    }
    let (victim, _) = *new.iter().next().unwrap();
    kill(victim, "KILL");
    let next = until(&server, "WorkerStarted", 3)[2];
    while !new.contains(&(next, 1)) {
        let (worker, settings) = asked();
        assert_eq!(settings, 1, "also of the one that came later");
        new.insert((worker, settings));
    }
    assert_eq!(server.events_with("Reloaded").len(), 1, "told once");
    server.stop().unwrap();
}

#[test]
fn a_client_that_crashes_workers_does_not_stop_the_server() {
    let _watchdog = Watchdog::new();
    let server = Server::new().with_engine(Engine::Threads).with_prefork(1);
    let poisonous = |connection: &mut Connection| {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        if line == "poison\n" {
            std::process::abort();
        }
        connection.write_all(line.as_bytes())
    };
    let server = Serving::start(server, |server| server.bind("127.0.0.1:0", poisonous));
    for _ in 0..6 {
        let client = server.client();
        client.send_all(b"poison\n").unwrap();
        let _ = read_all(&client);
    }
    assert_eq!(ask(&server.client(), "well\n", 5), "well\n");
    let counters = server.until(|counters| counters.closed == 7);
    assert_eq!(counters.opened, 7);
    assert_eq!(server.events_with("Crashed(Signal(6))").len(), 6);
    server.stop().unwrap();
}
