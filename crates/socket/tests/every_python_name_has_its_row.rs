//! The page `docs/socket.md` is true: each public name of Python's `socket` has its row, each name
//! of ours that it mentions exists, and its two programs do the same.
//!
//! Python's names are listed here, and compared with those of the Python at hand. Ours are found in
//! the source. What a row says in words is for people to check.

#[path = "support/oracle.rs"]
mod oracle;
#[path = "support/page.rs"]
mod page;
#[path = "support/public_items.rs"]
mod public_items;

use std::path::Path;

use oracle::{PATIENCE, python, watchdog};
use page::{NOTHING, Row, code, has_reason, path, rows, without_row};
use public_items::PublicItems;
use socket::constants::GROUPS;
use socket::{Family, Protocol, Type, options};

const PAGE: &str = include_str!("../../../docs/socket.md");

/// What `import socket` shows on Linux besides its numbers: functions, types, exceptions.
const MODULE: &str = "
AddressFamily AddressInfo CAPI CMSG_LEN CMSG_SPACE MsgFlag SocketIO SocketKind SocketType close
create_connection create_server dup error fromfd gaierror getaddrinfo getdefaulttimeout getfqdn
gethostbyaddr gethostbyname gethostbyname_ex gethostname getnameinfo getprotobyname getservbyname
getservbyport has_dualstack_ipv6 has_ipv6 herror htonl htons if_indextoname if_nameindex
if_nametoindex inet_aton inet_ntoa inet_ntop inet_pton ntohl ntohs recv_fds send_fds
setdefaulttimeout sethostname socket socketpair timeout
";

/// Methods and attributes of `socket.socket`, with those of its object model that mean something.
const SOCKET: &str = "
__del__ __enter__ __exit__ __repr__ accept bind close connect connect_ex detach dup family fileno
get_inheritable getblocking getpeername getsockname getsockopt gettimeout listen makefile proto recv
recv_into recvfrom recvfrom_into recvmsg recvmsg_into send sendall sendfile sendmsg sendmsg_afalg
sendto set_inheritable setblocking setsockopt settimeout shutdown timeout type
";

/// Names that are only there because Python's modules and classes are objects: what the module
/// imports for itself. Names with an underscore in front are left out by the script.
const OBJECT_MODEL: &str = "IntEnum IntFlag array errno io os selectors sys";

/// How the module's numbers begin, or what they are called.
const NUMBERS: &str = "
AF_ PF_ SOCK_ SOL_ SO_ SHUT_ SOMAXCONN IPPROTO_ IPPORT_ INADDR_ IP_ IPV6_ TCP_ MSG_ AI_ EAI_ NI_
SCM_ NETLINK_ PACKET_ ETH_P_ ETHERTYPE_ VMADDR_ VM_ SO_VM_SOCKETS_ IOCTL_VM_SOCKETS_ UDPLITE_ CAN_
J1939_ TIPC_ ALG_ EBADF EAGAIN EWOULDBLOCK
";

/// Whether a row of the page is for this number of Python's: `AF_*` is for `AF_INET`.
fn has_number(rows: &[Row<'_>], name: &str) -> bool {
    let fits = |span: &str| match span.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => span.trim_start_matches("socket.") == name,
    };
    rows.iter().flat_map(|row| code(row.python)).any(fits)
}

/// The paths of this crate that a text mentions.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    code(text).map(path).filter(|path| {
        let own = path.starts_with("socket::") || path.starts_with(char::is_uppercase);
        own && path.contains("::")
    })
}

/// Everything a user of this crate can name.
fn ours() -> PublicItems {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut items = PublicItems::of(&source);
    let rows = options::ALL.iter().copied().flatten();
    let methods = rows.flat_map(|row| [row.getter, row.setter]).flatten();
    items.add_members(methods.map(|method| format!("Socket::{method}")));
    items.show("constants", constants().map(str::to_owned));
    items
}

/// Every constant under its C name.
fn constants() -> impl Iterator<Item = &'static str> {
    let typed = (Family::ALL.iter().map(|row| row.0))
        .chain(Type::ALL.iter().map(|row| row.0))
        .chain(Protocol::ALL.iter().map(|row| row.0));
    typed.chain(GROUPS.iter().copied().flatten().flat_map(|group| group.rows).map(|row| row.0))
}

#[test]
fn every_name_of_python_has_a_row() {
    assert_eq!(without_row(PAGE, "socket.", MODULE.split_whitespace()), [""; 0]);
    assert_eq!(without_row(PAGE, "s.", SOCKET.split_whitespace()), [""; 0]);
    let rows = rows(PAGE);
    let missing = |name: &&str| !has_number(&rows, name);
    assert_eq!(NUMBERS.split_whitespace().filter(missing).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_name_without_a_row_is_found() {
    let names = || "recv recv_backwards".split_whitespace();
    assert_eq!(without_row(PAGE, "s.", names()), ["s.recv_backwards"]);
    let kept: Vec<&str> = PAGE.lines().filter(|line| !line.contains("`s.recv(")).collect();
    let without = kept.join("\n");
    assert_eq!(without_row(&without, "s.", names()), ["s.recv", "s.recv_backwards"]);
    assert!(!has_number(&rows(PAGE), "QUIC_NODELAY"));
}

/// The Python at hand may be newer than the lists.
#[test]
fn the_lists_are_those_of_this_machines_python() {
    let _watchdog = watchdog(PATIENCE);
    const SCRIPT: &str = "
import socket
for name in dir(socket):
    if not name.startswith('_'):
        number = isinstance(getattr(socket, name), int) and name.upper()[:3] == name[:3]
        print('number' if number else 'module', name)
for name in dir(socket.socket):
    if not name.startswith('_'):
        print('socket', name)";
    let Some(lines) = python(SCRIPT, &[]) else { return };
    let rows = rows(PAGE);
    let listed = |list: &str, name: &str| list.split_whitespace().any(|listed| listed == name);
    let is_known = |line: &&String| match line.split_once(' ').unwrap() {
        ("number", name) => has_number(&rows, name),
        ("module", name) => listed(MODULE, name) || listed(OBJECT_MODEL, name),
        (_, name) => listed(SOCKET, name),
    };
    let unknown: Vec<_> = lines.iter().filter(|line| !is_known(line)).collect();
    assert_eq!(unknown, [""; 0], "list it here, and give it a row on the page");
    assert!(lines.len() > 350, "{lines:?}");
}

#[test]
fn every_row_has_a_name_of_ours_or_a_reason() {
    let rows = rows(PAGE);
    assert!(rows.len() > 150, "{} rows", rows.len());
    for Row { line, python, ours, notes } in rows {
        assert!(!python.is_empty(), "line {line}");
        let named = code(ours).next().is_some() || has_reason(notes);
        assert!(named, "line {line}: {python} has no counterpart");
    }
}

#[test]
fn every_name_of_ours_exists() {
    let items = ours();
    let mut wrong = Vec::new();
    for Row { line, ours, .. } in rows(PAGE) {
        let spans = code(ours).map(path).filter(|path| !path.starts_with("std::"));
        wrong.extend(spans.filter(|path| !items.has("socket", path)).map(|path| (line, path)));
    }
    let mut in_block = false;
    for (at, line) in PAGE.lines().enumerate() {
        in_block ^= line.starts_with("```");
        let mentioned = mentioned(line).filter(|path| !in_block && !items.has("socket", path));
        wrong.extend(mentioned.map(|path| (at + 1, path)));
    }
    assert!(wrong.is_empty(), "these lines name what is not there: {wrong:?}");
}

#[test]
fn a_name_of_ours_that_does_not_exist_is_found() {
    let items = ours();
    const THERE: &str = "
        Socket Socket::recv Socket::so_reuseaddr Flags::PEEK Family::INET UnixAddr::Path
        socket::poll socket::names::getaddrinfo socket::names::Reason::Host socket::options
        socket::names::GaiCode::NONAME SockAddr::Inet ConnectOptions::timeout ControlBuffer::DEFAULT
        socket::DEFAULT_BACKLOG socket::constants::AF_INET socket::errors::is_timeout";
    for path in THERE.split_whitespace() {
        assert!(items.has("socket", path), "{path}");
    }
    const NOT_THERE: &str = "
        Nothing Socket::recv_backwards Socket::deadline Socket::recv::more SockAddr::Ipx Recv socket
        socket::names::gethostbynumber socket::getaddrinfo socket::thread_driver::perform
        Flags::POKE Family::AF_INET socket::constants::AF_NOTHING";
    for path in NOT_THERE.split_whitespace() {
        assert!(!items.has("socket", path), "{path}");
    }
}

#[test]
fn every_group_of_constants_is_here() {
    for Row { line, python, notes, .. } in rows(PAGE) {
        if !notes.contains(NOTHING) {
            let begins = code(python).filter_map(|span| span.strip_suffix('*'));
            for begin in begins.filter(|begin| begin.ends_with('_')) {
                let here = constants().any(|name| name.starts_with(begin));
                assert!(here, "line {line}: no constant begins with {begin}");
            }
        }
    }
}

/// The program in Rust is a test of the library's documentation.
#[test]
fn the_program_in_python_runs() {
    let _watchdog = watchdog(PATIENCE);
    let (_, rest) = PAGE.split_once("```python\n").unwrap();
    let (program, _) = rest.split_once("```").unwrap();
    assert!(program.contains("b\"HELLO\""));
    python(program, &[]);
}
