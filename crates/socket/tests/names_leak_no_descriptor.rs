//! Asking for names leaves no descriptor behind, whether there is an answer or not.
//!
//! One test in a process of its own, so that nobody else opens or closes any meanwhile.

mod support;

use socket::names::{
    Hints, NameInfoFlags, getaddrinfo, gethostbyaddr, gethostbyname_ex, getnameinfo, getservbyname,
    has_dualstack_ipv6, has_ipv6, if_indextoname, if_nameindex, if_nametoindex,
};
use socket::{Family, PacketAddr, SockAddr, Socket, Type, UnixAddr};
use support::{PATIENCE, watchdog};

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn ask_everything() {
    let open = Hints::default();
    let long = "x".repeat(64);
    let _ = getaddrinfo(Some("127.0.0.1"), "http", &open);
    let _ = getaddrinfo(Some(&long), 80, &open);
    let _ = getaddrinfo(None, "nosuch", &open);
    let _ = gethostbyname_ex("localhost");
    let _ = gethostbyaddr("127.0.0.1");
    let _ = getservbyname("nosuch", None);
    let _ = getnameinfo(&"[::1]:80".parse().unwrap(), NameInfoFlags::NUMERICHOST);
    let _ = (has_ipv6(), has_dualstack_ipv6());
    let _ = (if_nameindex(), if_nametoindex("nosuch0"), if_indextoname(0));
    let socket = Socket::new(Family::INET, Type::DGRAM, Default::default()).unwrap();
    let _ = socket.bind(&SockAddr::from(UnixAddr::Path("x".repeat(108).into())));
    let _ = socket.bind(&PacketAddr::new(1, 3).into());
}

#[test]
fn as_many_descriptors_are_open_afterwards_as_before() {
    let _watchdog = watchdog(PATIENCE);
    ask_everything();
    let before = descriptors();
    for _ in 0..50 {
        ask_everything();
    }
    assert_eq!(descriptors(), before);
}
