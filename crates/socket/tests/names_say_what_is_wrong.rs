//! A name or an address that cannot be used is an error that names it, with the code C has for it;
//! no input panics and no error leaks a descriptor.
//!
//! The promises of CPython's `GeneralModuleTests` on errors (`testGetServBy`, `testGetaddrinfo`,
//! `test_getaddrinfo_int_port_overflow`, `test_flowinfo`, `testSockName` and the argument errors of
//! addresses). Nothing here asks a name server.

#[path = "support/oracle.rs"]
mod oracle;

use std::error::Error;
use std::io;
use std::net::SocketAddrV6;

use oracle::{PATIENCE, watchdog};
use socket::names::{
    GaiCode, Hints, HostCode, NameInfoFlags, Port, Reason, getaddrinfo, gethostbyname, getnameinfo,
    getprotobyname, getservbyname, getservbyport, inet_aton, inet_pton,
};
use socket::{Family, ResolveError, SockAddr, Socket, Type, UnixAddr};

fn code(result: Result<impl Sized, ResolveError>) -> Option<Reason> {
    result.err().map(|error| error.reason())
}

#[test]
#[cfg_attr(not(target_env = "gnu"), ignore = "another libc than Python's answers otherwise")]
fn every_failure_of_getaddrinfo_has_its_code() {
    let _watchdog = watchdog(PATIENCE);
    let ask = |host, port: &str, hints| code(getaddrinfo(host, port, &hints));
    let open = Hints::default();
    let long = "x".repeat(64);
    for (answer, expected) in [
        (code(getaddrinfo(None, Port::None, &open)), GaiCode::NONAME),
        (ask(Some(&long), "80", open), GaiCode::NONAME),
        (ask(Some("a\0b"), "80", open), GaiCode::NONAME),
        (ask(Some("127.0.0.1"), "nosuch", open), GaiCode::SERVICE),
        (ask(Some("127.0.0.1"), "65536", open), GaiCode::SERVICE),
        (ask(Some("127.0.0.1"), "99999999999999999999", open), GaiCode::SERVICE),
        (ask(Some("127.0.0.1"), "-1", open), GaiCode::SERVICE),
        (ask(Some("127.0.0.1"), "+80", open), GaiCode::SERVICE),
        (ask(Some("127.0.0.1"), "8\x000", open), GaiCode::SERVICE),
        (ask(Some("127.0.0.1"), "80", Hints { family: Family(99), ..open }), GaiCode::FAMILY),
        (ask(Some("127.0.0.1"), "80", Hints { kind: Type(99), ..open }), GaiCode::SOCKTYPE),
        (
            ask(Some("127.0.0.1"), "80", Hints { family: Family::INET6, ..open }),
            GaiCode::ADDRFAMILY,
        ),
        (
            ask(None, "80", Hints { flags: socket::names::AddrInfoFlags(1 << 20), ..open }),
            GaiCode::BADFLAGS,
        ),
        (ask(Some("ｗｗｗ.example"), "80", open), GaiCode::IDN_ENCODE),
        (code(gethostbyname("::1")), GaiCode::ADDRFAMILY),
    ] {
        assert_eq!(answer, Some(Reason::Gai(expected)));
    }
}

#[test]
#[cfg_attr(not(target_env = "gnu"), ignore = "another libc than Python's answers otherwise")]
fn an_error_names_what_was_asked_for_in_words() {
    let open = Hints::default();
    let error = getaddrinfo(Some("127.0.0.1"), "65536", &open).unwrap_err();
    assert_eq!(error.name(), "127.0.0.1");
    assert_eq!(error.code(), -8);
    assert_eq!(
        error.to_string(),
        "cannot resolve 127.0.0.1: Servname not supported for ai_socktype"
    );
    assert!(!error.is_not_found() && !error.is_temporary());
    for (error, words) in [
        (
            getservbyname("nosuch", None).unwrap_err(),
            "cannot resolve nosuch: service/proto not found",
        ),
        (getservbyport(1, Some("x")).unwrap_err(), "cannot resolve 1: port/proto not found"),
        (getprotobyname("nosuch").unwrap_err(), "cannot resolve nosuch: protocol not found"),
        (getservbyname("a\nb", None).unwrap_err(), "cannot resolve a\\nb: service/proto not found"),
        (
            "-".parse::<socket::Address>().unwrap().resolve().unwrap_err(),
            "cannot resolve -: it is not a place on a network",
        ),
    ] {
        assert_eq!(error.to_string(), words);
        assert!(error.source().is_none());
    }
    assert!(getprotobyname("a\0b").unwrap_err().is_not_found());
}

#[test]
fn a_resolve_error_travels_as_an_io_error_and_comes_back() {
    let ask = || -> io::Result<u16> { Ok(getservbyname("nosuch", Some("tcp"))?) };
    let error = ask().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let inner = error.get_ref().unwrap().downcast_ref::<ResolveError>().unwrap();
    assert_eq!(inner.reason(), Reason::NoService);
}

#[test]
fn codes_print_their_c_names() {
    assert_eq!(GaiCode::NONAME.to_string(), "EAI_NONAME");
    assert_eq!(GaiCode::ADDRFAMILY.0, -9);
    assert_eq!(GaiCode(-77).to_string(), "-77");
    assert_eq!(HostCode::NO_DATA.to_string(), "NO_DATA");
    let flags = NameInfoFlags::NUMERICHOST | NameInfoFlags::DGRAM | NameInfoFlags(1 << 20);
    assert_eq!(format!("{flags:?}"), "NI_NUMERICHOST|NI_DGRAM|0x100000");
    assert_eq!(format!("{:?}", NameInfoFlags::NONE), "0");
}

/// `test_flowinfo`.
#[test]
fn a_flow_label_of_more_than_twenty_bits_is_refused_everywhere() {
    let address = |flow| SocketAddrV6::new("::1".parse().unwrap(), 0, flow, 0);
    let wrong = SockAddr::from(address(1_048_576));
    let words = "IPv6 flow label is not in 0 to 1048575";
    let error = getnameinfo(&wrong, NameInfoFlags::NUMERICHOST).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), words);
    let Ok(socket) = Socket::new(Family::INET6, Type::DGRAM, Default::default()) else {
        return oracle::kernel_lacks("IPv6");
    };
    for error in [
        socket.bind(&wrong).unwrap_err(),
        socket.connect(&wrong).unwrap_err(),
        socket.send_to(b"x", &wrong).unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (io::ErrorKind::InvalidInput, words)
        );
    }
    let numbers = NameInfoFlags::NUMERICHOST | NameInfoFlags::NUMERICSERV;
    let right = getnameinfo(&address(1_048_575).into(), numbers).unwrap();
    assert_eq!(right, ("::1".to_owned(), "0".to_owned()));
}

/// `test_getaddrinfo_ipv6_scopeid_symbolic`, `test_getaddrinfo_ipv6_scopeid_numeric`,
/// `test_getnameinfo_ipv6_scopeid_symbolic`, `test_getnameinfo_ipv6_scopeid_numeric`.
#[test]
fn a_scope_is_an_interface_by_name_or_index() {
    let _watchdog = watchdog(PATIENCE);
    let index = socket::names::if_nametoindex("lo").unwrap();
    let hints = Hints { family: Family::INET6, kind: Type::DGRAM, ..Hints::default() };
    for host in ["ff02::1de:c0:face:8d%lo".to_owned(), format!("ff02::1de:c0:face:8d%{index}")] {
        let found = getaddrinfo(Some(&host), 1234, &hints).unwrap();
        let expected = SocketAddrV6::new("ff02::1de:c0:face:8d".parse().unwrap(), 1234, 0, index);
        assert_eq!(found.endpoints[0].address, expected.into());
        let numbers = NameInfoFlags::NUMERICHOST | NameInfoFlags::NUMERICSERV;
        let (host, port) = getnameinfo(&found.endpoints[0].address, numbers).unwrap();
        assert_eq!((host.as_str(), port.as_str()), ("ff02::1de:c0:face:8d%lo", "1234"));
    }
}

#[test]
fn an_address_of_another_family_has_no_name() {
    let address = SockAddr::Unix(UnixAddr::Path("/x".into()));
    let error = getnameinfo(&address, NameInfoFlags::NONE).unwrap_err();
    assert_eq!(error.reason(), Reason::Gai(GaiCode::FAMILY));
    assert!(error.to_string().starts_with("cannot resolve /x: "), "{error}");
}

/// `testSockName`-style argument errors: what does not fit is refused before any call.
#[test]
fn an_address_that_does_not_fit_is_refused_before_the_kernel_sees_it() {
    let socket = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    for (address, words) in [
        (UnixAddr::Path("x".repeat(108).into()), "Unix socket name longer than 107 bytes"),
        (UnixAddr::Abstract(vec![1; 108]), "Unix socket name longer than 107 bytes"),
        (UnixAddr::Path("a\0b".into()), "Unix socket path is empty or contains a NUL byte"),
        (UnixAddr::Path("".into()), "Unix socket path is empty or contains a NUL byte"),
    ] {
        let error = socket.bind(&address.into()).unwrap_err();
        assert_eq!(error.to_string(), words);
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    let inet = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    let other = SockAddr::from(UnixAddr::Path("/x".into()));
    assert_eq!(inet.bind(&other).unwrap_err().raw_os_error(), Some(22), "EINVAL: too short");
    let other = SockAddr::Other { family: Family::X25, data: vec![0; 14] };
    assert_eq!(inet.bind(&other).unwrap_err().raw_os_error(), Some(97), "EAFNOSUPPORT");
}

#[test]
fn texts_that_are_no_address_are_refused_in_words() {
    let words = inet_aton("").unwrap_err().to_string();
    assert_eq!(words, "illegal IP address string passed to inet_aton");
    let words = inet_pton(Family::INET6, "1.2.3.4").unwrap_err().to_string();
    assert_eq!(words, "illegal IP address string passed to inet_pton");
}
