//! Names, numbers and texts of addresses are what Python answers on the same machine.
//!
//! The promises of CPython's `GeneralModuleTests` on name resolution, byte order, `inet_*` and
//! `getserv*`; each test names its own there.

#[path = "support/oracle.rs"]
mod oracle;

use std::net::IpAddr;

use oracle::{PATIENCE, Random, python, skip, watchdog};
use socket::names::{
    AddrInfoFlags, Hints, NameInfoFlags, Port, getaddrinfo, getfqdn, gethostbyaddr, gethostbyname,
    gethostbyname_ex, gethostname, getnameinfo, getprotobyname, getservbyname, getservbyport,
    htonl, htons, if_indextoname, if_nameindex, if_nametoindex, inet_address, inet_aton, inet_ntoa,
    inet_ntop, inet_pton, ntohl, ntohs,
};
use socket::{Family, SockAddr, Type};

/// Runs `expression` in Python for each line, which is there as `text`, and compares with `ours`.
/// An exception is printed as `error`.
fn compare(expression: &str, lines: &[String], ours: impl Fn(&str) -> String) {
    let _watchdog = watchdog(PATIENCE);
    let script = format!(
        "import socket, sys\n\
         for text in sys.stdin.read().split('\\n')[:-1]:\n\
         \x20   try:\n\
         \x20       print({expression})\n\
         \x20   except (OSError, ValueError, OverflowError):\n\
         \x20       print('error')"
    );
    let Some(answers) = python(&script, lines) else { return };
    assert_eq!(answers.len(), lines.len());
    let differ: Vec<_> = lines
        .iter()
        .zip(&answers)
        .map(|(line, theirs)| (line, theirs, ours(line)))
        .filter(|(_, theirs, ours)| *theirs != ours)
        .take(10)
        .collect();
    assert!(differ.is_empty(), "{expression} of (text, Python, here): {differ:#?}");
    let right = answers.iter().filter(|answer| *answer != "error").count();
    println!("{expression}: {} texts, of which {right} have an answer", lines.len());
    assert!(right > 0 && right < lines.len(), "all answers are alike: {right}");
}

fn answer<T: ToString, E>(result: Result<T, E>) -> String {
    result.map_or_else(|_| "error".into(), |value| value.to_string())
}

fn texts(seed: u64, pieces: &[&str], count: usize, most: usize) -> Vec<String> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.text(pieces, most)).collect()
}

/// Pieces of numeric addresses. No letters that could make a name for a name service.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "7",
    "8",
    "9",
    "10",
    "127",
    "255",
    "256",
    "0x",
    "0X",
    "7f",
    "0x7f",
    "010",
    ".",
    ".",
    ".",
    ".",
    " ",
    "\t",
    " junk",
    "-",
    "+",
    "4294967295",
    "4294967296",
    "65535",
    "16777216",
    "00",
    "a",
];

/// Pieces of IPv6 addresses.
const GROUPS: &[&str] = &[
    ":",
    ":",
    ":",
    ":",
    "::",
    "0",
    "1",
    "ffff",
    "FfFf",
    "fe80",
    "00001",
    "abcd",
    "g",
    "127.0.0.1",
    "1.2.3",
    "1.2.3.4",
    "255.255.255.256",
    "%1",
    "/64",
    " ",
    "[",
    "0:0:0:0:0:0:0:",
    "1:2:3:4:5:6:",
    "01.2.3.4",
];

/// `testIPv4_inet_aton_fourbytes`, `testStringToIPv4`.
#[test]
fn inet_aton_reads_every_form_that_c_reads() {
    let mut lines = texts(5, NUMBERS, 20_000, 8);
    lines.extend(
        ["127.1", "0x7f.1", "1.2.3.4 junk", "", "255.255.255.255", "0", "1.2.3.4.", "08.1", " 1"]
            .map(String::from),
    );
    compare("socket.inet_ntoa(socket.inet_aton(text))", &lines, |text| answer(inet_aton(text)));
}

#[test]
fn inet_pton_reads_what_python_reads_of_ipv4() {
    let mut random = Random::new(6);
    let parts = ["0", "1", "9", "10", "99", "127", "255", "256", "00", "01", "0x1", "", " 1", "1 "];
    let mut lines: Vec<String> = (0..10_000)
        .map(|_| {
            let count = if random.below(4) == 0 { random.below(6) } else { 4 };
            // Mostly the first ones, which are right.
            let range = if random.below(2) == 0 { 7 } else { parts.len() };
            let quad: Vec<_> = (0..count).map(|_| *random.pick(&parts[..range])).collect();
            quad.join(".")
        })
        .collect();
    lines.extend(texts(6, NUMBERS, 1_000, 7));
    let expression = "socket.inet_ntoa(socket.inet_pton(socket.AF_INET, text))";
    compare(expression, &lines, |text| answer(inet_pton(Family::INET, text)));
}

/// `testStringToIPv6`.
#[test]
fn inet_pton_reads_what_python_reads_of_ipv6() {
    let lines = texts(7, GROUPS, 40_000, 9);
    compare("socket.inet_pton(socket.AF_INET6, text).hex()", &lines, |text| {
        match inet_pton(Family::INET6, text) {
            Ok(IpAddr::V6(ip)) => ip.octets().iter().map(|byte| format!("{byte:02x}")).collect(),
            _ => "error".into(),
        }
    });
}

#[test]
fn inet_ntop_writes_what_python_writes() {
    let mut random = Random::new(8);
    let mut lines: Vec<String> = Vec::new();
    for _ in 0..5_000 {
        // Many zeros, so that there is something to leave out; not the IPv4-compatible form.
        let mut bytes = random.bytes(16);
        for pair in bytes.chunks_mut(2) {
            if random.below(2) == 0 {
                pair.fill(0);
            }
        }
        bytes[0] |= u8::from(bytes[..10].iter().all(|byte| *byte == 0));
        lines.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    lines.push("00000000000000000000ffff7f000001".into());
    lines.push("0011".into());
    let expression = "socket.inet_ntop(socket.AF_INET6, bytes.fromhex(text))";
    compare(expression, &lines, |text| answer(inet_ntop(Family::INET6, &unhex(text))));
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len() / 2).map(|index| &text[2 * index..2 * index + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// `testStringToIPv4`, `testIPv4toString`, `testIPv6toString`.
#[test]
fn packed_addresses_of_the_wrong_length_are_refused() {
    for length in [0, 3, 5, 16] {
        let error = inet_ntoa(&vec![0; length]).unwrap_err();
        assert_eq!(error.to_string(), "packed IP wrong length");
    }
    for (family, length) in [(Family::INET, 16), (Family::INET6, 4), (Family::INET6, 17)] {
        let error = inet_ntop(family, &vec![0; length]).unwrap_err();
        assert_eq!(error.to_string(), "invalid length of packed IP address string");
    }
    assert_eq!(inet_ntoa(&[255, 0, 0, 1]).unwrap(), "255.0.0.1");
    assert_eq!(inet_ntop(Family::INET, &[0xaa; 4]).unwrap(), "170.170.170.170");
    for family in [Family::UNIX, Family::UNSPEC, Family(199)] {
        let numbers = [
            inet_ntop(family, &[0; 4]).unwrap_err().raw_os_error(),
            inet_pton(family, "1.2.3.4").unwrap_err().raw_os_error(),
        ];
        assert_eq!(numbers, [Some(97), Some(97)], "EAFNOSUPPORT");
    }
}

/// `testNtoH`, `testNtoHErrors`.
#[test]
fn byte_order_turns_and_turns_back() {
    for number in [0, 1, 0xffff, 0x1234_5678, u32::MAX] {
        assert_eq!(ntohl(htonl(number)), number);
        assert_eq!(htonl(number).to_ne_bytes(), number.to_be_bytes());
        let half = number as u16;
        assert_eq!(ntohs(htons(half)), half);
        assert_eq!(htons(half).to_ne_bytes(), half.to_be_bytes());
    }
    assert!(u16::try_from(1_i64 << 16).map(htons).is_err());
    assert!(u32::try_from(-1_i64).map(htonl).is_err());
}

/// `testGetServBy`.
#[test]
#[cfg_attr(not(target_env = "gnu"), ignore = "another libc than Python's answers otherwise")]
fn services_and_protocols_are_those_of_python() {
    let lines: Vec<String> = ["echo", "http", "domain", "nosuch", "", "HTTP", "ssh", "a b"]
        .iter()
        .flat_map(|name| ["", "/tcp", "/udp", "/nosuch"].map(|end| format!("{name}{end}")))
        .collect();
    let protocol = |text: &str| -> Option<String> { Some(text.split_once('/')?.1.to_owned()) };
    compare("socket.getservbyname(*text.split('/'))", &lines, |text| {
        let name = text.split('/').next().unwrap();
        answer(getservbyname(name, protocol(text).as_deref()))
    });
    let lines: Vec<String> = ["7", "80", "53", "22", "1", "65535", "0"]
        .iter()
        .flat_map(|port| ["", "/tcp", "/udp", "/nosuch"].map(|end| format!("{port}{end}")))
        .collect();
    let script = "socket.getservbyport(int(text.split('/')[0]), *text.split('/')[1:])";
    compare(script, &lines, |text| {
        let port = text.split('/').next().unwrap().parse().unwrap();
        answer(getservbyport(port, protocol(text).as_deref()))
    });
    let names = ["tcp", "udp", "icmp", "ipv6", "IP", "nosuch", ""].map(String::from);
    compare("socket.getprotobyname(text)", &names, |text| {
        answer(getprotobyname(text).map(|protocol| protocol.0))
    });
}

/// `testGetaddrinfo`, `test_getaddrinfo_int_port_overflow`, `test_getaddrinfo_ipv6_basic`.
#[test]
#[cfg_attr(not(target_env = "gnu"), ignore = "another libc than Python's answers otherwise")]
fn getaddrinfo_answers_what_python_answers() {
    let hosts =
        ["localhost", "127.0.0.1", "::1", "127.1", "0x7f000001", "1.2.3.4 x", "::ffff:1.2.3.4"];
    let ports = ["80", "http", "0", "nosuch", "-1", ""];
    let numbers =
        ["0/0/0/0", "2/1/0/0", "10/2/0/0", "0/3/0/0", "0/1/17/0", "2/0/0/4", "0/0/0/1", "99/0/0/0"];
    let mut lines = Vec::new();
    for host in hosts {
        for port in ports {
            lines.extend(numbers.map(|hints| format!("{host}|{port}|{hints}")));
        }
    }
    let expression = "(lambda h, p, n: ' '.join(\
        f'{int(f)},{int(t)},{q},{c or None},{a[0]},{a[1]}' for f, t, q, c, a in \
        socket.getaddrinfo(h, p, *map(int, n.split('/')))))(*text.split('|'))";
    // That may not stand in hosts(5), and a name server is not to be asked.
    lines.retain(|line| !(line.starts_with("localhost|") && line.contains("|10/")));
    compare(expression, &lines, |line| {
        let mut parts = line.split('|');
        let (host, port) = (parts.next().unwrap(), parts.next().unwrap());
        let hints: Vec<i32> =
            parts.next().unwrap().split('/').map(|number| number.parse().unwrap()).collect();
        let hints = Hints {
            family: Family(hints[0]),
            kind: Type(hints[1]),
            protocol: hints[2].into(),
            flags: AddrInfoFlags(hints[3]),
        };
        let Ok(found) = getaddrinfo(Some(host), port, &hints) else { return "error".into() };
        let rows = found.endpoints.iter().map(|endpoint| {
            let address = endpoint.address.as_inet().unwrap();
            let name = found.canonname.as_deref().unwrap_or("None");
            let (family, kind, protocol) =
                (endpoint.family.0, endpoint.kind.0, endpoint.protocol.0);
            format!("{family},{kind},{protocol},{name},{},{}", address.ip(), address.port())
        });
        rows.collect::<Vec<_>>().join(" ")
    });
}

#[test]
fn the_official_name_comes_on_request() {
    let hints = Hints { flags: AddrInfoFlags::CANONNAME, ..Hints::default() };
    let found = getaddrinfo(Some("127.0.0.1"), Port::None, &hints).unwrap();
    assert_eq!(found.canonname.as_deref(), Some("127.0.0.1"));
    let plain = getaddrinfo(Some("127.0.0.1"), 80, &Hints::default()).unwrap();
    assert_eq!(plain.canonname, None);
}

#[test]
fn without_a_host_it_is_loopback_or_every_interface() {
    let hints = Hints { family: Family::INET, kind: Type::STREAM, ..Hints::default() };
    let found = getaddrinfo(None, 80, &hints).unwrap();
    assert_eq!(found.endpoints[0].address.to_string(), "127.0.0.1:80");
    let passive = Hints { flags: AddrInfoFlags::PASSIVE, ..hints };
    let found = getaddrinfo(None, 80, &passive).unwrap();
    assert_eq!(found.endpoints[0].address.to_string(), "0.0.0.0:80");
    assert_eq!(found.endpoints[0].kind, Type::STREAM);
}

/// `testHostnameRes`, `test_host_resolution`, `test_host_resolution_bad_address`.
#[test]
#[cfg_attr(not(target_env = "gnu"), ignore = "another libc than Python's answers otherwise")]
fn hosts_are_those_of_python() {
    // Only what is answered without a name server: numbers, and what stands in hosts(5).
    let mut lines: Vec<String> = ["localhost", "127.0.0.1", "", "<broadcast>", "255.255.255.255"]
        .iter()
        .chain(&["::1", "10.1", "0x7f.1", "1.2.3.4 x", "0.0.0.0"])
        .map(ToString::to_string)
        .collect();
    lines.push("x".repeat(64));
    compare("socket.gethostbyname(text)", &lines, |text| answer(gethostbyname(text)));
    lines.retain(|line| !["<broadcast>", "0x7f.1"].contains(&line.as_str()));
    compare("'%s %s %s' % socket.gethostbyname_ex(text)", &lines, |text| {
        let Ok(host) = gethostbyname_ex(text) else { return "error".into() };
        entry(&host)
    });
    let mut lines = ["localhost", "127.0.0.1"].map(String::from).to_vec();
    lines.push("x".repeat(64));
    compare("'%s %s %s' % socket.gethostbyaddr(text)", &lines, |text| {
        let Ok(host) = gethostbyaddr(text) else { return "error".into() };
        entry(&host)
    });
}

/// A host as Python prints a tuple of a text and two lists.
fn entry(host: &socket::names::HostEntry) -> String {
    let quote = |names: Vec<String>| {
        let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        format!("[{}]", names.join(", "))
    };
    let addresses = host.addresses.iter().map(ToString::to_string).collect();
    format!("{} {} {}", host.name, quote(host.aliases.clone()), quote(addresses))
}

/// `test_getfqdn_filter_localhost`. Asks nobody outside where the name stands in hosts(5).
#[test]
fn the_addresses_of_nobody_mean_this_machine() {
    let _watchdog = watchdog(PATIENCE);
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let name = gethostname().unwrap();
    if !hosts.split_whitespace().any(|word| word == name) {
        return println!("skipped: {name} does not stand in /etc/hosts");
    }
    let Some(lines) = python("import socket\nprint(socket.getfqdn())", &[]) else { return };
    for nobody in ["", "0.0.0.0", "::", " "] {
        assert_eq!(getfqdn(nobody), lines[0], "{nobody:?}");
    }
}

#[test]
fn this_machine_is_called_what_python_calls_it() {
    let _watchdog = watchdog(PATIENCE);
    let script = "import socket\nprint(socket.gethostname())\nprint(socket.getfqdn('127.0.0.1'))\n\
        print(socket.getfqdn('::1%nosuch0'))\n\
        print(*(f'{i}={n}' for i, n in socket.if_nameindex()))";
    let Some(lines) = python(script, &[]) else { return };
    assert_eq!(gethostname().unwrap(), lines[0]);
    assert_eq!(getfqdn("127.0.0.1"), lines[1]);
    assert_eq!(getfqdn(" ::1%nosuch0 "), lines[2]);
    let rows: Vec<String> =
        if_nameindex().unwrap().iter().map(|row| format!("{}={}", row.index, row.name)).collect();
    assert_eq!(rows.join(" "), lines[3]);
}

/// `testInterfaceNameIndex`, `testInvalidInterfaceIndexToName`, `testInvalidInterfaceNameToIndex`.
#[test]
fn interfaces_have_an_index_and_a_name() {
    for row in if_nameindex().unwrap() {
        assert_eq!(if_nametoindex(&row.name).unwrap(), row.index);
        assert_eq!(if_indextoname(row.index).unwrap(), row.name);
    }
    for index in [0, u32::MAX] {
        assert_eq!(if_indextoname(index).unwrap_err().raw_os_error(), Some(6), "ENXIO");
    }
    for name in ["", "nosuch0", "lo\0", "a name far too long for it"] {
        assert_eq!(if_nametoindex(name).unwrap_err().raw_os_error(), Some(19), "ENODEV");
    }
}

/// `test_getnameinfo`.
#[test]
#[cfg_attr(not(target_env = "gnu"), ignore = "another libc than Python's answers otherwise")]
fn getnameinfo_answers_what_python_answers() {
    let mut lines = Vec::new();
    for place in ["127.0.0.1:80", "127.0.0.1:1", "127.0.0.1:65535", "127.0.0.1:514"] {
        lines.extend([0, 1, 2, 3, 8, 16, 1 | 16, 64].map(|flags| format!("{place} {flags}")));
    }
    // Numbers only, which ask no name server.
    for place in ["[::1]:53", "0.0.0.0:0", "[::ffff:1.2.3.4]:9", "[2001:db8::1]:80"] {
        lines.extend([1, 1 | 2, 1 | 16, 1 | 1024].map(|flags| format!("{place} {flags}")));
    }
    let expression = "' '.join((lambda a, f: socket.getnameinfo(\
        (a.rpartition(':')[0].strip('[]'), int(a.rpartition(':')[2])), int(f)))(*text.split()))";
    compare(expression, &lines, |line| {
        let (address, flags) = line.split_once(' ').unwrap();
        let address: SockAddr = address.parse().unwrap();
        match getnameinfo(&address, NameInfoFlags(flags.parse().unwrap())) {
            Ok((host, service)) => format!("{host} {service}"),
            Err(_) => "error".into(),
        }
    });
}

/// Python's rules for `bind((host, port))`.
#[test]
fn a_host_and_a_port_become_an_address_as_in_python() {
    for (family, host, expected) in [
        (Family::INET, "", "0.0.0.0:7"),
        (Family::INET6, "", "[::]:7"),
        (Family::INET, "<broadcast>", "255.255.255.255:7"),
        (Family::INET, "255.255.255.255", "255.255.255.255:7"),
        (Family::INET, "127.1", "127.0.0.1:7"),
        (Family::INET, "localhost", "127.0.0.1:7"),
        (Family::INET6, "::1", "[::1]:7"),
        (Family::INET6, "::ffff:127.0.0.1", "[::ffff:127.0.0.1]:7"),
    ] {
        assert_eq!(inet_address(family, host, 7).unwrap().to_string(), expected);
    }
    let lo = if_nametoindex("lo").unwrap();
    let zoned = inet_address(Family::INET6, "fe80::1%lo", 7).unwrap();
    assert_eq!(zoned.to_string(), format!("[fe80::1%{lo}]:7"));
    for (family, host, code) in [
        (Family::INET6, "127.0.0.1", -9),
        (Family::INET, "::1", -9),
        (Family::INET6, "<broadcast>", -9),
        (Family::UNIX, "localhost", -6),
    ] {
        assert_eq!(inet_address(family, host, 7).unwrap_err().code(), code, "{family} {host}");
    }
}

#[test]
fn many_threads_may_ask_at_once() {
    let _watchdog = watchdog(PATIENCE);
    let ask = |index: usize| {
        for _ in 0..200 {
            let (name, port) = [("http", 80), ("ssh", 22), ("domain", 53)][index % 3];
            assert_eq!(getservbyname(name, Some("tcp")).unwrap(), port);
            assert_eq!(getservbyport(port, Some("tcp")).unwrap(), name);
            assert_eq!(getprotobyname("udp").unwrap().0, 17);
            assert_eq!(gethostbyname_ex("localhost").unwrap().name, "localhost");
            assert_eq!(gethostbyaddr("127.0.0.1").unwrap().name, "localhost");
        }
    };
    std::thread::scope(|scope| {
        for index in 0..8 {
            scope.spawn(move || ask(index));
        }
    });
}

/// `test_sethostname`.
#[test]
fn naming_the_machine_needs_a_privilege_or_works() {
    // To its own name, so that nothing changes.
    let name = gethostname().unwrap();
    match socket::names::sethostname(&name) {
        Ok(()) => assert_eq!(gethostname().unwrap(), name),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            skip("naming the machine needs CAP_SYS_ADMIN");
        }
        Err(error) => panic!("{error}"),
    }
    let long = "x".repeat(65);
    assert!(socket::names::sethostname(&long).is_err());
}

#[test]
fn ipv6_is_asked_of_the_kernel() {
    let has = std::path::Path::new("/proc/net/if_inet6").exists();
    assert_eq!(socket::names::has_ipv6(), has);
    assert!(has || !socket::names::has_dualstack_ipv6());
    let _watchdog = watchdog(PATIENCE);
    let Some(lines) = python("import socket; print(socket.has_dualstack_ipv6())", &[]) else {
        return;
    };
    assert_eq!(lines[0] == "True", socket::names::has_dualstack_ipv6());
}
