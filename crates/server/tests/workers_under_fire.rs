//! Row 31 of the faults: workers are killed one after the other while clients are being served.
//! Each takes only its own connections with it, another one takes its place, and nothing of it is
//! left.
//!
//! A few kills are enough to see that; for a siege of ten minutes, a kill each second, on all
//! engines at once:
//!
//! ```sh
//! SWITCHBOARD_TEST_KILLS=600 SWITCHBOARD_TEST_PATIENCE=1500 \
//!     cargo test -p switchboard --test workers_under_fire -- --nocapture --test-threads=4
//! ```
//! It then says how long the others took to begin. That is told, not tested: it is a matter of the
//! machine.

#[path = "support/apart.rs"]
mod apart;
#[path = "support/rude.rs"]
mod rude;
mod support;

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::process::parent_id;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{WaitOptions, getpid, set_child_subreaper, wait};
use support::{Client, kill, on_every_engine};
use switchboard::{Address, Connection, Engine, Event, Guards, Server, Service, Socket};

on_every_engine! {
    kills_under_load_cost_only_their_own
}

/// Clients, and workers, of which there are always some that live.
const CLIENTS: usize = 6;
const WORKERS: usize = 3;
/// Lines that a client sends over one connection.
const LINES: usize = 20;

/// Says which worker serves, then echoes lines.
fn named(engine: Engine) -> impl Service {
    move |connection: &mut Connection| -> io::Result<()> {
        let child = engine == Engine::Processes;
        let worker = if child { parent_id() } else { std::process::id() };
        writeln!(connection, "{worker:10}")?;
        let mut line = String::new();
        while connection.read_line(&mut line)? > 0 {
            connection.write_all(line.as_bytes())?;
            line.clear();
        }
        Ok(())
    }
}

/// What one client has seen.
#[derive(Default)]
struct Seen {
    /// How many connections were whole, and by whom the others were served, where that was said.
    whole: u64,
    broken: Vec<Option<u32>>,
}

impl Seen {
    /// Asks for one connection after the other until it is `over`.
    fn until(over: &AtomicBool, address: &Address, number: usize) -> Seen {
        let mut seen = Seen::default();
        let line = format!("client {number}\n");
        while !over.load(SeqCst) {
            seen.visit(&Client::new(address), &line);
        }
        seen
    }

    fn visit(&mut self, client: &Socket, line: &str) {
        let mut said = [0; 11];
        if client.recv_exact(&mut said).is_err() {
            return self.broken.push(None);
        }
        let worker = std::str::from_utf8(&said).unwrap().trim().parse().unwrap();
        // One whose worker died before it could name it has another parent: this process.
        let worker = Some(worker).filter(|worker| *worker != std::process::id());
        match (0..LINES).all(|_| echoes(client, line)) {
            true => self.whole += 1,
            false => self.broken.push(worker),
        }
    }
}

fn echoes(client: &Socket, line: &str) -> bool {
    let mut answer = vec![0; line.len()];
    let arrived = client.send_all(line.as_bytes()).and_then(|()| client.recv_exact(&mut answer));
    assert!(arrived.is_err() || answer == line.as_bytes(), "somebody else's answer");
    arrived.is_ok()
}

/// When each worker started and died.
type Lives = Arc<Mutex<Vec<(u32, bool, Instant)>>>;

/// Sends the clients home, also when the test has failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Waits until `deaths` have died and there is a worker for each of them beside the first ones;
/// says how long the last of those took to come.
fn replaced(lives: &Lives, deaths: usize) -> Duration {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let now = lives.lock().unwrap().clone();
        let moments = |alive| now.iter().filter(move |life| life.1 == alive).map(|life| life.2);
        if let Some(began) = moments(true).nth(WORKERS + deaths - 1) {
            let died = moments(false).nth(deaths.saturating_sub(1)).unwrap_or(began);
            return began.saturating_duration_since(died);
        }
        assert!(Instant::now() < end, "not replaced: {now:?}");
        thread::park_timeout(Duration::from_millis(1));
    }
}

fn kills_under_load_cost_only_their_own(engine: Engine) {
    let kills = std::env::var("SWITCHBOARD_TEST_KILLS").ok();
    let siege = kills.is_some();
    let kills: usize = kills.map_or(8, |kills| kills.parse().expect("a number of kills"));
    apart::alone(|| {
        // Whoever loses its parent becomes a child of this process.
        set_child_subreaper(Some(getpid())).unwrap();
        fire(engine, kills, siege);
        // They end of themselves; one that did not would keep the test here.
        while wait(WaitOptions::empty()).is_ok() {}
    });
}

fn fire(engine: Engine, kills: usize, siege: bool) {
    let lives = Lives::default();
    let seen = Arc::clone(&lives);
    let guards = Guards { limit_per_address: Some(1000), ..Guards::default() };
    let mut server = Server::new()
        .with_engine(engine)
        .with_guards(guards)
        .with_prefork(WORKERS)
        .with_signals(false)
        .with_events(move |event: &Event<'_>| match event {
            Event::WorkerStarted { pid } => seen.lock().unwrap().push((*pid, true, Instant::now())),
            Event::WorkerDied { pid, .. } => {
                seen.lock().unwrap().push((*pid, false, Instant::now()));
            }
            _ => {}
        });
    server.bind("127.0.0.1:0", named(engine)).unwrap();
    let (address, control) = (server.addresses().remove(0), server.control());
    let serving = thread::spawn(move || server.serve_forever());

    let over = AtomicBool::new(false);
    let mut times = Vec::new();
    let clients = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn({
                    let (over, address) = (&over, &address);
                    move || Seen::until(over, address, number)
                })
            })
            .collect();
        let siege_over = Over(&over);
        replaced(&lives, 0);
        for deaths in 1..=kills {
            // The one that has lived for longest: it serves.
            let victim = oldest(&lives);
            kill(victim, "KILL");
            times.push(replaced(&lives, deaths));
            let pause = if siege { Duration::from_secs(1) } else { Duration::from_millis(20) };
            thread::sleep(pause);
        }
        drop(siege_over);
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    control.shutdown();
    serving.join().unwrap().unwrap();
    let address = address.resolve().unwrap().remove(0);
    assert!(Socket::connected(&address, Default::default()).is_err(), "somebody still listens");
    judge(engine, kills, &lives, &clients, times);
}

/// The worker that was started first of those that live.
fn oldest(lives: &Lives) -> u32 {
    let lives = lives.lock().unwrap();
    // Numbers come again: one lives that has started more often than it has died.
    let count = |pid, alive| lives.iter().filter(|life| (life.0, life.1) == (pid, alive)).count();
    lives.iter().find(|life| count(life.0, true) > count(life.0, false)).unwrap().0
}

/// Only those who died have broken connections: of each no more than there were clients.
fn judge(engine: Engine, kills: usize, lives: &Lives, clients: &[Seen], mut times: Vec<Duration>) {
    let whole: u64 = clients.iter().map(|client| client.whole).sum();
    let mut broken: HashMap<Option<u32>, usize> = HashMap::new();
    clients
        .iter()
        .flat_map(|client| &client.broken)
        .for_each(|by| *broken.entry(*by).or_default() += 1);
    let lost: usize = broken.values().sum();
    let lives = lives.lock().unwrap();
    for (worker, count) in broken {
        let deaths = |pid| lives.iter().filter(|life| life.0 == pid && !life.1).count();
        // Those that were not told their worker's name yet may have been any victim's.
        let deaths = worker.map_or(kills, deaths);
        assert!(count <= deaths * CLIENTS, "{worker:?} died {deaths} times and broke {count}");
    }
    assert!(whole > 0);
    times.sort();
    let (middle, longest) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{engine}: {kills} kills, {whole} connections whole, {lost} broken by the killed; \
         replaced in {middle:.1?} (median), {longest:.1?} (longest)"
    );
}
