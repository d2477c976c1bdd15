//! The name of this machine: `gethostname(2)`, `sethostname(2)`.

use std::io;

use super::check;

/// `gethostname(2)`: the bytes before the NUL.
pub(crate) fn gethostname() -> io::Result<Vec<u8>> {
    // Linux allows 64 bytes (`HOST_NAME_MAX`); POSIX at most 255.
    let mut room = [0_u8; 256];
    // SAFETY: libc writes at most the given count of bytes into the array.
    check(unsafe { libc::gethostname(room.as_mut_ptr().cast(), room.len()) })?;
    let end = room.iter().position(|byte| *byte == 0).unwrap_or(room.len());
    Ok(room[..end].to_vec())
}

/// `sethostname(2)`.
pub(crate) fn sethostname(name: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as the slice has.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })?;
    Ok(())
}
