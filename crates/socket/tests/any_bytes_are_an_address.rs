//! Any bytes decode to an address, and that address goes to text and back: nothing panics, nothing
//! is lost. The input is random but the same in each run, by mutation of addresses that are right.

#[path = "support/oracle.rs"]
mod oracle;

use oracle::{PATIENCE, Random, watchdog};
use socket::{Address, Family, SockAddr, UnixAddr};

/// Addresses of every family that has a type.
const SEEDS: &[&str] = &[
    "127.0.0.1:80",
    "[fe80::1%3]:80,flow=7",
    "",
    "/run/x.sock",
    "unix:x",
    "@name\\x00\\xff",
    "netlink:1234,groups=0x11",
    "packet:2,protocol=0x0003,hatype=1,pkttype=4,address=02:fc:00:00:00:01",
    "vsock:2:7007,flags=1",
    "can:3",
    "can:3,rx=0x123,tx=0x456",
    "can:3,name=0x1,pgn=0x2,address=0x3",
    "tipc:range,type=18888,lower=1,upper=99,scope=2",
    "tipc:service,type=18888,instance=17,domain=0",
    "tipc:socket,ref=1,node=2",
    "alg:hash:sha256",
    "alg:aead,feat=0x1,mask=0x2:rfc4106(gcm(aes))",
    "qipcrtr:1:16384",
    "AF_X25:0102",
    "AF_99:",
];

/// The function a fuzzer calls with bytes of its own.
fn decode(bytes: &[u8]) {
    let address = SockAddr::from_bytes(bytes);
    let text = address.to_string();
    assert!(!text.contains(char::is_control), "{address:?}");
    let read = text.parse::<SockAddr>().unwrap_or_else(|error| panic!("{address:?}: {error}"));
    assert_eq!(read, address, "{text}");
    if let Ok(again) = address.to_bytes() {
        assert_eq!(SockAddr::from_bytes(&again), address, "{text}");
    }
}

/// The function a fuzzer calls with text of its own.
fn read(text: &str) {
    if let Ok(address) = text.parse::<SockAddr>() {
        let printed = address.to_string();
        assert_eq!(printed.parse::<SockAddr>().unwrap(), address, "{text:?} → {printed:?}");
        if let Ok(bytes) = address.to_bytes() {
            let decoded = SockAddr::from_bytes(&bytes);
            let raw = matches!(address, SockAddr::Other { .. });
            assert!(raw || decoded == address, "{text:?} → {decoded:?}");
        }
    }
    if let Ok(address) = text.parse::<UnixAddr>() {
        assert_eq!(address.to_string().parse::<UnixAddr>().unwrap(), address, "{text:?}");
    }
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse::<Address>().unwrap(), address, "{text:?}");
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.next() as u8),
            2 => bytes.extend(vec![0; random.below(20)]),
            3 if at < bytes.len() => bytes[at] = random.next() as u8,
            _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ => bytes.push(0),
        }
    }
}

#[test]
fn the_seeds_are_addresses_of_every_family_with_a_type() {
    let mut families: Vec<Family> = Vec::new();
    for seed in SEEDS {
        let address: SockAddr = seed.parse().unwrap();
        assert_eq!(address.to_string(), *seed);
        families.push(address.family());
        decode(&address.to_bytes().unwrap());
    }
    families.sort();
    families.dedup();
    assert_eq!(families.len(), 12);
}

#[test]
fn bytes_that_were_changed_decode_to_something() {
    let _watchdog = watchdog(PATIENCE);
    let mut random = Random::new(2);
    let seeds: Vec<Vec<u8>> =
        SEEDS.iter().map(|seed| seed.parse::<SockAddr>().unwrap().to_bytes().unwrap()).collect();
    for _ in 0..100_000 {
        let mut bytes = random.pick(&seeds).clone();
        mutate(&mut random, &mut bytes);
        decode(&bytes);
    }
}

#[test]
fn random_bytes_decode_to_something_in_every_family() {
    let _watchdog = watchdog(PATIENCE);
    let mut random = Random::new(3);
    for length in 0..140 {
        for family in 0..50_u16 {
            let mut bytes = random.bytes(length);
            let begin = length.min(2);
            bytes[..begin].copy_from_slice(&family.to_ne_bytes()[..begin]);
            decode(&bytes);
        }
    }
}

#[test]
fn texts_that_were_changed_are_read_or_refused() {
    let _watchdog = watchdog(PATIENCE);
    let mut random = Random::new(4);
    for _ in 0..100_000 {
        let mut bytes = random.pick(SEEDS).as_bytes().to_vec();
        mutate(&mut random, &mut bytes);
        read(&String::from_utf8_lossy(&bytes));
    }
}
