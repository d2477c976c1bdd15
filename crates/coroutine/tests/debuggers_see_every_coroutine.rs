//! A debugger shows where each suspended coroutine stands: `tools/gdb/coroutines.py`, in a program
//! that has come to its end.
//!
//! The program is this test, run again by gdb. It is started by it and not attached to, since that
//! may be denied.

mod support;

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use coroutine::sync::channel;
use coroutine::{Builder, yield_now};
use support::Watchdog;

/// Set in the program that gdb looks at.
const ROLE: &str = "SWITCHBOARD_TEST_ROLE";

#[inline(never)]
fn waits_for_a_message(depth: u32) {
    match black_box(depth) {
        0 => {
            let (_sender, receiver) = channel::<u8>(1);
            let _never = black_box(receiver.recv());
        }
        depth => waits_for_a_message(depth - 1),
    }
    black_box(depth);
}

#[inline(never)]
fn sleeps_for_long() {
    coroutine::sleep(Duration::MAX);
    black_box(());
}

fn begin(name: &str, body: fn()) {
    let _left_alone = Builder::new().name(name).spawn(body).unwrap();
}

/// Ends while others wait: more of them than there are in one table.
fn program() {
    let main = || {
        begin("a message, \u{1b} perhaps", || waits_for_a_message(3));
        (0..300).for_each(|_| begin("sleeper", sleeps_for_long));
        yield_now();
        begin("never begun", || {});
        std::process::abort();
    };
    coroutine::run(main).unwrap();
}

#[test]
fn gdb_lists_all_with_their_functions() {
    if std::env::var_os(ROLE).is_some() {
        return program();
    }
    if !cfg!(target_arch = "x86_64") {
        // The script says so itself.
        return;
    }
    let _watchdog = Watchdog::new(Duration::from_secs(120));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/gdb/coroutines.py");
    let mut gdb = Command::new("gdb");
    gdb.args(["-batch", "-nx", "-iex", "set auto-load off", "-iex", "set debuginfod enabled off"]);
    gdb.args(["-ex", "set disable-randomization off", "-ex", "run"]);
    gdb.args(["-ex", &format!("source {script}"), "-ex", "coroutines -n", "-ex", "echo whole\\n"]);
    gdb.args(["-ex", "coroutines", "-ex", "kill", "--args"]);
    gdb.arg(std::env::current_exe().unwrap());
    gdb.args(["gdb_lists_all_with_their_functions", "--exact", "--nocapture"]).env(ROLE, "1");
    let output = match gdb.output() {
        Err(_) => return skip("no gdb"),
        Ok(output) => output,
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    if !said.contains("SIGABRT") {
        return skip(&format!("gdb cannot run a program here: {said}\n{wrong}"));
    }
    let (short, whole) = said.split_once("whole\n").unwrap_or_else(|| panic!("{said}\n{wrong}"));
    let count = |text: &str, part: &str| text.matches(part).count();
    assert_eq!(count(short, "worker in thread"), 1, "{short}\n{wrong}");
    assert_eq!(count(short, "\"main\" running"), 1, "{short}");
    assert_eq!(count(short, "\"a message, \\x1b perhaps\" suspended"), 1, "{short}");
    assert_eq!(count(short, "\"sleeper\" suspended"), 300, "{short}");
    assert_eq!(count(short, "\"never begun\" ready"), 1, "{short}");
    // The frames of each: the functions that it is in, and no more than that.
    let of = |name: &str| {
        let (_, rest) = whole.split_once(name).unwrap_or_else(|| panic!("{whole}\n{wrong}"));
        rest.split("\n  coroutine").next().unwrap_or_default().to_owned()
    };
    let message = of("perhaps\" suspended");
    assert_eq!(count(&message, "::waits_for_a_message "), 4, "{message}");
    assert_eq!(count(&message, "::sleeps_for_long "), 0, "{message}");
    assert!(count(&message, "switch_yield") + count(&message, "Scheduler::switch") > 0);
    assert_eq!(count(whole, "::sleeps_for_long at"), 300, "{whole}");
    assert!(!message.contains("worker::Core::turn"), "it ends where it began: {message}");
    assert!(of("\"main\"").contains("it runs: see its thread"), "{whole}");
    assert!(of("\"never begun\"").contains("not begun"), "{whole}");
}

/// Says that something is not tested, and why.
fn skip(why: &str) {
    assert!(std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none(), "not tested: {why}");
    eprintln!("not tested: {why}");
}
