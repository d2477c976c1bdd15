//! A server that is asked to stop in the worst moment: under load, with handlers that never return
//! and with clients that never end.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use switchboard::socket::{Interest, Poll, poll};
use switchboard::{Address, Connection, Control, Deadline, Engine, Guards, Result, Server};

use crate::apart::{alone, apart, until};
use crate::support::{Client, ask, on_every_engine, read_all, serve};

on_every_engine! {
    under_load_no_answer_is_cut_in_two
    what_has_begun_is_finished
    a_client_that_trickles_is_let_go
    a_client_that_never_ends_is_cut_off
    a_handler_that_computes_does_not_hold_up_all
    a_handler_that_never_returns_does_not_hold_up_the_end
}

/// Lines in capitals, with a place between two of them where a drain may close.
fn shout(connection: &mut Connection) -> io::Result<()> {
    while connection.next_request()? {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        connection.write_all(line.to_uppercase().as_bytes())?;
    }
    Ok(())
}

/// Row 35.
fn under_load_no_answer_is_cut_in_two(engine: Engine) {
    const LINE: &[u8] = b"the quick brown fox jumps over the lazy dog\n";
    apart(engine, || {
        let guards = Guards { limit_per_address: Some(1000), ..Guards::default() };
        let server = serve(engine, "127.0.0.1:0", guards, shout);
        let asks = |client: Client| {
            // It is being served before the stop comes.
            assert_eq!(ask(&client, "a\n", 2), "A\n");
            move || {
                let mut answer = [0; LINE.len()];
                while client.send_all(LINE).is_ok() {
                    match read_up_to(&client, &mut answer) {
                        // Closed before it answered anything: the request came too late.
                        0 => break,
                        count => assert_eq!(&answer[..count], LINE.to_ascii_uppercase()),
                    }
                }
            }
        };
        let many = if engine.limit_connections() == 1 { 1 } else { 16 };
        let busy: Vec<_> = (0..many).map(|_| std::thread::spawn(asks(server.client()))).collect();
        let control = server.control.clone();
        server.stop().unwrap();
        busy.into_iter().for_each(|one| one.join().unwrap());
        let counters = control.counters();
        assert_eq!((counters.cut, counters.timed_out), (0, 0), "{counters:?}");
        assert_eq!(counters.opened, counters.closed);
    });
}

/// Fills the buffer, or as much of it as comes before the end or a reset.
fn read_up_to(client: &Client, buffer: &mut [u8]) -> usize {
    let mut count = 0;
    while count < buffer.len() {
        match client.recv(&mut buffer[count..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => count += more,
        }
    }
    count
}

/// Row 35: requests that have arrived by half when the stop comes.
fn what_has_begun_is_finished(engine: Engine) {
    apart(engine, || {
        let grace = Duration::from_secs(120);
        let guards = Guards { limit_per_address: Some(1000), grace, ..Guards::default() };
        let server = serve(engine, "127.0.0.1:0", guards, shout);
        let many = if engine.limit_connections() == 1 { 1 } else { 30 };
        let clients: Vec<_> = (0..many).map(|_| server.client()).collect();
        // An answer first, so that the handler is known to have got as far as that.
        for client in &clients {
            assert_eq!(ask(client, "whole\nha", 6), "WHOLE\n");
        }
        server.control.shutdown();
        until(|| server.told("DrainBegan"), || "no drain".to_owned());
        for client in &clients {
            client.send_all(b"lf\n").unwrap();
            assert_eq!(read_all(client).unwrap(), b"HALF\n");
        }
        drop(clients);
        server.stop().unwrap();
    });
}

/// Row 36: it says a little now and then, and nothing whole.
fn a_client_that_trickles_is_let_go(engine: Engine) {
    apart(engine, || {
        let guards = Guards { grace: Duration::from_secs(4), ..Guards::default() };
        let server = serve(engine, "127.0.0.1:0", guards, |connection: &mut Connection| {
            connection.read_line(&mut String::new()).map(drop)
        });
        let client = server.client();
        server.until(|counters| counters.opened == 1);
        let trickling = std::thread::spawn(move || {
            while client.send(b"x").is_ok() {
                std::thread::park_timeout(Duration::from_millis(2));
            }
        });
        let control = server.control.clone();
        server.stop().unwrap();
        trickling.join().unwrap();
        assert_eq!(control.counters().cut, 0);
    });
}

/// Row 36: it takes whatever it is sent, and the handler never ends.
fn a_client_that_never_ends_is_cut_off(engine: Engine) {
    apart(engine, || {
        let guards = Guards { grace: Duration::from_millis(300), ..Guards::default() };
        let server = serve(engine, "127.0.0.1:0", guards, |connection: &mut Connection| {
            // Whatever its reads say, it goes on as long as it can write.
            loop {
                connection.write_all(b"more\n")?;
                connection.flush()?;
            }
        });
        let client = server.client();
        client.recv_exact(&mut [0; 5]).unwrap();
        let reading = std::thread::spawn(move || {
            // Until it is cut off, of which nothing is left to read here but the end.
            let mut room = [0; 4096];
            loop {
                match client.recv(&mut room) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        });
        let control = server.control.clone();
        let error = server.stop().unwrap_err();
        reading.join().unwrap();
        assert!(error.is_timeout() && error.to_string().contains("1 connection was cut off"));
        assert_eq!(control.counters().cut, 1);
    });
}

/// Lines back; after "compute" it computes until its peer has finished, after "for ever" for ever.
fn compute(connection: &mut Connection) -> io::Result<()> {
    let mut line = String::new();
    while connection.read_line(&mut line)? > 0 {
        connection.write_all(line.as_bytes())?;
        connection.flush()?;
        match line.as_str() {
            "compute\n" => return compute_until_its_end(connection),
            "for ever\n" => compute_for_ever(),
            _ => {}
        }
        line.clear();
    }
    Ok(())
}

/// Looks past whoever drives the thread, which might let others run meanwhile.
fn compute_until_its_end(connection: &Connection) -> io::Result<()> {
    // A poll is the thread's own, not the coroutine's: it gives way to nobody.
    let mut peer = [Poll::new(connection.socket().as_fd(), Interest::READ)];
    while poll(&mut peer, Deadline::Immediate)? == 0 {}
    Ok(())
}

fn compute_for_ever() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// A server of [`compute`]. Its coroutines, if it has any, have two workers on every machine.
fn computing(engine: Engine, guards: Guards) -> (Address, Control, Events, JoinHandle<Result>) {
    let events = Events::default();
    let seen = Arc::clone(&events);
    let mut server = Server::new()
        .with_engine(engine)
        .with_workers(2)
        .with_guards(guards)
        .with_signals(false)
        .with_events(move |event| seen.lock().unwrap().push(format!("{event:?}")));
    server.bind("127.0.0.1:0", compute).unwrap();
    let (address, control) = (server.addresses().remove(0), server.control());
    (address, control, events, std::thread::spawn(move || server.serve_forever()))
}

type Events = Arc<Mutex<Vec<String>>>;

/// Five others are served while one handler computes.
fn others_are_served(address: &Address, order: &str) -> Client {
    let computing = Client::new(address);
    assert_eq!(ask(&computing, order, order.len()), order);
    for _ in 0..5 {
        assert_eq!(ask(&Client::new(address), "well\n", 5), "well\n");
    }
    computing
}

/// Row 19. One at a time there are no others.
fn a_handler_that_computes_does_not_hold_up_all(engine: Engine) {
    if engine.limit_connections() == 1 {
        return;
    }
    apart(engine, || {
        let (address, control, events, serving) = computing(engine, Guards::default());
        let client = others_are_served(&address, "compute\n");
        if engine == Engine::Coroutines {
            let is_told = || events.lock().unwrap().iter().any(|one| one.starts_with("Stalled"));
            until(is_told, || "nobody is told which handler it is".to_owned());
        }
        drop(client);
        control.shutdown();
        serving.join().unwrap().unwrap();
    });
}

/// Row 19. What stands still with its thread is left behind, so this one does not count what is
/// left.
fn a_handler_that_never_returns_does_not_hold_up_the_end(engine: Engine) {
    if engine.limit_connections() == 1 {
        return;
    }
    alone(|| {
        let guards = Guards { grace: Duration::from_millis(50), ..Guards::default() };
        let (address, control, _, serving) = computing(engine, guards);
        let _client = others_are_served(&address, "for ever\n");
        let only_one = || control.counters().open() == 1;
        until(only_one, || format!("the others are not over: {:?}", control.counters()));
        control.shutdown();
        let error = serving.join().unwrap().unwrap_err();
        let text = error.to_string();
        assert!(error.is_timeout() && text.contains("1 connection was cut off"), "{text}");
        // Its thread cannot be ended; its process can.
        let left = engine.name() != "processes";
        assert_eq!(text.contains("1 of them did not notice"), left, "{text}");
    });
}
