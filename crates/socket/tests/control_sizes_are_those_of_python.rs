//! The sizes of ancillary data are what Python says for any length, and none is one too large.
//! CPython: `CmsgMacroTests`, and what it asks of both: a length fits its space, and spaces grow.

#[path = "support/oracle.rs"]
mod oracle;

use oracle::{PATIENCE, python, watchdog};
use socket::{cmsg_len, cmsg_space};

/// `testCMSG_LEN`, `testCMSG_SPACE`
#[test]
#[cfg_attr(not(target_env = "gnu"), ignore = "another libc than Python's answers otherwise")]
fn every_size_is_pythons() {
    let _watchdog = watchdog(PATIENCE);
    let lengths: Vec<usize> = (0..300).chain([1 << 16, (1 << 16) + 3, (1 << 20) - 16]).collect();
    let script = "import socket, sys\n\
        for line in sys.stdin:\n\
        \x20   print(socket.CMSG_LEN(int(line)), socket.CMSG_SPACE(int(line)))";
    let lines: Vec<String> = lengths.iter().map(ToString::to_string).collect();
    let Some(answers) = python(script, &lines) else { return };
    assert_eq!(answers.len(), lengths.len());
    for (length, answer) in lengths.iter().zip(answers) {
        let ours = (cmsg_len(*length).unwrap(), cmsg_space(*length).unwrap());
        assert_eq!(format!("{} {}", ours.0, ours.1), answer, "of {length}");
    }
}

#[test]
fn a_length_fits_its_space_and_spaces_grow() {
    let mut before = 0;
    for length in 0..1000 {
        let (whole, space) = (cmsg_len(length).unwrap(), cmsg_space(length).unwrap());
        assert!(whole >= length && space >= whole && space >= before, "of {length}");
        before = space;
    }
    for length in [usize::MAX, usize::MAX / 2, i64::MAX as usize] {
        assert_eq!((cmsg_len(length), cmsg_space(length)), (None, None), "of {length}");
    }
}
