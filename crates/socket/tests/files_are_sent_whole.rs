//! `sendfile` sends what it was asked for, says how much, and leaves the file's position behind it,
//! by the kernel and without. CPython: `SendfileUsingSendfileTest`, `SendfileUsingSendTest`.

mod support;

use std::fs::File;
use std::io::{ErrorKind, PipeReader, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket::{Family, Socket, Type};
use support::{Directory, PATIENCE, directory, tcp_pair, unix_pair, watchdog};

/// More than fits in any buffer on the way, and no multiple of anything.
const SIZE: usize = 3_000_017;

struct Sample {
    directory: Directory,
    bytes: Vec<u8>,
}

fn sample() -> Sample {
    let directory = directory();
    let bytes: Vec<u8> = (0..SIZE as u32).map(|index| (index ^ (index >> 9)) as u8).collect();
    std::fs::write(directory.join("sample"), &bytes).unwrap();
    Sample { directory, bytes }
}

impl Sample {
    fn open(&self) -> File {
        File::open(self.directory.join("sample")).unwrap()
    }
}

/// Takes in all that comes until the end.
fn receive(socket: Socket) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        (&socket).read_to_end(&mut all).unwrap();
        all
    })
}

/// `testRegularFile`, `testOffset`, `testCount`, `testCountSmall`, `testCountWithOffset`,
/// `testWithTimeout`
#[test]
fn what_was_asked_for_arrives_and_the_position_follows() {
    let _watchdog = watchdog(PATIENCE);
    let sample = sample();
    let cases = [
        (0, None, SIZE),
        (5_000, None, SIZE - 5_000),
        (0, Some(1_000_003), 1_000_003),
        (0, Some(1), 1),
        (10_007, Some(2_000_003), 2_000_003),
        (SIZE - 10, Some(1_000), 10),
        (SIZE, None, 0),
        (SIZE + 10, Some(1), 0),
    ];
    for pair in [tcp_pair, unix_pair] {
        for limit in [None, Some(PATIENCE)] {
            for (offset, count, sent) in cases {
                let (left, right) = pair();
                left.set_timeout(limit).unwrap();
                let receiving = receive(right);
                let mut file = sample.open();
                let answer = left.sendfile(&file, offset as u64, count).unwrap();
                drop(left);
                assert_eq!(answer, sent as u64);
                assert_eq!(file.stream_position().unwrap(), (offset + sent) as u64);
                let end = (offset + sent).min(SIZE).max(offset);
                assert!(receiving.join().unwrap() == sample.bytes.get(offset..end).unwrap_or(&[]));
            }
        }
    }
}

/// `testEmptyFileSend`
#[test]
fn an_empty_file_sends_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let mut file = File::create_new(directory.join("empty")).unwrap();
    let (left, right) = tcp_pair();
    assert_eq!(left.sendfile(&file, 0, None).unwrap(), 0);
    assert_eq!(file.stream_position().unwrap(), 0);
    drop(left);
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 0);
}

/// `testNonRegularFile`, and all of `SendfileUsingSendTest`: what the kernel does not take.
#[test]
fn a_file_that_the_kernel_does_not_take_is_read_and_sent() {
    let _watchdog = watchdog(PATIENCE);
    let bytes: Vec<u8> = (0..300_000_u32).map(|index| (index >> 7) as u8).collect();
    for limit in [None, Some(PATIENCE)] {
        let (reader, mut writer): (PipeReader, _) = std::io::pipe().unwrap();
        let file = File::from(OwnedFd::from(reader));
        let writing = std::thread::spawn({
            let bytes = bytes.clone();
            move || writer.write_all(&bytes)
        });
        let (left, right) = tcp_pair();
        left.set_timeout(limit).unwrap();
        let receiving = receive(right);
        assert_eq!(left.sendfile(&file, 0, Some(100_000)).unwrap(), 100_000);
        assert_eq!(left.sendfile(&file, 0, None).unwrap(), 200_000);
        drop(left);
        assert!(receiving.join().unwrap() == bytes);
        writing.join().unwrap().unwrap();
        let (left, _right) = tcp_pair();
        assert_eq!(left.sendfile(&file, 1, None).unwrap_err().raw_os_error(), Some(29)); // ESPIPE
    }
}

/// A file without a size has contents all the same.
#[test]
fn a_file_of_the_kernels_is_sent_as_it_reads() {
    let _watchdog = watchdog(PATIENCE);
    let file = File::open("/proc/version").unwrap();
    let (left, right) = unix_pair();
    let receiving = receive(right);
    left.sendfile(&file, 6, None).unwrap();
    drop(left);
    let whole = std::fs::read("/proc/version").unwrap();
    assert_eq!(receiving.join().unwrap(), whole[6..]);
}

/// `testWithTimeoutTriggeredSend`: the whole has one limit, and the position says how far it came.
#[test]
fn a_peer_that_does_not_read_ends_it_and_the_position_tells_how_far() {
    let _watchdog = watchdog(PATIENCE);
    let sample = sample();
    let limit = Duration::from_millis(100);
    for (left, right) in [tcp_pair(), unix_pair()] {
        left.set_so_sndbuf(65_536).unwrap();
        right.set_so_rcvbuf(65_536).unwrap();
        left.set_timeout(Some(limit)).unwrap();
        let mut file = sample.open();
        let start = Instant::now();
        assert_eq!(left.sendfile(&file, 7, None).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= limit);
        let sent = file.stream_position().unwrap() as usize;
        drop(left);
        let mut all = Vec::new();
        (&right).read_to_end(&mut all).unwrap();
        assert!(all == sample.bytes[7..sent], "sent {sent}, received {}", all.len() + 7);
    }
}

/// A peer that takes a little now and then does not prolong it.
#[test]
fn a_trickle_does_not_outlive_the_limit() {
    let _watchdog = watchdog(PATIENCE);
    let sample = sample();
    let (left, right) = unix_pair();
    left.set_timeout(Some(Duration::from_millis(80))).unwrap();
    // It ends when the sender is gone, and would never drain the file within a second.
    let trickle = std::thread::spawn(move || {
        let mut buffer = [0; 400];
        while right.recv(&mut buffer).is_ok_and(|count| count > 0) {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let file = sample.open();
    assert_eq!(left.sendfile(&file, 0, None).unwrap_err().kind(), ErrorKind::TimedOut);
    drop(left);
    trickle.join().unwrap();
}

/// `testNonBlocking`, `test_errors`
#[test]
fn what_makes_no_sense_is_refused() {
    let sample = sample();
    let mut file = sample.open();
    file.seek(SeekFrom::Start(11)).unwrap();
    let invalid = |answer: std::io::Result<u64>| {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::InvalidInput);
    };
    let (left, right) = tcp_pair();
    invalid(left.sendfile(&file, 0, Some(0)));
    left.set_blocking(false).unwrap();
    invalid(left.sendfile(&file, 0, None));
    let (datagram, _other) = Socket::pair(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
    invalid(datagram.sendfile(&file, 0, None));
    assert_eq!(file.stream_position().unwrap(), 11, "nothing was done");

    left.set_blocking(true).unwrap();
    drop(right);
    let error = loop {
        if let Err(error) = left.sendfile(&file, 0, None) {
            break error;
        }
    };
    assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
    let write_only = File::create(sample.directory.join("write only")).unwrap();
    write_only.set_len(10).unwrap();
    let (left, _right) = tcp_pair();
    assert_eq!(left.sendfile(&write_only, 0, None).unwrap_err().raw_os_error(), Some(9)); // EBADF
}
