//! Safe by default: the server of the README, with no option set, stands what is listed among the
//! faults as rows 1, 2, 7, 13, 15, 22, 23, 34 and 35; on every engine.
//!
//! Nobody waits half a minute in a test. Where a default is that long, the test is in two halves:
//! the default is on, and set shorter, with all else as it is, it is this guard that acts.

#[path = "support/apart.rs"]
mod apart;
#[path = "support/rude.rs"]
mod rude;
mod support;

use std::io::{BufRead, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, setrlimit};
use switchboard::socket::fault::{Call, inject, let_sigpipe_kill};
use switchboard::socket::signal::{quits, stop_signals};
use switchboard::{
    Address, Connection, Control, Counters, Engine, Event, Guards, Result, Server, Service,
};

use apart::{Hoard, apart, until};
use rude::{accept_loops, client_from, place, reset, unconnected};
use support::{Client, ask, on_every_engine, read_all, serve};

on_every_engine! {
    it_rests_when_descriptors_run_out
    errors_of_accept_pass
    one_address_cannot_keep_the_others_out
    a_peer_that_never_reads_is_given_up
    a_peer_that_says_nothing_is_let_go
    resets_end_one_connection_each
    writing_to_a_closed_peer_never_kills
    panics_end_one_connection_each
    a_signal_ends_it_and_cuts_no_answer_in_two
    a_second_signal_ends_it_at_once
}

// The handler of the README, letter by letter: see the last test.
fn shout(connection: &mut Connection) -> std::io::Result<()> {
    let mut line = String::new();
    while connection.read_line(&mut line)? > 0 {
        connection.write_all(std::mem::take(&mut line).to_uppercase().as_bytes())?;
    }
    Ok(())
}

/// A server with no option set but its engine and its port. Its events are listened to.
struct Plain {
    address: Address,
    control: Control,
    draining: Arc<AtomicBool>,
    serving: Option<JoinHandle<Result>>,
}

impl Plain {
    fn of(engine: Engine, service: impl Service) -> Plain {
        let draining = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&draining);
        let mut server = Server::new().with_engine(engine).with_events(move |event| {
            seen.fetch_or(matches!(event, Event::DrainBegan { .. }), SeqCst);
        });
        server.bind("127.0.0.1:0", service).unwrap();
        let (address, control) = (server.addresses().remove(0), server.control());
        let serving = Some(std::thread::spawn(move || server.serve_forever()));
        let plain = Plain { address, control, draining, serving };
        // Served once, it is known to have begun.
        assert_eq!(ask(&plain.client(), "first\n", 6), "FIRST\n");
        plain.until(|counters| counters.closed == 1);
        plain
    }

    fn client(&self) -> Client {
        Client::new(&self.address)
    }

    fn serves(&self) {
        assert_eq!(ask(&self.client(), "well?\n", 6), "WELL?\n");
    }

    fn until(&self, condition: impl Fn(&Counters) -> bool) -> Counters {
        let counters = || self.control.counters();
        until(|| condition(&counters()), || format!("not reached: {:?}", counters()));
        counters()
    }

    /// Waits until it drains.
    fn drains(&self) {
        until(|| self.draining.load(SeqCst), || "it does not drain".to_owned());
    }

    /// What it says when it has ended.
    fn end(mut self) -> Result {
        self.serving.take().unwrap().join().unwrap()
    }

    fn stop(self) {
        self.control.shutdown();
        self.end().unwrap();
    }
}

/// As [`apart`], where the descriptors of the signals are there from the beginning.
fn by_default(engine: Engine, body: impl FnOnce()) {
    apart::alone(|| {
        stop_signals().unwrap();
        quits().unwrap();
        apart(engine, body);
    });
}

fn has_others(engine: Engine) -> bool {
    engine.limit_connections() > 1
}

/// Row 1.
fn it_rests_when_descriptors_run_out(engine: Engine) {
    by_default(engine, || {
        let server = Plain::of(engine, shout);
        // Where there are several loops, one may take what another turns away, which it does when
        // the shortage has lasted for long, as on a busy machine.
        let count = if accept_loops(engine) > 1 { 16 } else { 1 };
        let waiting: Vec<_> = (0..count).map(|_| unconnected(&server.address)).collect();
        let begun = Instant::now();
        let hoard = Hoard::new();
        waiting.iter().for_each(|one| one.connect(&place(&server.address)).unwrap());
        server.until(|counters| counters.accept_failed >= 5 * accept_loops(engine));
        // Not a matter of speed: five failures in no time would be a core burnt.
        assert!(begun.elapsed() >= Duration::from_millis(100), "it spins");
        drop((hoard, waiting.into_iter().map(Client::from).collect::<Vec<_>>()));
        server.serves();
        server.stop();
    });
}

/// Row 2.
fn errors_of_accept_pass(engine: Engine) {
    by_default(engine, || {
        let server = Plain::of(engine, shout);
        let short = [Errno::NFILE, Errno::NOBUFS, Errno::NOMEM].map(|errno| (errno, 2));
        let passing = [Errno::PERM, Errno::PROTO, Errno::NETDOWN].map(|errno| (errno, 50));
        for (errno, count) in short.into_iter().chain(passing) {
            let injection = inject(Call::Accept, errno.raw_os_error(), 1, count);
            // A call that was about to be made may take the connection before any fails.
            for _ in 0..10 {
                server.serves();
                if injection.failed() == count {
                    break;
                }
            }
            assert_eq!(injection.failed(), count, "{errno}");
        }
        server.stop();
    });
}

/// What a process may open in the next test.
const DESCRIPTORS: u64 = 640;

/// Row 7. One at a time, silent peers are let go one after the other; for that see row 15.
fn one_address_cannot_keep_the_others_out(engine: Engine) {
    if !has_others(engine) {
        return;
    }
    by_default(engine, || {
        // A share of what the descriptors are enough for: here of no more than a test can open.
        let few = Rlimit { current: Some(DESCRIPTORS), ..getrlimit(Resource::Nofile) };
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, few).unwrap();
        let server = Plain::of(engine, shout);
        setrlimit(Resource::Nofile, before).unwrap();
        let affordable = usize::try_from(DESCRIPTORS - DESCRIPTORS / 16).unwrap();
        let quarter = engine.limit_connections().min(affordable) / 4;
        // Ten times of what it may have.
        let many = quarter * 10;
        let flood: Vec<_> =
            (0..many).map(|_| client_from([127, 0, 0, 2], &server.address)).collect();
        let honest = client_from([127, 0, 0, 3], &server.address);
        assert_eq!(ask(&honest, "well?\n", 6), "WELL?\n");
        let refused = (many - quarter) as u64;
        server.until(|counters| counters.refused == refused);
        drop((flood, honest));
        server.until(|counters| counters.open() == 0);
        server.stop();
    });
}

/// Row 13.
fn a_peer_that_never_reads_is_given_up(engine: Engine) {
    let standard = Guards::default();
    assert_eq!(standard.deadline_write, Some(Duration::from_secs(30)));
    apart(engine, || {
        let guards = Guards { deadline_write: Some(Duration::from_millis(200)), ..standard };
        let server = serve(engine, "127.0.0.1:0", guards, shout);
        let client = server.client();
        let line = [&[b'x'; 4095][..], b"\n"].concat();
        // Nothing that comes back is read, until the server has had enough of that.
        while client.send_all(&line).is_ok() {}
        assert_eq!(server.until(|counters| counters.closed == 1).timed_out, 1);
        assert!(server.told("TimedOut(\"write\")"));
        drop(client);
        server.stop().unwrap();
    });
}

/// Row 15.
fn a_peer_that_says_nothing_is_let_go(engine: Engine) {
    let standard = Guards::default();
    assert_eq!(standard.deadline_first_byte, Some(Duration::from_secs(30)));
    assert_eq!(standard.deadline_idle, Some(Duration::from_secs(300)));
    apart(engine, || {
        let short = Some(Duration::from_millis(60));
        let guards = Guards { deadline_first_byte: short, ..standard.clone() };
        let server = serve(engine, "127.0.0.1:0", guards, shout);
        assert_eq!(read_all(&server.client()).unwrap(), b"");
        server.until(|counters| counters.timed_out == 1);
        assert!(server.told("TimedOut(\"no first byte\")"));
        server.stop().unwrap();

        let guards = Guards { deadline_idle: short, ..standard };
        let server = serve(engine, "127.0.0.1:0", guards, shout);
        let client = server.client();
        assert_eq!(ask(&client, "one\n", 4), "ONE\n");
        assert_eq!(read_all(&client).unwrap(), b"");
        server.until(|counters| counters.timed_out == 1);
        assert!(server.told("TimedOut(\"idle\")"));
        drop(client);
        server.stop().unwrap();
    });
}

/// Row 22.
fn resets_end_one_connection_each(engine: Engine) {
    by_default(engine, || {
        let server = Plain::of(engine, shout);
        let other = has_others(engine).then(|| server.client());
        for round in 2..=6 {
            let client = server.client();
            assert_eq!(ask(&client, "one\nhalf a ", 4), "ONE\n");
            reset(&client);
            server.until(|counters| counters.closed == round);
        }
        other.iter().for_each(|other| assert_eq!(ask(other, "well?\n", 6), "WELL?\n"));
        drop(other);
        server.serves();
        server.stop();
    });
}

/// Row 23.
fn writing_to_a_closed_peer_never_kills(engine: Engine) {
    by_default(engine, || {
        let_sigpipe_kill().unwrap();
        let server = Plain::of(engine, shout);
        for round in 2..=6 {
            let client = server.client();
            // Answers to these find nobody.
            client.send_all(&b"x\n".repeat(20_000)).unwrap();
            drop(client);
            server.until(|counters| counters.closed == round);
        }
        server.serves();
        server.stop();
    });
}

/// Row 34.
fn panics_end_one_connection_each(engine: Engine) {
    by_default(engine, || {
        let server = Plain::of(engine, |connection: &mut Connection| {
            connection.fill_buf()?;
            let panics = connection.fill_buf()?.starts_with(b"panic");
            shout(connection)?;
            assert!(!panics, "as told");
            Ok(())
        });
        let other = has_others(engine).then(|| server.client());
        for round in 2..=6 {
            let client = server.client();
            client.send_all(b"panic\n").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_all(&client).unwrap(), b"PANIC\n");
            assert_eq!(server.until(|counters| counters.closed == round).panicked, round - 1);
        }
        other.iter().for_each(|other| assert_eq!(ask(other, "well?\n", 6), "WELL?\n"));
        drop(other);
        server.serves();
        server.stop();
    });
}

fn ask_it_to_stop() {
    kill_process(getpid(), Signal::TERM).unwrap();
}

/// Row 35.
fn a_signal_ends_it_and_cuts_no_answer_in_two(engine: Engine) {
    static OVER: AtomicBool = AtomicBool::new(false);
    by_default(engine, || {
        let server = Plain::of(engine, shout);
        // As many as one address may.
        let many = (engine.limit_connections() / 4).clamp(1, 16) as u64;
        // Each asks at least once, however late it gets its turn.
        let asks = |client: Client| {
            move || {
                loop {
                    assert_eq!(ask(&client, "well?\n", 6), "WELL?\n");
                    if OVER.load(SeqCst) {
                        break;
                    }
                }
            }
        };
        let busy: Vec<_> = (0..many).map(|_| std::thread::spawn(asks(server.client()))).collect();
        server.until(|counters| counters.opened == 1 + many);
        ask_it_to_stop();
        server.drains();
        OVER.store(true, SeqCst);
        busy.into_iter().for_each(|one| one.join().unwrap());
        let control = server.control.clone();
        server.end().unwrap();
        assert_eq!(control.counters().cut, 0);
    });
}

/// Row 35.
fn a_second_signal_ends_it_at_once(engine: Engine) {
    by_default(engine, || {
        let server = Plain::of(engine, shout);
        let idle = server.client();
        assert_eq!(ask(&idle, "well?\n", 6), "WELL?\n");
        ask_it_to_stop();
        server.drains();
        ask_it_to_stop();
        // Half of the grace later it would be let go instead, and all would be well.
        let error = server.end().unwrap_err();
        assert!(error.to_string().contains("1 connection was cut off"), "{error}");
        drop(idle);
    });
}

#[test]
fn this_is_the_handler_of_the_readme() {
    let handler = |text: &'static str| {
        let start = text.find("fn shout").unwrap();
        &text[start..start + text[start..].find("\n}").unwrap()]
    };
    let here = handler(include_str!("safe_by_default.rs"));
    let readme = include_str!("../../../README.md");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(here, handler(include_str!("../../../examples/first_server.rs")));
    assert!(words(readme).contains("fn shout"), "the README has another one");
    assert_eq!(words(here), words(handler(readme)));
}
