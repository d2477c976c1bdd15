//! A server says what it is doing, to any thread and at any time, on every engine; and a handler
//! that keeps its worker to itself is named.

mod support;

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use support::{Serving, ask, on_every_engine, serve};
use switchboard::{Connection, Description, Doing, Engine, Guards, Server};

on_every_engine! {
    one_that_waits_for_its_peer_is_described
    one_that_waits_for_the_next_request_is_described
    one_that_works_is_described
    a_server_that_does_not_serve_has_numbers
    a_handler_may_ask_for_it
}

/// Asks until it is as it should be.
fn until(server: &Serving, what: impl Fn(&Description) -> bool) -> Description {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let description = server.control.describe();
        if what(&description) {
            return description;
        }
        assert!(Instant::now() < end, "not reached:\n{description}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn all_answered(description: &Description) -> bool {
    description.workers.iter().all(|worker| worker.answered)
}

fn echo(connection: &mut Connection) -> io::Result<()> {
    let mut byte = [0];
    while connection.read(&mut byte)? == 1 {
        connection.write_all(&byte)?;
        connection.flush()?;
    }
    Ok(())
}

fn one_that_waits_for_its_peer_is_described(engine: Engine) {
    let server = serve(engine, "127.0.0.1:0", Guards::default(), echo);
    let client = server.client();
    assert_eq!(ask(&client, "x", 1), "x");
    let description = until(&server, |it| it.doing == [0, 1, 0, 0] && all_answered(it));
    assert_eq!((description.engine, description.open()), (Some(engine), 1));
    assert_eq!(description.process, std::process::id());
    let [open] = &description.connections[..] else { panic!("{description}") };
    assert_eq!((open.id, open.listener, &*open.service), (1, 0, "service"));
    assert_eq!(open.peer, Some(client.getsockname().unwrap()));
    assert_eq!(open.doing, Doing::Reading);
    assert!(open.left.unwrap() <= Guards::default().deadline_idle.unwrap() + TICK);
    assert_eq!(open.traffic.unwrap().received, 1);
    let summary = format!("service #1 {}", client.getsockname().unwrap());
    let names = description.workers.iter().flat_map(|worker| &worker.coroutines);
    let named = names.filter(|coroutine| coroutine.name == summary).count();
    assert_eq!(named, usize::from(engine == Engine::Coroutines), "{description}");
    let printed = description.to_string();
    assert!(printed.contains(&format!("#1 service {}", client.getsockname().unwrap())));
    drop(client);
    until(&server, |it| it.open() == 0 && it.connections.is_empty());
    server.stop().unwrap();
}

/// A limit is kept by a clock that may be as much behind.
const TICK: Duration = Duration::from_millis(10);

fn one_that_waits_for_the_next_request_is_described(engine: Engine) {
    let service = |connection: &mut Connection| {
        while connection.next_request()? {
            connection.read_exact(&mut [0])?;
        }
        Ok(())
    };
    let guards = Guards { deadline_first_byte: None, ..Guards::default() };
    let server = serve(engine, "127.0.0.1:0", guards, service);
    let client = server.client();
    let description = until(&server, |it| it.doing == [0, 0, 1, 0]);
    assert_eq!(description.connections[0].doing, Doing::Between);
    assert_eq!(description.connections[0].left, None, "it may do so for ever");
    drop(client);
    server.stop().unwrap();
}

fn one_that_works_is_described(engine: Engine) {
    let service = |connection: &mut Connection| {
        while !connection.draining() {
            switchboard::sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    let server = serve(engine, "127.0.0.1:0", Guards::default(), service);
    let _client = server.client();
    let children = usize::from(engine == Engine::Processes);
    let description = until(&server, |it| it.doing == [1, 0, 0, 0] && it.children == children);
    assert_eq!(description.connections[0].doing, Doing::Working);
    assert_eq!(description.connections[0].left, None, "it does not wait");
    server.stop().unwrap();
}

fn a_server_that_does_not_serve_has_numbers(engine: Engine) {
    let server = serve(engine, "127.0.0.1:0", Guards::default(), echo);
    let control = server.control.clone();
    assert_eq!(ask(&server.client(), "x", 1), "x");
    server.until(|counters| counters.closed == 1);
    server.stop().unwrap();
    let after = control.describe();
    assert_eq!((after.engine, after.open(), after.counters.closed), (None, 0, 1));
    assert!(after.draining && after.workers.is_empty());

    let control = Server::new().with_engine(engine).control();
    assert_eq!(control.describe().engine, None);
}

/// Also one that runs on a worker, which can answer only while it waits; and one in a process of
/// its own, which knows nothing of the others.
fn a_handler_may_ask_for_it(engine: Engine) {
    let mut server = Server::new().with_engine(engine);
    let control = server.control();
    let service = move |connection: &mut Connection| {
        let description = control.describe();
        let answered = description.workers.iter().filter(|worker| worker.answered).count();
        write!(connection, "{} {answered}", description.open())
    };
    let server = Serving::start(std::mem::take(&mut server).with_workers(1), |server| {
        server.bind("127.0.0.1:0", service)
    });
    let said = support::read_all(&server.client()).unwrap();
    let expected = match engine {
        Engine::Processes => "0 0",
        Engine::Coroutines => "1 1",
        _ => "1 0",
    };
    assert_eq!(String::from_utf8(said).unwrap(), expected);
    server.stop().unwrap();
}

#[test]
fn a_handler_that_keeps_its_worker_is_named() {
    static MAY_END: AtomicBool = AtomicBool::new(false);
    let _watchdog = support::Watchdog::new();
    let service = |_: &mut Connection| {
        while !MAY_END.load(SeqCst) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        Ok(())
    };
    let server = Server::new().with_engine(Engine::Coroutines).with_workers(1);
    let server = Serving::start(server, |server| server.bind("127.0.0.1:0", service));
    let client = server.client();
    // A worker that has no core for a while does not answer either.
    let held = |it: &Description| it.workers.iter().any(|worker| worker.held.is_some());
    let description = until(&server, |it| !all_answered(it) && held(it) && it.open() == 1);
    let held = description.workers[0].held.as_ref().expect("it is held");
    assert_eq!(held.name, format!("service #1 {}", client.getsockname().unwrap()));
    assert_eq!(description.doing, [1, 0, 0, 0]);
    MAY_END.store(true, SeqCst);
    until(&server, |it| it.open() == 0 && all_answered(it));
    server.stop().unwrap();
}
