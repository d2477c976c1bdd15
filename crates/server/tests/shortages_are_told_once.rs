//! What comes in at one moment may be more than the workers' rings have buffers for: all of it is
//! answered, and it is told once.

mod support;

use std::io::Write;
use std::sync::Arc;

use support::{Serving, Watchdog, ask};
use switchboard::sync::{Condvar, Mutex};
use switchboard::{Connection, Engine, Guards, Server};

const WORKERS: usize = 2;
/// More for each worker than a ring has buffers.
const CROWD: usize = WORKERS * 100;

/// Lets those who have come here go on when the whole crowd has.
#[derive(Default)]
struct Gate {
    came: Mutex<usize>,
    all: Condvar,
}

impl Gate {
    fn wait(&self) {
        let mut came = self.came.lock();
        *came += 1;
        let crowd = came.next_multiple_of(CROWD);
        self.all.notify_all();
        while *came < crowd {
            let (again, waited) = self.all.wait(came);
            waited.unwrap();
            came = again;
        }
    }
}

#[test]
fn a_crowd_that_keeps_its_buffers_is_answered_and_told_of_once() {
    let _watchdog = Watchdog::new();
    let gate = Arc::new(Gate::default());
    let guards = Guards { limit_per_address: Some(CROWD), ..Guards::default() };
    let server =
        Server::new().with_engine(Engine::Coroutines).with_workers(WORKERS).with_guards(guards);
    let echo = move |connection: &mut Connection| {
        let mut line = String::new();
        while connection.read_line(&mut line)? > 0 {
            if line == "all\n" {
                // What came with that line is in the buffer, so this one keeps it.
                gate.wait();
            }
            connection.write_all(line.as_bytes())?;
            line.clear();
        }
        Ok(())
    };
    let server = Serving::start(server, |server| server.bind("tcp://127.0.0.1:0", echo));
    let clients: Vec<_> = (0..CROWD).map(|_| server.client()).collect();
    clients.iter().for_each(|client| assert_eq!(ask(client, "one\n", 4), "one\n"));
    let has_rings = server.told("setup: \"io_uring");
    for _ in 0..2 {
        clients.iter().for_each(|client| client.send_all(b"all\nof us\n").unwrap());
        for client in &clients {
            let mut answer = [0; 10];
            client.recv_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"all\nof us\n");
        }
        if has_rings {
            server.until_told("RingShort");
        }
    }
    drop(clients);
    let events = Arc::clone(&server.events);
    server.stop().unwrap();
    let events = events.lock().unwrap();
    let told: Vec<_> = events.iter().filter(|event| event.starts_with("RingShort")).collect();
    assert_eq!(told.len(), usize::from(has_rings), "{told:?}");
    assert!(told.iter().all(|event| event.contains("nothing is lost")), "{told:?}");
}
