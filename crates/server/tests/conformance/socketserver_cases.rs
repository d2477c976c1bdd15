//! What CPython tests of its `socketserver` is tested here, case by case.
//!
//! The cases of `Lib/test/test_socketserver.py` (3.11) stand on the left, on the right the test of
//! this suite that keeps the same promise, as the test program names it; `*` is every engine. What
//! is said of one of CPython's engines, the same test says of each of ours. A row for an engine
//! that is not built yet waits for it.

use std::process::Command;

use crate::support::python::printed;
use switchboard::Engine;

const CASES: &[(&str, &str)] = &[
    ("SocketServerTest.test_TCPServer", "bytes_come_back::serial::tcp_v4::LINE"),
    ("SocketServerTest.test_ThreadingTCPServer", "bytes_come_back::threads::tcp_v4::LINE"),
    ("SocketServerTest.test_ForkingTCPServer", "bytes_come_back::processes::tcp_v4::LINE"),
    ("SocketServerTest.test_UDPServer", "bytes_come_back::serial::udp_v4::LINE"),
    ("SocketServerTest.test_ThreadingUDPServer", "bytes_come_back::threads::udp_v4::LINE"),
    ("SocketServerTest.test_ForkingUDPServer", "bytes_come_back::processes::udp_v4::LINE"),
    ("SocketServerTest.test_UnixStreamServer", "bytes_come_back::serial::unix_path::LINE"),
    (
        "SocketServerTest.test_ThreadingUnixStreamServer",
        "bytes_come_back::threads::unix_path::LINE",
    ),
    (
        "SocketServerTest.test_ForkingUnixStreamServer",
        "bytes_come_back::processes::unix_path::LINE",
    ),
    ("SocketServerTest.test_UnixDatagramServer", "bytes_come_back::serial::unixgram_path::LINE"),
    (
        "SocketServerTest.test_ThreadingUnixDatagramServer",
        "bytes_come_back::threads::unixgram_path::LINE",
    ),
    (
        "SocketServerTest.test_ForkingUnixDatagramServer",
        "bytes_come_back::processes::unixgram_path::LINE",
    ),
    (
        "SocketServerTest.test_shutdown",
        "servers_stop_when_asked::*::tcp_v4::shutdown_at_any_moment",
    ),
    (
        "SocketServerTest.test_close_immediately",
        "servers_stop_when_asked::*::tcp_v4::closed_without_serving",
    ),
    (
        "SocketServerTest.test_context_manager",
        "servers_stop_when_asked::*::tcp_v4::closed_without_serving",
    ),
    ("SocketServerTest.test_tcpserver_bind_leak", GIVEN_BACK),
    ("ErrorHandlerTest.test_sync_handled", "hooks_run_in_order::serial::tcp_v4::HOOKS"),
    ("ErrorHandlerTest.test_threading_handled", "hooks_run_in_order::threads::tcp_v4::HOOKS"),
    ("ErrorHandlerTest.test_forking_handled", "hooks_run_in_order::processes::tcp_v4::HOOKS"),
    (
        "ErrorHandlerTest.test_sync_not_handled",
        "servers_stop_when_asked::serial::tcp_v4::shutdown_from_a_handler",
    ),
    (
        "ErrorHandlerTest.test_threading_not_handled",
        "servers_stop_when_asked::threads::tcp_v4::shutdown_from_a_handler",
    ),
    (
        "ErrorHandlerTest.test_forking_not_handled",
        "servers_stop_when_asked::processes::tcp_v4::shutdown_from_a_handler",
    ),
    (
        "SocketWriterTest.test_basics",
        "connections_end_whole::*::tcp_v4::the_socket_of_a_connection_is_its_own",
    ),
    (
        "SocketWriterTest.test_write",
        "connections_end_whole::*::tcp_v4::an_answer_is_whole_despite_signals",
    ),
    (
        "MiscTestCase.test_shutdown_request_called_if_verify_request_false",
        "requests_are_verified::*::tcp_v4::a_refused_connection_sees_the_end",
    ),
    ("MiscTestCase.test_threads_reaped", GIVEN_BACK),
    ("MiscTestCase.test_all", "(the names that a module exports, which the compiler knows here)"),
];

/// The one that is alone in its process, and so not in this program.
const GIVEN_BACK: &str = "everything_is_given_back.rs";

/// Names that would not fit into a row.
const LONG: &[(&str, &str)] = &[
    ("LINE", "a_line_comes_back_to_each_of_three"),
    ("HOOKS", "whatever_a_step_does_the_others_run_in_order"),
];

/// The names of all tests of this program.
fn mounted() -> Vec<String> {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).arg("--list").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The tests that a row stands for.
fn tests(row: &str) -> Vec<String> {
    let row = LONG.iter().fold(row.to_owned(), |row, (short, long)| row.replace(short, long));
    match row.contains("::*::") {
        false => vec![row],
        true => Engine::ALL.iter().map(|engine| row.replace('*', engine.name())).collect(),
    }
}

#[test]
fn every_case_has_a_test_that_runs() {
    let mounted = mounted();
    for (case, row) in CASES {
        let name = row.split("::").nth(1).unwrap_or_default();
        if row.starts_with('(') || (name == "processes" && name.parse::<Engine>().is_err()) {
            continue;
        }
        if *row == GIVEN_BACK {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/everything_is_given_back.rs");
            assert!(
                std::fs::read_to_string(file).unwrap().contains(&format!("`{case}`")),
                "{case}"
            );
            continue;
        }
        for test in tests(row) {
            assert!(mounted.contains(&test), "{case}: there is no {test}");
        }
    }
}

#[test]
fn a_test_that_is_not_there_is_found() {
    let mounted = mounted();
    assert!(mounted.iter().any(|test| test.ends_with("a_test_that_is_not_there_is_found")));
    assert!(!mounted.contains(&"bytes_come_back::serial::tcp_v4::LINE".to_owned()));
    assert_eq!(tests("a::*::b").len(), Engine::ALL.len());
}

/// Those of 3.11 are 27; a Python that tests more, or other things, is found here.
#[test]
fn the_table_has_all_that_this_machines_python_tests() {
    const SCRIPT: &str = "
import unittest
try:
    from test import test_socketserver
except (ImportError, unittest.SkipTest):
    raise SystemExit
for suite in unittest.defaultTestLoader.loadTestsFromModule(test_socketserver):
    for case in suite:
        print('.'.join(case.id().split('.')[-2:]))";
    assert_eq!(CASES.len(), 27);
    let Some(cases) = printed(SCRIPT) else { return };
    if cases.is_empty() {
        // Distributions leave Python's own tests out, and that is no fault of the machine.
        return println!("skipped: this Python comes without its own tests");
    }
    for case in &cases {
        assert!(CASES.iter().any(|(name, _)| name == case), "{case} is not in the table");
    }
}
