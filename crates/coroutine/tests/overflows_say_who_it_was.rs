//! A coroutine that overflows its stack ends the process with a message that names it. Every other
//! fault ends it as before.

#![allow(unsafe_code)]

mod support;

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use coroutine::{Builder, Settings, Worker, yield_now};
use support::{Watchdog, run};

/// Runs the test `name` of this file in a process of its own, with `ROLE` set.
fn child(name: &str) -> Output {
    let _watchdog = Watchdog::new(std::time::Duration::from_secs(60));
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("ROLE", name)
        .output()
        .unwrap()
}

/// Whether this process is the child that is to run the test `name`.
fn is_child(name: &str) -> bool {
    std::env::var("ROLE").is_ok_and(|role| role == name)
}

#[expect(unconditional_recursion, reason = "that is what overflows")]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    descend(depth + 1) + frame[3]
}

#[test]
fn the_message_names_the_coroutine() {
    if is_child("the_message_names_the_coroutine") {
        run(|| {
            let other = Builder::new().name("another").spawn(yield_now).unwrap();
            other.join().unwrap();
            let name = "echo #5 from 127.0.0.1:5000";
            let deep = Builder::new().name(name).spawn(|| descend(0)).unwrap();
            deep.join().unwrap();
        });
    }
    let output = child("the_message_names_the_coroutine");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = "coroutine 2 (echo #5 from 127.0.0.1:5000) overflowed its 256 KiB stack\n";
    assert!(said.contains(expected), "{said}");
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{said}");
}

#[test]
fn another_size_is_named_too() {
    if is_child("another_size_is_named_too") {
        let settings = Settings { stack_bytes: 32 * 1024, ..Settings::default() };
        let _ = Worker::new(settings).unwrap().run(|| descend(0));
    }
    let output = child("another_size_is_named_too");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("coroutine 0 (main) overflowed its 32 KiB stack\n"), "{said}");
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV));
}

/// The thread's own guard is std's to report. (AddressSanitizer reports it in std's place.)
#[cfg(not(feature = "asan"))]
#[test]
fn a_thread_that_overflows_is_reported_by_std() {
    if is_child("a_thread_that_overflows_is_reported_by_std") {
        run(|| ());
        descend(0);
    }
    let output = child("a_thread_that_overflows_is_reported_by_std");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("has overflowed its stack"), "{said}");
    assert!(!said.contains("coroutine 0"), "{said}");
}

#[cfg(not(feature = "asan"))]
#[test]
fn another_fault_is_not_called_an_overflow() {
    if is_child("another_fault_is_not_called_an_overflow") {
        run(|| {
            let nowhere = black_box(8 as *const u8);
            // SAFETY: none; the fault is what is wanted, in a process of its own.
            let byte = unsafe { nowhere.read_volatile() };
            black_box(byte);
        });
    }
    let output = child("another_fault_is_not_called_an_overflow");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{said}");
    assert!(!said.contains("overflowed"), "{said}");
}
