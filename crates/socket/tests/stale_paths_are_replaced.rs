//! A path that a dead server left behind is taken over, one that is alive never is, and what is
//! not a socket is not touched.

mod support;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::Path;

use socket::{
    Family, Socket, Type, UnixDatagram, UnixListener, UnixSeqpacketListener, UnixStream, errors,
};
use support::{PATIENCE, directory, watchdog};

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

fn in_use<T: std::fmt::Debug>(answer: std::io::Result<T>) -> String {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    error.to_string()
}

/// A path whose server of some type is gone.
fn leave_behind(path: &Path, kind: Type) {
    let socket = Socket::new(Family::UNIX, kind, Default::default()).unwrap();
    socket.bind(&path.into()).unwrap();
    drop(socket);
    assert!(is_socket(path));
}

#[test]
fn what_a_dead_server_left_is_taken_over() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("left");
    for kind in [Type::STREAM, Type::DGRAM, Type::SEQPACKET] {
        leave_behind(&path, kind);
        let server = UnixListener::bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        server.accept().unwrap();
        drop(server);
        UnixDatagram::bind(&path).unwrap();
        UnixSeqpacketListener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_living_one_is_in_use_and_does_not_hear_of_it() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("alive");
    for kind in [Type::STREAM, Type::DGRAM, Type::SEQPACKET] {
        let alive = Socket::new(Family::UNIX, kind, Default::default()).unwrap();
        alive.bind(&path.as_path().into()).unwrap();
        in_use(UnixListener::bind(&path)); // bound, and does not listen yet
        if kind != Type::DGRAM {
            alive.listen(1).unwrap();
        }
        let text = in_use(UnixListener::bind(&path));
        assert!(text.starts_with(&format!("bind {}: ", path.display())), "{text}");
        in_use(UnixDatagram::bind(&path));
        alive.set_blocking(false).unwrap();
        let heard = match kind {
            Type::DGRAM => alive.recv(&mut [0; 1]).map(drop),
            _ => alive.accept().map(drop),
        };
        assert_eq!(heard.unwrap_err().kind(), ErrorKind::WouldBlock);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_living_one_with_a_full_queue_is_in_use() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("busy");
    let alive = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    alive.bind_path(&path).unwrap();
    alive.listen(0).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    in_use(UnixListener::bind(&path));
}

#[test]
fn a_file_that_is_not_a_socket_is_never_touched() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let file = directory.join("file");
    fs::write(&file, "precious").unwrap();
    assert!(in_use(UnixListener::bind(&file)).contains("not a socket"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");

    let stale = directory.join("stale");
    leave_behind(&stale, Type::STREAM);
    let link = directory.join("link");
    symlink(&stale, &link).unwrap();
    in_use(UnixListener::bind(&link));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && is_socket(&stale));

    let folder = directory.join("folder");
    fs::create_dir(&folder).unwrap();
    in_use(UnixListener::bind(&folder));
    assert!(folder.is_dir());
}

#[test]
fn a_missing_directory_is_said() {
    let directory = directory();
    let error = UnixListener::bind(directory.join("no/such")).unwrap_err();
    assert_eq!((error.kind(), errors::errno(&error)), (ErrorKind::NotFound, Some(2)));
}

#[test]
fn the_path_goes_with_the_listener_only_if_asked() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("asked");
    drop(UnixListener::bind(&path).unwrap());
    assert!(is_socket(&path), "it stays unless asked");
    for asked in [true, false] {
        let mut server = UnixListener::bind(&path).unwrap();
        server.set_unlink_on_drop(asked);
        drop(server);
        assert_eq!(is_socket(&path), !asked);
    }
    let mut server = UnixDatagram::bind(&path).unwrap();
    server.set_unlink_on_drop(true);
    let socket = Socket::from(server);
    assert!(is_socket(&path), "a socket that lives on keeps its path");
    drop(socket);
}

#[test]
fn only_the_path_that_was_bound_is_removed() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("moved");
    let mut old = UnixListener::bind(&path).unwrap();
    old.set_unlink_on_drop(true);
    fs::remove_file(&path).unwrap();
    let new = UnixListener::bind(&path).unwrap();
    let inode = fs::symlink_metadata(&path).unwrap().ino();
    drop(old);
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), inode, "the other's path is gone");
    UnixStream::connect(&path).unwrap();
    new.accept().unwrap();

    let file = directory.join("file");
    let mut gone = UnixListener::bind(&file).unwrap();
    gone.set_unlink_on_drop(true);
    fs::remove_file(&file).unwrap();
    fs::write(&file, "precious").unwrap();
    drop(gone);
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn a_relative_path_is_removed_from_where_it_was_made() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let whole = directory.join("relative");
    // As long as `..` leads from here to the root, this is a relative path to the same place.
    let depth = std::env::current_dir().unwrap().components().count() - 1;
    let relative = Path::new(&"../".repeat(depth)).join(whole.strip_prefix("/").unwrap());
    let socket = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    let bound = socket.bind_path(&relative).unwrap();
    assert!(bound.path().is_absolute() && is_socket(&whole));
    assert!(bound.unlink().unwrap());
    assert!(!whole.exists());
}

/// Many at once on one stale path: exactly one gets it, each time.
#[test]
fn of_many_who_want_it_one_gets_it_and_keeps_it() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("wanted");
    for _ in 0..50 {
        leave_behind(&path, Type::STREAM);
        let barrier = std::sync::Barrier::new(8);
        let winners: Vec<UnixListener> = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        UnixListener::bind(&path)
                    })
                })
                .collect();
            let answers = runs.into_iter().map(|run| run.join().unwrap());
            answers
                .filter_map(|answer| answer.map_err(|error| in_use::<()>(Err(error))).ok())
                .collect()
        });
        assert_eq!(winners.len(), 1);
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"x").unwrap();
        let mut served = winners[0].accept().unwrap().0;
        served.read_exact(&mut [0; 1]).unwrap();
        drop(winners);
        fs::remove_file(&path).unwrap();
    }
}
