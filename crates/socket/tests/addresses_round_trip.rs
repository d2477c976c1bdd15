//! What an address is printed as reads back as the same address, and what is none is refused with
//! the reason and the remedy.

#[path = "support/oracle.rs"]
mod oracle;

use oracle::{PATIENCE, Random, watchdog};
use socket::{Address, Host, Place, Scheme, SockAddr, UnixAddr};

/// Text, and what it is printed as.
const READ: &[(&str, &str)] = &[
    ("7007", "127.0.0.1:7007"),
    (":7007", "127.0.0.1:7007"),
    ("0", "127.0.0.1:0"),
    ("00080", "127.0.0.1:80"),
    ("tcp6://7007", "tcp6://[::1]:7007"),
    ("udp6://:53", "udp6://[::1]:53"),
    ("127.0.0.9:8888", "127.0.0.9:8888"),
    ("0.0.0.0:0", "0.0.0.0:0"),
    ("localhost:http", "localhost:80"),
    ("udp://localhost:domain", "udp://localhost:53"),
    ("www.example.org:65535", "www.example.org:65535"),
    ("bücher.example:80", "bücher.example:80"),
    ("a_b-c.d:1", "a_b-c.d:1"),
    ("1.2.3:80", "1.2.3:80"),
    ("[::1]:80", "[::1]:80"),
    ("[0:0:0:0:0:0:0:1]:80", "[::1]:80"),
    ("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80"),
    ("[fe80::1%eth0]:80", "[fe80::1%eth0]:80"),
    ("tcp://[fe80::1%2]:80", "tcp://[fe80::1%2]:80"),
    ("http://example.org:80", "http://example.org:80"),
    ("unix:/run/x.sock", "unix:///run/x.sock"),
    ("unix:x.sock", "unix://x.sock"),
    ("unix:///run/x.sock", "unix:///run/x.sock"),
    ("unix://unix:x", "unix://unix:x"),
    ("/run/x.sock", "unix:///run/x.sock"),
    ("./x", "unix://./x"),
    ("a/b:80", "unix://a/b:80"),
    ("/tmp/a://b", "unix:///tmp/a://b"),
    ("./tcp:x", "unix://./tcp:x"),
    ("unix:a://b", "unix://a://b"),
    (":ssh", "127.0.0.1:22"),
    ("@name", "unix://@name"),
    ("@@name", "unix://@@name"),
    ("@ä b\\x", "unix://@ä b\\x"),
    ("unixgram:///run/x", "unixgram:///run/x"),
    ("unixseq://@x", "unixseq://@x"),
    ("vsock://2:7007", "vsock://2:7007"),
    ("vsock://4294967295:4294967295", "vsock://4294967295:4294967295"),
    ("-", "-"),
    ("fd:3", "fd:3"),
    ("fd:web", "fd:web"),
    ("fd:my web/1.socket", "fd:my web/1.socket"),
];

/// Text, and the whole refusal.
const REFUSED: &[(&str, &str)] = &[
    ("", "address \"\": it is empty (try 127.0.0.1:7007)"),
    ("a\u{7}b:80", "address \"a\\u{7}b:80\": it contains a control character"),
    ("host", "address \"host\": the port is missing (try host:7007)"),
    ("127.0.0.1", "address \"127.0.0.1\": the port is missing (try 127.0.0.1:7007)"),
    ("host:", "address \"host:\": the port is missing (try host:7007)"),
    ("http://host", "address \"http://host\": the port is missing (try http://host:80)"),
    ("ssh", "address \"ssh\": the port is missing (try ssh:7007 or :ssh)"),
    (":", "address \":\": host and port are missing (try tcp://127.0.0.1:7007)"),
    ("a b", "address \"a b\": a host name cannot contain ' '"),
    (
        "http://h:8000/a/b",
        "address \"http://h:8000/a/b\": it ends with the port, a path is no part of it \
      (try http://h:8000)",
    ),
    (
        "http://h/",
        "address \"http://h/\": it ends with the port, a path is no part of it (try http://h:80)",
    ),
    (
        "tcp:///run/x",
        "address \"tcp:///run/x\": tcp has a host and a port, not a path (try unix:///run/x)",
    ),
    ("udp://@x", "address \"udp://@x\": udp has a host and a port, not a path (try unixgram://@x)"),
    ("tcp:h:80", "address \"tcp:h:80\": behind a scheme comes :// (try tcp://h:80)"),
    ("http:/h:80", "address \"http:/h:80\": behind a scheme comes :// (try http://h:80)"),
    ("vsock:3:70", "address \"vsock:3:70\": behind a scheme comes :// (try vsock://3:70)"),
    (
        "unixgram:/run/x",
        "address \"unixgram:/run/x\": behind a scheme comes :// (try unixgram:///run/x)",
    ),
    (
        "h:80:90",
        "address \"h:80:90\": there is a ':' too many; IPv6 needs brackets (try [::1]:7007)",
    ),
    ("::", "address \"::\": an IPv6 address with a port needs brackets (try [::]:7007)"),
    ("65536", "address \"65536\": port 65536 is not in 0 to 65535"),
    ("host:99999999999", "address \"host:99999999999\": port 99999999999 is not in 0 to 65535"),
    ("host:-1", "address \"host:-1\": \"-1\" is not a port or a known service"),
    ("host:+1", "address \"host:+1\": \"+1\" is not a port or a known service"),
    ("host:nosuch", "address \"host:nosuch\": \"nosuch\" is not a port or a known service"),
    ("a b:80", "address \"a b:80\": a host name cannot contain ' '"),
    ("a\"b:80", "address \"a\\\"b:80\": a host name cannot contain '\"'"),
    ("::1", "address \"::1\": an IPv6 address with a port needs brackets (try [::1]:7007)"),
    ("::1:80", "address \"::1:80\": an IPv6 address with a port needs brackets (try [::1]:80)"),
    (
        "fe80::1%eth0:80",
        "address \"fe80::1%eth0:80\": an IPv6 address with a port needs brackets \
      (try [fe80::1%eth0]:80)",
    ),
    ("[::1:80", "address \"[::1:80\": the closing bracket is missing (try [::1]:7007)"),
    ("[::1]", "address \"[::1]\": the port is missing (try [::1]:7007)"),
    ("[::1]80", "address \"[::1]80\": the port is missing (try [::1]:7007)"),
    (
        "[fe80::1%]:80",
        "address \"[fe80::1%]:80\": the zone after % is missing \
      (try [fe80::1%eth0]:7007)",
    ),
    (
        "[127.0.0.1]:80",
        "address \"[127.0.0.1]:80\": \"127.0.0.1\" is not an IPv6 address; \
      brackets are for those",
    ),
    (
        "ftp://host:21",
        "address \"ftp://host:21\": \"ftp\" is not a scheme (one of tcp tcp4 tcp6 \
      udp udp4 udp6 unix unixgram unixseq vsock http)",
    ),
    (
        "TCP://host:21",
        "address \"TCP://host:21\": \"TCP\" is not a scheme (one of tcp tcp4 tcp6 \
      udp udp4 udp6 unix unixgram unixseq vsock http)",
    ),
    ("udp://", "address \"udp://\": host and port are missing (try udp://127.0.0.1:7007)"),
    ("host: 1", "address \"host: 1\": \" 1\" is not a port or a known service"),
    ("host:-65456", "address \"host:-65456\": \"-65456\" is not a port or a known service"),
    ("unix:", "address \"unix:\": the path is missing (try unix:/tmp/x.sock or @name)"),
    ("@", "address \"@\": the path is missing (try unix:/tmp/x.sock or @name)"),
    (
        "vsock://2",
        "address \"vsock://2\": expected a context id and a port, both numbers \
      (try vsock://2:7007)",
    ),
    (
        "vsock://a:1",
        "address \"vsock://a:1\": expected a context id and a port, both numbers \
      (try vsock://2:7007)",
    ),
    (
        "vsock://2:4294967296",
        "address \"vsock://2:4294967296\": expected a context id and a port, \
      both numbers (try vsock://2:7007)",
    ),
    ("fd:", "address \"fd:\": \"\" is not a descriptor number (try fd:3)"),
    ("fd:-1", "address \"fd:-1\": \"-1\" is not a descriptor number (try fd:3)"),
    ("fd:+1", "address \"fd:+1\": \"+1\" is not a descriptor number (try fd:3)"),
    ("fd:3x", "address \"fd:3x\": \"3x\" is not a descriptor number (try fd:3)"),
    ("fd:a:b", "address \"fd:a:b\": \"a:b\" is not a descriptor's name (try fd:web)"),
    ("fd:ä", "address \"fd:ä\": \"ä\" is not a descriptor's name (try fd:web)"),
];

#[test]
fn texts_are_read_and_printed_in_one_form() {
    for (text, printed) in READ {
        let address: Address = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(address.to_string(), *printed, "{text}");
        assert_eq!(printed.parse::<Address>().unwrap(), address, "{text}");
    }
}

#[test]
fn what_is_no_address_is_refused_with_the_reason() {
    let wrong: Vec<_> = REFUSED
        .iter()
        .map(|(text, refusal)| (text.parse::<Address>(), refusal))
        .filter(|(parsed, refusal)| match parsed {
            Ok(_) => true,
            Err(error) => error.to_string() != **refusal,
        })
        .map(|(parsed, refusal)| match parsed {
            Ok(address) => format!("{refusal}\n  but it was read as {address:?}"),
            Err(error) => format!("{refusal}\n  but the words are {error}"),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unix_names_have_a_longest_one() {
    for (begin, end) in [("unix:", ""), ("@", ""), ("unix://@", ""), ("@@", "x")] {
        let room = if begin == "@@" { 105 } else { 107 };
        let fits = format!("{begin}{}{end}", "p".repeat(room));
        assert!(fits.parse::<Address>().is_ok(), "{fits}");
        let error = format!("{begin}p{}{end}", "p".repeat(room)).parse::<Address>().unwrap_err();
        assert!(error.to_string().ends_with("the path has 108 bytes, 107 is the most"), "{error}");
    }
}

/// Pieces of which addresses are made, and a few of which none is.
const PIECES: &[&str] = &[
    "tcp",
    "tcp6",
    "udp4",
    "unix",
    "unixgram",
    "vsock",
    "http",
    "://",
    ":",
    "/",
    "//",
    "@",
    "-",
    "fd:",
    "[",
    "]",
    "%",
    "::1",
    "fe80::1",
    "127.0.0.1",
    "localhost",
    "x.y",
    "eth0",
    "0",
    "7",
    "80",
    "65536",
    "http",
    ".",
    "..",
    "\\",
    "\\x41",
    " ",
    "ü",
    "\u{7f}",
    "\0",
    "\u{85}",
    "unix:",
    "4294967295",
    ",",
    "=",
    "_",
    "#",
    "日本",
];

#[test]
fn whatever_can_be_read_reads_back_after_printing() {
    let _watchdog = watchdog(PATIENCE);
    let mut random = Random::new(1);
    let mut read = 0;
    for _ in 0..200_000 {
        let text = random.text(PIECES, 7);
        let Ok(address) = text.parse::<Address>() else { continue };
        read += 1;
        let printed = address.to_string();
        assert_eq!(printed.parse::<Address>().as_ref(), Ok(&address), "{text:?} → {printed:?}");
        assert!(!printed.contains(char::is_control), "{text:?} → {printed:?}");
    }
    assert!(read > 20_000, "only {read} texts were addresses");
}

#[test]
fn whatever_cannot_be_read_is_refused_in_a_line_whose_advice_can() {
    let _watchdog = watchdog(PATIENCE);
    let mut random = Random::new(2);
    let mut advised = 0;
    for _ in 0..200_000 {
        let text = random.text(PIECES, 7);
        let Err(error) = text.parse::<Address>() else { continue };
        let line = error.to_string();
        assert!(line.starts_with("address \"") && !line.contains(char::is_control), "{line:?}");
        let Some((_, advice)) = line.rsplit_once(" (try ") else { continue };
        for advice in advice.strip_suffix(')').expect(&line).split(" or ") {
            assert!(advice.parse::<Address>().is_ok(), "{line}");
            advised += 1;
        }
    }
    assert!(advised > 20_000, "only {advised} refusals say what to do");
}

#[test]
fn every_place_reads_back_with_every_scheme_that_fits() {
    let inet = [
        Place::Inet(Host::Ip("127.0.0.1".parse().unwrap()), 0),
        Place::Inet(Host::Ip("fe80::1".parse().unwrap()), 65535),
        Place::Inet(Host::Zoned("fe80::1".parse().unwrap(), "eth0".into()), 1),
        Place::Inet(Host::Name("a.b".into()), 80),
    ];
    let unix = [
        Place::Unix(UnixAddr::Path("/run/x".into())),
        Place::Unix(UnixAddr::Path("x".into())),
        Place::Unix(UnixAddr::Path("tcp:/x".into())),
        Place::Unix(UnixAddr::Path("fd:/x://y".into())),
        Place::Unix(UnixAddr::Abstract(b"x".to_vec())),
    ];
    let vsock = [Place::Vsock(2, 7007)];
    for scheme in Scheme::ALL {
        let places: &[Place] = match scheme.family() {
            socket::Family::UNIX => &unix,
            socket::Family::VSOCK => &vsock,
            _ => &inet,
        };
        for place in places {
            let address = Address { scheme: Some(*scheme), place: place.clone() };
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }
    // Without a scheme the same place is read, by the scheme that goes with it.
    for place in inet.iter().chain(&unix).chain(&vsock) {
        let address = Address { scheme: None, place: place.clone() };
        assert_eq!(address.to_string().parse::<Address>().unwrap().place, *place, "{address}");
    }
}

#[test]
fn numbers_resolve_without_asking_anyone() {
    for (text, expected) in [
        ("7007", "127.0.0.1:7007"),
        ("tcp://[::1]:80", "[::1]:80"),
        ("unix:/run/x", "/run/x"),
        ("@x", "@x"),
        ("vsock://2:7007", "vsock:2:7007"),
    ] {
        let endpoints = text.parse::<Address>().unwrap().resolve().unwrap();
        let addresses: Vec<String> =
            endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect();
        assert_eq!(addresses, [expected]);
        assert_eq!(endpoints[0].family, endpoints[0].address.family());
    }
    for text in ["-", "fd:3", "tcp6://127.0.0.1:1", "udp4://[::1]:1"] {
        assert!(text.parse::<Address>().unwrap().resolve().is_err(), "{text}");
    }
}

/// A socket address in text, and what is wrong with it.
const REFUSED_SOCKADDR: &[(&str, &str)] = &[
    ("localhost", "expected HOST:PORT, a path, @NAME or FAMILY:ADDRESS"),
    ("localhost:80", "\"localhost:80\" is not IPv4:PORT (try 127.0.0.1:80)"),
    ("127.0.0.1:65536", "\"127.0.0.1:65536\" is not IPv4:PORT (try 127.0.0.1:80)"),
    ("[::1]", "\"[::1]\" is not [IPv6]:PORT (try [::1]:80)"),
    ("[::1]:65536", "port \"65536\" is not a number, or too big"),
    ("[::1%nosuch0]:80", "no interface is called \"nosuch0\""),
    ("[::1]:80,flow", "\"flow\" is not NAME=VALUE"),
    ("[::1]:80,flow=x", "flow \"x\" is not a number, or too big"),
    ("netlink:", "pid \"\" is not a number, or too big"),
    ("netlink:+1", "pid \"+1\" is not a number, or too big"),
    ("netlink:0x", "pid \"0x\" is not a number, or too big"),
    ("netlink:0,group=1", "there is no field \"group\" (there is groups)"),
    ("netlink:0,groups=1,groups=1", "the field \"groups\" is there twice"),
    ("packet:lo,address=0", "\"0\" is not made of pairs of hexadecimal digits"),
    ("packet:1,protocol=65536", "protocol \"65536\" is not a number, or too big"),
    ("vsock:2", "expected a context id and a port (try vsock:2:7007)"),
    ("can:1,rx=1,pgn=1", "rx and tx do not go with name, pgn and address"),
    ("tipc:name,type=1", "\"name\" is none of range service socket"),
    ("tipc:socket,scope=128", "scope \"128\" is not in -128 to 127"),
    ("alg:hash", "expected a type and a name (try alg:hash:sha256)"),
    ("alg:abcdefghijklmn:x", "algorithm type longer than 13 bytes or with a NUL byte"),
    ("qipcrtr:1", "expected a node and a port (try qipcrtr:1:16384)"),
    ("AF_NOSUCH:00", "family \"NOSUCH\" is not a number, or too big"),
    ("AF_99:0", "\"0\" is not made of pairs of hexadecimal digits"),
    ("/a\\b", "after a backslash comes another one, or x and two hexadecimal digits"),
    ("unix:a\\x00b", "Unix socket path is empty or contains a NUL byte"),
];

#[test]
fn what_is_no_socket_address_is_refused_with_the_reason() {
    for (text, why) in REFUSED_SOCKADDR {
        let error = text.parse::<SockAddr>().unwrap_err();
        let expected = format!("address \"{}\": {why}", text.escape_debug());
        assert_eq!(error.to_string(), expected);
    }
}
