//! Descriptors arrive with a message, work, are closed on exec, and are closed if nobody takes
//! them, however the message was cut.
//!
//! Promises of CPython's `RecvmsgSCMRightsStreamTest`, `RecvmsgIntoSCMRightsStreamTest` and
//! `SendRecvFdsTests`.

mod support;

use std::fs::File;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket::{
    Ancillary, ControlBuffer, Family, Flags, Outgoing, RecvBatch, SockAddr, Socket, Type, UnixAddr,
    cmsg_len, cmsg_space,
};
use support::{Watchdog, watchdog};

/// Counting descriptors is only good while nothing else opens any: one test at a time.
fn alone() -> (Watchdog, MutexGuard<'static, ()>) {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    (watchdog(Duration::from_secs(20)), guard)
}

/// How many descriptors this process has open on pipes: the tests send nothing else.
fn open_pipes() -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
        // The directory's own descriptor is gone by the time it is looked at.
        std::fs::read_link(entry.unwrap().path()).ok()
    });
    links.filter(|link| link.to_string_lossy().starts_with("pipe:")).count()
}

fn pair(kind: Type) -> (Socket, Socket) {
    Socket::pair(Family::UNIX, kind, Default::default()).unwrap()
}

/// Pipes, each holding its number, to be told apart after they have been passed.
fn numbered(count: u8) -> Vec<OwnedFd> {
    let pipe = |number: u8| {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[number]).unwrap();
        OwnedFd::from(reader)
    };
    (0..count).map(pipe).collect()
}

fn borrow(fds: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    fds.iter().map(AsFd::as_fd).collect()
}

/// The numbers in the pipes, in the order in which they are given. Each must close on exec.
fn numbers(fds: Vec<OwnedFd>) -> Vec<u8> {
    let number = |fd: OwnedFd| {
        let info = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
        let info = std::fs::read_to_string(info).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
        assert_ne!(flags & libc::O_CLOEXEC, 0, "not closed on exec");
        let mut number = [0];
        File::from(fd).read_exact(&mut number).unwrap();
        number[0]
    };
    fds.into_iter().map(number).collect()
}

fn send(socket: &Socket, ancillary: &[Ancillary<'_>]) -> std::io::Result<usize> {
    socket.send_msg(&[IoSlice::new(b"x")], ancillary, Flags::NONE, None)
}

fn receive(socket: &Socket, control: &mut ControlBuffer, flags: Flags) -> Flags {
    let mut buffer = [0; 16];
    let buffers = &mut [IoSliceMut::new(&mut buffer)];
    let received = socket.recv_msg(buffers, control, flags).unwrap();
    assert_eq!(received.count, 1);
    received.flags
}

#[test]
fn descriptors_arrive_in_order_and_work() {
    let _alone = alone();
    let before = open_pipes();
    for kind in [Type::STREAM, Type::DGRAM, Type::SEQPACKET] {
        for count in [1, 2, 10, 253] {
            let (left, right) = pair(kind);
            let fds = numbered(count);
            send(&left, &[Ancillary::Rights(&borrow(&fds))]).unwrap();
            drop(fds);
            let mut control = ControlBuffer::with_capacity(2048);
            assert_eq!(receive(&right, &mut control, Flags::NONE), Flags::NONE);
            let shown = control.messages().collect::<Vec<_>>();
            let [Ancillary::Rights(shown)] = shown[..] else { panic!("{shown:?}") };
            assert_eq!(shown.len(), usize::from(count));
            assert_eq!(numbers(control.take_fds()), (0..count).collect::<Vec<_>>());
        }
    }
    assert_eq!(open_pipes(), before);
}

#[test]
fn descriptors_in_several_pieces_all_arrive() {
    let _alone = alone();
    let (left, right) = pair(Type::STREAM);
    let fds = numbered(3);
    let fds = borrow(&fds);
    send(&left, &[Ancillary::Rights(&fds[..1]), Ancillary::Rights(&fds[1..])]).unwrap();
    let mut control = ControlBuffer::with_capacity(ControlBuffer::DEFAULT);
    assert_eq!(receive(&right, &mut control, Flags::NONE), Flags::NONE);
    assert_eq!(numbers(control.take_fds()), [0, 1, 2]);
    assert!(control.take_fds().is_empty());
}

#[test]
fn no_descriptors_are_no_ancillary_data() {
    let _alone = alone();
    let (left, right) = pair(Type::STREAM);
    send(&left, &[Ancillary::Rights(&[])]).unwrap();
    let mut control = ControlBuffer::with_capacity(ControlBuffer::DEFAULT);
    assert_eq!(receive(&right, &mut control, Flags::NONE), Flags::NONE);
    assert_eq!(control.messages().count(), 0);
}

#[test]
fn more_than_the_kernel_takes_and_bytes_in_place_of_descriptors_are_refused() {
    let _alone = alone();
    let (left, right) = pair(Type::STREAM);
    let pipe = numbered(1);
    let error = send(&left, &[Ancillary::Rights(&[pipe[0].as_fd(); 254])]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    let bytes = pipe[0].as_raw_fd().to_ne_bytes();
    for bytes in [&bytes[..], &bytes[..2], &[]] {
        let raw = Ancillary::Raw { level: libc::SOL_SOCKET, kind: libc::SCM_RIGHTS, bytes };
        assert_eq!(send(&left, &[raw]).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let error = right.recv_with(&mut [0], Flags::DONTWAIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "something was sent");
}

#[test]
fn room_of_any_size_takes_what_fits_and_the_rest_is_closed() {
    let _alone = alone();
    let before = open_pipes();
    let (left, right) = pair(Type::STREAM);
    for size in 0..=cmsg_space(4 * 5).unwrap() {
        let fds = numbered(4);
        send(&left, &[Ancillary::Rights(&borrow(&fds))]).unwrap();
        drop(fds);
        let mut control = ControlBuffer::with_capacity(size);
        let flags = receive(&right, &mut control, Flags::NONE);
        let fit = (size.saturating_sub(cmsg_len(0).unwrap()) / 4).min(4);
        let cut = flags.contains(Flags::CTRUNC);
        assert_eq!(cut, fit < 4, "with {size} bytes");
        let arrived = numbers(control.take_fds());
        assert_eq!(arrived, (0..fit as u8).collect::<Vec<_>>(), "with {size} bytes");
        assert_eq!(open_pipes(), before, "with {size} bytes");
    }
}

#[test]
fn what_nobody_takes_is_closed() {
    let _alone = alone();
    let before = open_pipes();
    let (left, right) = pair(Type::DGRAM);
    let mut control = ControlBuffer::with_capacity(ControlBuffer::DEFAULT);
    let one_more = || send(&left, &[Ancillary::Rights(&borrow(&numbered(3)))]).unwrap();

    one_more();
    receive(&right, &mut control, Flags::NONE);
    assert_eq!(open_pipes(), before + 3);
    control.clear();
    assert_eq!((open_pipes(), control.messages().count()), (before, 0), "after clear");

    one_more();
    receive(&right, &mut control, Flags::NONE);
    send(&left, &[]).unwrap();
    receive(&right, &mut control, Flags::NONE);
    assert_eq!(open_pipes(), before, "after the next message");

    one_more();
    receive(&right, &mut control, Flags::NONE);
    let buffers = &mut [IoSliceMut::new(&mut [])];
    right.recv_msg(buffers, &mut control, Flags::DONTWAIT).unwrap_err();
    assert_eq!(open_pipes(), before, "after a receive that failed");

    one_more();
    receive(&right, &mut control, Flags::NONE);
    drop(control);
    assert_eq!(open_pipes(), before, "with the buffer");

    one_more();
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 1);
    assert_eq!(open_pipes(), before, "received by a call that has no room for them");
}

#[test]
fn looking_at_a_message_gives_descriptors_of_its_own_each_time() {
    let _alone = alone();
    let before = open_pipes();
    let (left, right) = pair(Type::STREAM);
    let sent = numbered(1);
    send(&left, &[Ancillary::Rights(&borrow(&sent))]).unwrap();
    let inode = |fd: OwnedFd| File::from(fd).metadata().unwrap().ino();
    let mut control = ControlBuffer::with_capacity(ControlBuffer::DEFAULT);
    for flags in [Flags::PEEK, Flags::PEEK, Flags::NONE] {
        assert_eq!(receive(&right, &mut control, flags), Flags::NONE);
        assert_eq!(open_pipes(), before + 2);
        let fd = control.take_fds().remove(0);
        assert_eq!(inode(fd), inode(sent[0].try_clone().unwrap()));
    }
    drop(sent);
    assert_eq!(open_pipes(), before);
}

#[test]
fn descriptors_taken_are_no_longer_shown() {
    let _alone = alone();
    let (left, right) = pair(Type::STREAM);
    send(&left, &[Ancillary::Rights(&borrow(&numbered(2)))]).unwrap();
    let mut control = ControlBuffer::with_capacity(ControlBuffer::DEFAULT);
    receive(&right, &mut control, Flags::NONE);
    let taken = control.take_fds();
    assert!(matches!(control.messages().next(), Some(Ancillary::Rights([]))));
    drop(control);
    assert_eq!(numbers(taken), [0, 1]);
}

#[test]
fn batches_own_what_they_receive() {
    let _alone = alone();
    let before = open_pipes();
    let (left, right) = pair(Type::DGRAM);
    let mut batch = RecvBatch::new(4, 16, ControlBuffer::DEFAULT);
    for round in 0..3 {
        let fds = numbered(3);
        let fds = borrow(&fds);
        let rights: Vec<_> = fds.chunks(1).map(|fds| [Ancillary::Rights(fds)]).collect();
        let bytes = [IoSlice::new(b"x")];
        let messages: Vec<_> = rights
            .iter()
            .map(|rights| Outgoing { buffers: &bytes, ancillary: rights, to: None })
            .collect();
        assert_eq!(left.send_mmsg(&messages, Flags::NONE).unwrap(), 3);
        drop(messages);
        drop(rights);
        assert_eq!(right.recv_mmsg(&mut batch, Flags::NONE).unwrap(), 3);
        let taken = batch.control(1).unwrap().take_fds();
        assert_eq!(numbers(taken), [1], "in round {round}");
        assert!(batch.control(3).is_none());
    }
    assert_eq!(open_pipes(), before + 2, "those of the last round that were not taken");
    right.recv_mmsg(&mut batch, Flags::DONTWAIT).unwrap_err();
    assert_eq!((open_pipes(), batch.len()), (before, 0));
}

#[test]
fn send_fds_and_recv_fds_honour_flags_address_and_number() {
    let _alone = alone();
    let before = open_pipes();
    let bound = || {
        let socket = Socket::new(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
        socket.bind(&SockAddr::Unix(UnixAddr::Unnamed)).unwrap();
        socket
    };
    let (left, right) = (bound(), bound());
    let (from, to) = (left.getsockname().unwrap(), right.getsockname().unwrap());
    let fds = numbered(3);
    let parts = [IoSlice::new(b"ta"), IoSlice::new(b"ke")];
    assert_eq!(left.send_fds(&parts, &borrow(&fds), Flags::DONTWAIT, Some(&to)).unwrap(), 4);
    drop(fds);

    let mut buffer = [0; 2];
    let (count, fds, flags, address) = right.recv_fds(&mut buffer, 2, Flags::PEEK).unwrap();
    assert_eq!((count, &buffer, flags), (2, b"ta", Flags::TRUNC | Flags::CTRUNC));
    assert_eq!((fds.len(), address), (2, Some(from.clone())));
    drop(fds);
    let (count, fds, flags, address) = right.recv_fds(&mut [0; 8], 3, Flags::NONE).unwrap();
    assert_eq!((count, flags, address), (4, Flags::NONE, Some(from)));
    assert_eq!(numbers(fds), [0, 1, 2]);
    assert_eq!(open_pipes(), before);

    let error = right.recv_fds(&mut [0; 8], usize::MAX, Flags::DONTWAIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    send(&left, &[]).unwrap_err();
}

#[test]
fn credentials_beside_them_take_no_descriptor_away() {
    let _alone = alone();
    let (left, right) = pair(Type::STREAM);
    right.setsockopt(libc::SOL_SOCKET, libc::SO_PASSCRED, &1_i32.to_ne_bytes()).unwrap();
    let fds = numbered(2);
    left.send_fds(&[IoSlice::new(b"x")], &borrow(&fds), Flags::NONE, None).unwrap();
    let (_, fds, flags, _) = right.recv_fds(&mut [0; 8], 2, Flags::NONE).unwrap();
    assert_eq!((numbers(fds), flags), (vec![0, 1], Flags::NONE));
}

#[test]
fn a_passed_file_keeps_its_position() {
    let _alone = alone();
    let path = std::env::temp_dir().join(format!("switchboard-fds-{}", std::process::id()));
    let mut file = File::options().create_new(true).read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(b"hello").unwrap();
    file.seek(std::io::SeekFrom::Start(1)).unwrap();
    let (left, right) = pair(Type::STREAM);
    left.send_fds(&[IoSlice::new(b"x")], &[file.as_fd()], Flags::NONE, None).unwrap();
    let (_, mut fds, _, _) = right.recv_fds(&mut [0; 8], 1, Flags::NONE).unwrap();
    let mut text = String::new();
    File::from(fds.remove(0)).read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), file.stream_position().unwrap()), ("ello", 5));
}
