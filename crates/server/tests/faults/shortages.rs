//! A system that is short of descriptors, memory, threads or processes costs some connections
//! their turn, and nothing else.

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Uid, getrlimit, setrlimit};
use rustix::thread::set_thread_res_uid;
use switchboard::socket::fault::{Call, calls, inject};
use switchboard::{Engine, Guards, Server};

use crate::apart::{Counts, Hoard, NoRoomForStacks, apart, skip};
use crate::rude::{accept_loops, echo, is_answered, place, times_told, unconnected};
use crate::support::{Client, Serving, ask, on_every_engine, read_all, serve};

on_every_engine! {
    without_descriptors_it_rests_and_goes_on
    whoever_waits_through_a_long_shortage_is_told
    a_shortage_at_accept_passes
    an_error_of_one_connection_is_passed_over
    an_error_that_does_not_end_burns_no_core
    a_shortage_while_waiting_passes
    a_broken_listener_is_named
    without_threads_some_are_refused_and_none_hangs
    without_processes_some_are_refused_and_none_hangs
    a_user_that_has_all_its_processes_is_refused_more
}

/// Row 1.
fn without_descriptors_it_rests_and_goes_on(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), echo);
        let (alone, loops) = (engine.limit_connections() == 1, accept_loops(engine));
        assert_eq!(ask(&server.client(), "first", 5), "first");
        server.until(|counters| counters.closed == 1);
        let live = (!alone).then(|| server.client());
        live.iter().for_each(|live| assert_eq!(ask(live, "before", 6), "before"));
        let waiting: Vec<_> = (0..20).map(|_| unconnected(&server.address)).collect();
        let begun = Instant::now();
        let mut hoard = Hoard::new();
        let waits = calls(Call::Wait);
        for socket in &waiting {
            socket.connect(&place(&server.address)).unwrap();
        }
        let failed = server.until(|counters| counters.accept_failed >= 5 * loops).accept_failed;
        // Not a matter of speed: five failures in less than four pauses would be no pauses.
        assert!(begun.elapsed() >= Duration::from_millis(10 + 20 + 40 + 80));
        let waits = calls(Call::Wait) - waits;
        assert!(waits <= 4 * failed + 40, "{waits} waits for {failed} failures: it spins");
        live.iter().for_each(|live| assert_eq!(ask(live, "during", 6), "during"));

        // One that ends makes room for one, unless the server's own process did not hold it.
        drop(live);
        if alone || engine.name() == "processes" {
            hoard.give_back(2);
        }
        server.until(|counters| counters.opened > 1 + u64::from(!alone));
        drop(hoard);
        let told = times_told(&server, "AcceptFailed");
        assert!(told >= 1 && told <= loops * (1 + begun.elapsed().as_secs()), "told {told} times");
        let served = waiting.into_iter().map(Client::from).filter(|one| is_answered(one, "after"));
        assert!(served.count() >= 1);
        // Until they are over they have their share of one address's places.
        server.until(|counters| counters.open() == 0);
        assert_eq!(ask(&server.client(), "later", 5), "later");
        server.stop().unwrap();
    });
}

/// Row 1: a peer that the server has no descriptor for is not left to wait for ever.
fn whoever_waits_through_a_long_shortage_is_told(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), echo);
        assert_eq!(ask(&server.client(), "first", 5), "first");
        let waiting = unconnected(&server.address);
        server.until(|counters| counters.closed == 1);
        let hoard = Hoard::new();
        waiting.connect(&place(&server.address)).unwrap();
        assert_eq!(read_all(&Client::from(waiting)).unwrap(), b"");
        drop(hoard);
        server.until(|counters| counters.refused == 1);
        assert!(server.told("why: Shortage"), "nobody learns of it");
        // A loop whose accept has just failed may turn away one more.
        while !is_answered(&server.client(), "after") {}
        server.stop().unwrap();
    });
}

/// Row 2: what the system is short of, for a while.
fn a_shortage_at_accept_passes(engine: Engine) {
    apart(engine, || {
        // One worker: see below.
        let one = Server::new().with_engine(engine).with_workers(1);
        let server = Serving::start(one, |server| server.bind("127.0.0.1:0", echo));
        let mut failed = 0;
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            let injection = inject(Call::Accept, errno.raw_os_error(), 1, 3);
            assert_eq!(ask(&server.client(), "served", 6), "served", "{errno}");
            assert_eq!(injection.failed(), 3, "{errno}");
            failed += injection.failed();
        }
        assert_eq!(server.control.counters().accept_failed, failed);
        server.until_told("pause: Some(");
        server.stop().unwrap();
    });
}

/// What `accept(2)` says of one connection, and not of the listener or the system.
const OF_ONE_CONNECTION: [Errno; 11] = [
    Errno::OPNOTSUPP,
    Errno::CONNABORTED,
    Errno::PERM,
    Errno::PROTO,
    Errno::NETDOWN,
    Errno::NOPROTOOPT,
    Errno::HOSTDOWN,
    Errno::NONET,
    Errno::HOSTUNREACH,
    Errno::NETUNREACH,
    Errno::TIMEDOUT,
];

/// Row 2: what is wrong with one connection, many times in a row.
fn an_error_of_one_connection_is_passed_over(engine: Engine) {
    apart(engine, || {
        // One worker: another, woken for nothing a moment ago, may be about to make a call that was
        // not to fail, and take the connection by that.
        let one = Server::new().with_engine(engine).with_workers(1);
        let server = Serving::start(one, |server| server.bind("127.0.0.1:0", echo));
        for errno in OF_ONE_CONNECTION {
            let injection = inject(Call::Accept, errno.raw_os_error(), 1, 50);
            assert_eq!(ask(&server.client(), "served", 6), "served", "{errno}");
            assert_eq!(injection.failed(), 50, "{errno}");
        }
        assert!(!server.told("pause: Some("), "there is nothing to wait for");
        server.stop().unwrap();
    });
}

/// Row 2: a rule that forbids to accept, say, and leaves the connection where it is.
fn an_error_that_does_not_end_burns_no_core(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), echo);
        let begun = Instant::now();
        let injection = inject(Call::Accept, Errno::PERM.raw_os_error(), 1, u64::MAX);
        let client = server.client();
        server.until(|counters| counters.accept_failed >= 300 * accept_loops(engine));
        // Not a matter of speed: so many failures in no time at all would be a core burnt.
        assert!(begun.elapsed() >= Duration::from_millis(50), "it spins");
        drop(injection);
        assert_eq!(ask(&client, "served", 6), "served");
        drop(client);
        server.stop().unwrap();
    });
}

/// Row 2: `poll(2)` and its kin need memory too.
fn a_shortage_while_waiting_passes(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), echo);
        assert_eq!(ask(&server.client(), "before", 6), "before");
        server.until(|counters| counters.closed == 1);
        let injection = inject(Call::Wait, Errno::NOMEM.raw_os_error(), 1, 3);
        for round in 2..=5 {
            assert_eq!(ask(&server.client(), "served", 6), "served");
            server.until(|counters| counters.closed == round);
        }
        assert_eq!(injection.failed(), 3);
        drop(injection);
        server.stop().unwrap();
    });
}

/// Row 2: a listener that can never work again ends the server, which says why.
fn a_broken_listener_is_named(engine: Engine) {
    apart(engine, || {
        for errno in [Errno::BADF, Errno::INVAL, Errno::NOTSOCK] {
            let mut server = serve(engine, "127.0.0.1:0", Guards::default(), echo);
            let _injection = inject(Call::Accept, errno.raw_os_error(), 1, 1);
            let _client = server.client();
            let error = server.join().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()));
            let expected = format!("accept {}: ", server.address);
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    });
}

/// Row 5: threads, which need room for their stacks.
fn without_threads_some_are_refused_and_none_hangs(engine: Engine) {
    apart(engine, || {
        let guards = Guards { limit_per_address: Some(1000), ..Guards::default() };
        let server = serve(engine, "127.0.0.1:0", guards, echo);
        assert_eq!(ask(&server.client(), "before", 6), "before");
        // All threads of its own have begun.
        Counts::settled();
        let room = NoRoomForStacks::new();
        let mut held = Vec::new();
        let mut refused = 0;
        // Stacks of threads that are gone are used again, but they are few.
        while refused < 3 && held.len() < 20 {
            let client = server.client();
            match is_answered(&client, "hello") {
                // One at a time: it makes no threads.
                true if engine.limit_connections() == 1 => break,
                true => held.push(client),
                false => refused += 1,
            }
        }
        held.iter().for_each(|client| assert_eq!(ask(client, "still", 5), "still"));
        assert!(refused > 0 || engine != Engine::Threads, "every thread was made");
        assert_eq!(server.until(|counters| counters.refused == refused).panicked, 0);
        assert!(refused == 0 || server.told("Shortage"));
        drop(room);
        assert_eq!(ask(&server.client(), "after", 5), "after");
        drop(held);
        server.stop().unwrap();
    });
}

/// Row 5: processes. Engines that make none have nothing to refuse.
fn without_processes_some_are_refused_and_none_hangs(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), echo);
        let injection = inject(Call::Fork, Errno::AGAIN.raw_os_error(), 1, 3);
        let refused = (0..5).filter(|_| !is_answered(&server.client(), "hello")).count() as u64;
        assert_eq!(injection.failed(), if engine.name() == "processes" { 3 } else { 0 });
        assert_eq!(refused, injection.failed());
        assert_eq!(server.until(|counters| counters.refused == refused).panicked, 0);
        drop(injection);
        assert_eq!(ask(&server.client(), "after", 5), "after");
        server.stop().unwrap();
    });
}

/// Row 5, by the kernel itself: a user that may have so many threads and processes and no more
/// (`RLIMIT_NPROC`, `getrlimit(2)`). The fork or the thread that is one too many says `EAGAIN`.
fn a_user_that_has_all_its_processes_is_refused_more(engine: Engine) {
    /// What the server itself has, and some.
    const MOST: u64 = 12;
    apart(engine, || {
        let limit = getrlimit(Resource::Nproc);
        // The limit is not root's, so this is about a user that has nothing else; the thread that
        // looks at descriptors stays what it is.
        let user = Uid::from_raw(1_000_000 + std::process::id());
        let body = move || {
            if set_thread_res_uid(user, user, user).is_err() {
                return skip("to become another user needs CAP_SETUID");
            }
            setrlimit(Resource::Nproc, Rlimit { current: Some(MOST), ..limit }).unwrap();
            let guards = Guards { limit_per_address: Some(1000), ..Guards::default() };
            let server = serve(engine, "127.0.0.1:0", guards, echo);
            assert_eq!(ask(&server.client(), "before", 6), "before");
            let mut held = Vec::new();
            let mut refused = 0;
            while refused < 3 && held.len() < 2 * MOST as usize {
                let client = server.client();
                match is_answered(&client, "hello") {
                    true if engine.limit_connections() == 1 => break,
                    true => held.push(client),
                    false => refused += 1,
                }
            }
            held.iter().for_each(|client| assert_eq!(ask(client, "still", 5), "still"));
            let each_takes_one = matches!(engine, Engine::Threads | Engine::Processes);
            assert_eq!(refused > 0, each_takes_one, "{} are held", held.len());
            assert_eq!(server.until(|counters| counters.refused == refused).panicked, 0);
            drop(held);
            server.until(|counters| counters.open() == 0);
            assert_eq!(ask(&server.client(), "after", 5), "after");
            server.stop().unwrap();
        };
        std::thread::spawn(body).join().unwrap();
        setrlimit(Resource::Nproc, limit).unwrap();
    });
}
