//! An engine that forks does it in a process whose other threads hold locks.

use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use switchboard::{Connection, Engine, Guards};

use crate::apart::apart;
use crate::support::{on_every_engine, read_all, serve};

on_every_engine! {
    locks_that_others_hold_do_not_stop_a_handler
}

/// Row 43. A child that is forked while another thread is inside the allocator, the environment or
/// standard error has these locks taken for ever, unless they are made anew in it.
fn locks_that_others_hold_do_not_stop_a_handler(engine: Engine) {
    static OVER: AtomicBool = AtomicBool::new(false);
    apart(engine, || {
        let holders: [fn(); 3] = [
            || drop(std::hint::black_box(vec![0_u8; 100_000])),
            || drop(std::hint::black_box(std::env::var_os("PATH"))),
            || drop(std::io::stderr().lock().write_all(b"")),
        ];
        let holding = holders.map(|hold| {
            std::thread::spawn(move || {
                while !OVER.load(SeqCst) {
                    hold();
                }
            })
        });
        let server = serve(engine, "127.0.0.1:0", Guards::default(), |c: &mut Connection| {
            // Each of the locks, once.
            let path = std::env::var_os("PATH").map_or(0, |path| path.len());
            std::io::stderr().lock().write_all(b"")?;
            let words = vec![path.to_string(); 1000].join(" ");
            c.write_all(if words.is_empty() { b"" } else { b"made it" })
        });
        for _ in 0..100 {
            assert_eq!(read_all(&server.client()).unwrap(), b"made it");
        }
        OVER.store(true, SeqCst);
        holding.into_iter().for_each(|thread| thread.join().unwrap());
        server.stop().unwrap();
    });
}
