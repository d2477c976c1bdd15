//! A handler that keeps its worker from all others is told of, in debug builds with the place where
//! it stands; and it goes on.

mod support;

use std::hint::black_box;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use support::{Watchdog, read_all};
use switchboard::{Connection, Engine, Event, Guards, Server};

/// Computes until somebody has told of it.
#[inline(never)]
fn computes_for_long(told: &AtomicUsize) {
    let before = told.load(SeqCst);
    while told.load(SeqCst) == before {
        black_box(before);
    }
}

#[test]
fn a_handler_that_computes_is_told_with_its_functions() {
    let _watchdog = Watchdog::new();
    let told = Arc::new(AtomicUsize::new(0));
    let (sender, stalls) = mpsc::channel();
    let service = {
        let told = Arc::clone(&told);
        // Several times, since only one in a second is looked at.
        move |connection: &mut Connection| {
            while told.load(SeqCst) < usize::MAX / 2 {
                computes_for_long(&told);
                switchboard::sleep(Duration::from_millis(1));
            }
            connection.write_all(b"done")
        }
    };
    let count = Arc::clone(&told);
    let guards = Guards { report_stall: Some(Duration::from_millis(10)), ..Guards::default() };
    let mut server = Server::new()
        .with_engine(Engine::Coroutines)
        .with_workers(1)
        .with_guards(guards)
        .with_signals(false)
        .with_events(move |event| {
            if let Event::Stalled { handler, elapsed, backtrace } = event {
                let stall = ((*handler).to_owned(), *elapsed, backtrace.map(str::to_owned));
                // Nobody listens at the end.
                let _ = sender.send(stall);
                count.fetch_add(1, SeqCst);
            }
        });
    server.bind("127.0.0.1:0", service).unwrap();
    let (address, control) = (server.addresses().remove(0), server.control());
    let serving = std::thread::spawn(move || server.serve_forever());
    let client = support::Client::new(&address);
    let name = format!("service #1 {}", client.getsockname().unwrap());
    loop {
        let (handler, elapsed, backtrace) = stalls.recv().unwrap();
        if handler != name {
            // The accept loop, on a busy machine.
            continue;
        }
        assert!(elapsed >= Duration::from_millis(10));
        if !cfg!(debug_assertions) {
            assert_eq!(backtrace, None);
            break;
        }
        // On a busy machine it may be held before it gets there.
        let says = |part| backtrace.as_ref().is_some_and(|text| text.contains(part));
        if says("stalls_say_where::computes_for_long") && says("stalls_say_where.rs:") {
            break;
        }
    }
    told.store(usize::MAX / 2, SeqCst);
    assert_eq!(read_all(&client).unwrap(), b"done");
    control.shutdown();
    serving.join().unwrap().unwrap();
}
