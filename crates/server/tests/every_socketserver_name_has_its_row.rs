//! The page `docs/server.md` is true: each public name of Python's `socketserver` has its row, each
//! name of ours that it mentions exists, and its two programs do the same.
//!
//! Python's names are listed here, and compared with those of the Python at hand. Ours are found in
//! the source. What a row says in words is for people to check.

#[path = "../../socket/tests/support/oracle.rs"]
mod oracle;
#[path = "../../socket/tests/support/page.rs"]
mod page;
#[path = "../../socket/tests/support/public_items.rs"]
mod public_items;

use std::path::Path;

use oracle::{PATIENCE, python, watchdog};
use page::{Row, code, has_reason, path, rows, without_row};
use public_items::PublicItems;
use switchboard::Engine;

const PAGE: &str = include_str!("../../../docs/server.md");

/// The classes of the module; those that fork on Unix sockets are there from Python 3.12 on.
const MODULE: &str = "
BaseRequestHandler BaseServer DatagramRequestHandler ForkingMixIn ForkingTCPServer ForkingUDPServer
ForkingUnixDatagramServer ForkingUnixStreamServer StreamRequestHandler TCPServer ThreadingMixIn
ThreadingTCPServer ThreadingUDPServer ThreadingUnixDatagramServer ThreadingUnixStreamServer
UDPServer UnixDatagramServer UnixStreamServer
";

/// What each class defines itself, and the attributes that its objects are documented to have.
const MEMBERS: &str = "
BaseRequestHandler.client_address BaseRequestHandler.finish BaseRequestHandler.handle
BaseRequestHandler.request BaseRequestHandler.server BaseRequestHandler.setup
BaseServer.RequestHandlerClass BaseServer.__enter__ BaseServer.__exit__ BaseServer.close_request
BaseServer.finish_request BaseServer.handle_error BaseServer.handle_request
BaseServer.handle_timeout BaseServer.process_request BaseServer.serve_forever
BaseServer.server_activate BaseServer.server_address BaseServer.server_close
BaseServer.service_actions BaseServer.shutdown BaseServer.shutdown_request BaseServer.timeout
BaseServer.verify_request DatagramRequestHandler.finish DatagramRequestHandler.packet
DatagramRequestHandler.rfile DatagramRequestHandler.setup DatagramRequestHandler.socket
DatagramRequestHandler.wfile ForkingMixIn.active_children ForkingMixIn.block_on_close
ForkingMixIn.collect_children ForkingMixIn.handle_timeout ForkingMixIn.max_children
ForkingMixIn.process_request ForkingMixIn.server_close ForkingMixIn.service_actions
ForkingMixIn.timeout StreamRequestHandler.connection StreamRequestHandler.disable_nagle_algorithm
StreamRequestHandler.finish StreamRequestHandler.rbufsize StreamRequestHandler.rfile
StreamRequestHandler.setup StreamRequestHandler.timeout StreamRequestHandler.wbufsize
StreamRequestHandler.wfile TCPServer.address_family TCPServer.allow_reuse_address
TCPServer.allow_reuse_port TCPServer.close_request TCPServer.fileno TCPServer.get_request
TCPServer.request_queue_size TCPServer.server_activate TCPServer.server_bind TCPServer.server_close
TCPServer.shutdown_request TCPServer.socket TCPServer.socket_type ThreadingMixIn.block_on_close
ThreadingMixIn.daemon_threads ThreadingMixIn.process_request ThreadingMixIn.process_request_thread
ThreadingMixIn.server_close UDPServer.allow_reuse_address UDPServer.allow_reuse_port
UDPServer.close_request UDPServer.get_request UDPServer.max_packet_size UDPServer.server_activate
UDPServer.shutdown_request UDPServer.socket_type UnixDatagramServer.address_family
UnixStreamServer.address_family
";

/// Everything a user of this crate can name.
fn ours() -> PublicItems {
    let mut items = PublicItems::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    items.add_members(Engine::ALL.iter().map(|engine| format!("Engine::{engine:?}")));
    items.add_members(["Engine::ALL".to_owned()]);
    items.show("", ["Engine".to_owned()]);
    // What the page takes from the crate below.
    let below = Path::new(env!("CARGO_MANIFEST_DIR")).join("../socket/src");
    let source = std::fs::read_to_string(below.join("address/mod.rs")).unwrap();
    assert!(source.contains("pub fn family(self)") && source.contains("pub fn kind(self)"));
    items.show("socket", ["Scheme".to_owned()]);
    items.add_members(["Scheme::family".to_owned(), "Scheme::kind".to_owned()]);
    items
}

/// The names of ours that a row says are the counterpart, or mentions.
fn mentioned<'a>(row: &Row<'a>) -> impl Iterator<Item = &'a str> {
    let is_own = |path: &str| path.starts_with(char::is_uppercase) || path.starts_with("socket::");
    let is_path = |path: &&str| path.contains("::") && is_own(path);
    let notes = code(row.notes).map(path).filter(is_path);
    code(row.ours).map(path).chain(notes.collect::<Vec<_>>())
}

#[test]
fn every_name_of_python_has_a_row() {
    assert_eq!(without_row(PAGE, "socketserver.", MODULE.split_whitespace()), [""; 0]);
    assert_eq!(without_row(PAGE, "", MEMBERS.split_whitespace()), [""; 0]);
}

#[test]
fn a_name_without_a_row_is_found() {
    let names = || "BaseServer.timeout BaseServer.time_travel".split_whitespace();
    assert_eq!(without_row(PAGE, "", names()), ["BaseServer.time_travel"]);
    let kept: Vec<&str> =
        PAGE.lines().filter(|line| !line.contains("`BaseServer.timeout`")).collect();
    assert_eq!(without_row(&kept.join("\n"), "", names()).len(), 2);
}

/// The Python at hand may be newer than the lists.
#[test]
fn the_lists_are_those_of_this_machines_python() {
    let _watchdog = watchdog(PATIENCE);
    const SCRIPT: &str = "
import socketserver
for name, found in vars(socketserver).items():
    if isinstance(found, type) and found.__module__ == 'socketserver' and name[0] != '_':
        print(name)
        for member in vars(found):
            if member[0] != '_':
                print(f'{name}.{member}')";
    let Some(lines) = python(SCRIPT, &[]) else { return };
    let listed: Vec<&str> = MODULE.split_whitespace().chain(MEMBERS.split_whitespace()).collect();
    let unknown: Vec<_> = lines.iter().filter(|line| !listed.contains(&line.as_str())).collect();
    assert_eq!(unknown, [""; 0], "list it here, and give it a row on the page");
    assert!(lines.len() > 60, "{lines:?}");
}

#[test]
fn every_row_has_a_name_of_ours_or_a_reason() {
    let rows = rows(PAGE);
    assert!(rows.len() > 80, "{} rows", rows.len());
    for Row { line, python, ours, notes } in rows {
        assert!(!python.is_empty(), "line {line}");
        let named = code(ours).next().is_some() || has_reason(notes);
        assert!(named, "line {line}: {python} has no counterpart");
    }
}

#[test]
fn every_name_of_ours_exists() {
    let items = ours();
    let rows = rows(PAGE);
    let wrong: Vec<_> = rows
        .iter()
        .flat_map(|row| mentioned(row).map(|path| (row.line, path)))
        .filter(|(_, path)| !items.has("switchboard", path))
        .collect();
    assert!(wrong.is_empty(), "these lines name what is not there: {wrong:?}");
}

#[test]
fn a_name_of_ours_that_does_not_exist_is_found() {
    let items = ours();
    const THERE: &str = "
        Server Server::bind Service::verify_request Handler::finish Guards::grace Control::listeners
        Connection::packet CloseReason::Panicked Event::AcceptFailed per_connection
        Engine::Threads";
    for path in THERE.split_whitespace() {
        assert!(items.has("switchboard", path), "{path}");
    }
    const NOT_THERE: &str = "
        Server::fork Service::process_request Handler::verify_request Guards::max_children
        Connection::packet::more BaseServer Engine::Hamsters listen Running Running::open";
    for path in NOT_THERE.split_whitespace() {
        assert!(!items.has("switchboard", path), "{path}");
    }
}

/// The program in Rust is a test of the library's documentation.
#[test]
fn the_program_in_python_runs() {
    let _watchdog = watchdog(PATIENCE);
    let (_, rest) = PAGE.split_once("```python\n").unwrap();
    let (program, _) = rest.split_once("```").unwrap();
    assert!(program.contains("b\"HELLO\\n\""));
    python(program, &[]);
}
