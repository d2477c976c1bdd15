//! `getsockopt(2)` and `setsockopt(2)` over bytes.
//!
//! What the bytes mean is `options/encoding.rs`; here is only the crossing. A few options are not
//! bytes: the kernel counts their answer in other units, or the value holds an address that the
//! kernel *writes* to. Through these two functions, which safe code may call with any number and
//! any bytes, such an option would be a way to overwrite memory. Those are [refused](REFUSED); the
//! ones that are worth having have a function of their own below.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::check;
use crate::options::{SockFilter, constants};

/// Reads an option into `room` and answers the part of it that the kernel filled. Some options
/// take a question from `room` first.
///
/// # Errors
/// `Unsupported` for an option that is not bytes, see the head of this file.
pub(crate) fn getsockopt<'a>(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    room: &'a mut [u8],
) -> io::Result<&'a [u8]> {
    refuse(Call::Get, level, name)?;
    if (level, name) == (libc::SOL_SOCKET, constants::SO_GET_FILTER) {
        return getsockopt_filter(fd, room);
    }
    let mut length = room.len() as libc::socklen_t;
    let value = room.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `length` bytes, which is the size of the slice, and
    // stores in `length` how many it wrote; both outlive the call. The options of which that is
    // not true were refused above.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, value, &raw mut length) })?;
    Ok(&room[..(length as usize).min(room.len())])
}

/// Sets an option from `bytes`.
///
/// # Errors
/// `Unsupported` for an option that is not bytes, see the head of this file.
pub(crate) fn setsockopt(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    bytes: &[u8],
) -> io::Result<()> {
    refuse(Call::Set, level, name)?;
    let (value, length) = (bytes.as_ptr().cast(), bytes.len() as libc::socklen_t);
    // SAFETY: the kernel reads at most `length` bytes of the slice, and writes nothing: the
    // options of which that is not true were refused above.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value, length) })?;
    Ok(())
}

/// Reads the attached packet filter as bytes. The kernel counts this answer in instructions.
fn getsockopt_filter<'a>(fd: BorrowedFd<'_>, room: &'a mut [u8]) -> io::Result<&'a [u8]> {
    const EACH: usize = size_of::<libc::sock_filter>();
    let (level, name) = (libc::SOL_SOCKET, constants::SO_GET_FILTER);
    let mut count = (room.len() / EACH) as libc::socklen_t;
    if count == 0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let value = room.as_mut_ptr().cast();
    // SAFETY: for this option the kernel writes at most `count` instructions, which fit in the
    // slice, and stores in `count` how many it wrote.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, value, &raw mut count) })?;
    Ok(&room[..(count as usize * EACH).min(room.len())])
}

/// Reads a multicast source filter into `room`, whose front holds the question and, at `count_at`,
/// how many sources of `source_size` bytes there is room for behind its first `head` bytes.
///
/// The kernel believes that count and not the length, so it is written here, from the length.
pub(crate) fn getsockopt_sources<'a>(
    fd: BorrowedFd<'_>,
    (level, name): (i32, i32),
    room: &'a mut [u8],
    (head, count_at, source_size): (usize, usize, usize),
) -> io::Result<&'a [u8]> {
    let fits = (room.len().saturating_sub(head) / source_size) as u32;
    room.get_mut(count_at..count_at + 4)
        .ok_or(io::ErrorKind::InvalidInput)?
        .copy_from_slice(&fits.to_ne_bytes());
    let mut length = room.len() as libc::socklen_t;
    let value = room.as_mut_ptr().cast();
    // SAFETY: the kernel writes the head and at most as many sources as it read at `count_at`,
    // which was just set to what fits in the slice.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, value, &raw mut length) })?;
    Ok(&room[..(length as usize).min(room.len())])
}

/// Reads an option whose value is a new descriptor.
pub(crate) fn getsockopt_fd(fd: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<OwnedFd> {
    let mut number: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let value = (&raw mut number).cast();
    // SAFETY: the kernel writes at most `length` bytes, the size of `number`.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, value, &raw mut length) })?;
    if number < 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // SAFETY: the callers name options by which the kernel opens a descriptor for the caller, who
    // is its only owner.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Sets an option whose value is a classic BPF program, `struct sock_fprog`.
///
/// # Errors
/// `InvalidInput` for more instructions than the structure can count.
pub(crate) fn setsockopt_program(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    program: &[SockFilter],
) -> io::Result<()> {
    let len = program.len().try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    // The kernel takes a pointer to mutable instructions and only reads them.
    let filter = program.as_ptr().cast::<libc::sock_filter>().cast_mut();
    let description = libc::sock_fprog { len, filter };
    let length = size_of::<libc::sock_fprog>() as libc::socklen_t;
    let value = (&raw const description).cast();
    // SAFETY: the kernel reads one `sock_fprog` and through it `len` instructions, which is the
    // length of the slice; `SockFilter` has the layout of `sock_filter`. It copies both.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value, length) })?;
    Ok(())
}

/// Sets an option and lets the kernel write its answer back into the same bytes.
pub(crate) fn setsockopt_answered(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    bytes: &mut [u8],
) -> io::Result<()> {
    let (value, length) = (bytes.as_mut_ptr().cast(), bytes.len() as libc::socklen_t);
    // SAFETY: the kernel reads and writes at most `length` bytes, the size of the slice.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value, length) })?;
    Ok(())
}

const _: () = {
    assert!(size_of::<SockFilter>() == size_of::<libc::sock_filter>());
    assert!(align_of::<SockFilter>() == align_of::<libc::sock_filter>());
};

/// Which of the two calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Get,
    Set,
}

/// Refuses an option that is not bytes.
fn refuse(call: Call, level: i32, name: i32) -> io::Result<()> {
    match REFUSED.contains(&(call, level, name)) {
        true => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this socket option holds memory addresses or counts, and cannot be used as bytes",
        )),
        false => Ok(()),
    }
}

/// Options by which the kernel writes outside the bytes it was given, or into bytes it was only
/// given to read. Sources: the kernel's own handlers, named at each.
const REFUSED: &[(Call, i32, i32)] = &[
    // The value holds addresses that data is copied or mapped to. tcp_zerocopy_receive().
    (Call::Get, libc::IPPROTO_TCP, libc::TCP_ZEROCOPY_RECEIVE),
    // Writes as many keys as the question says, whatever the length. tcp_ao_copy_mkts_to_user().
    (Call::Get, libc::IPPROTO_TCP, constants::TCP_AO_GET_KEYS),
    // The value holds the addresses of two arrays. mptcp_getsockopt_full_info().
    (Call::Get, constants::SOL_MPTCP, constants::MPTCP_FULL_INFO),
    // Write as many sources as the question says. ip_mc_msfget(), ip_mc_gsfget(), ip6_mc_msfget().
    (Call::Get, libc::IPPROTO_IP, constants::IP_MSFILTER),
    (Call::Get, libc::IPPROTO_IP, constants::MCAST_MSFILTER),
    (Call::Get, libc::IPPROTO_IPV6, constants::MCAST_MSFILTER),
    // Writes the label it chose into the value being set. ipv6_flowlabel_get().
    (Call::Set, libc::IPPROTO_IPV6, libc::IPV6_FLOWLABEL_MGR),
    // Tables of packet filters, with addresses that counters and entries are copied to.
    // do_replace() in ip_tables.c, ip6_tables.c, arp_tables.c and ebtables.c; do_ebt_get_ctl().
    (Call::Set, libc::IPPROTO_IP, constants::IPT_SO_SET_REPLACE),
    (Call::Set, libc::IPPROTO_IPV6, constants::IPT_SO_SET_REPLACE),
    (Call::Set, libc::IPPROTO_IP, constants::ARPT_SO_SET_REPLACE),
    (Call::Set, libc::IPPROTO_IP, constants::EBT_SO_SET_ENTRIES),
    (Call::Get, libc::IPPROTO_IP, constants::EBT_SO_GET_ENTRIES),
    (Call::Get, libc::IPPROTO_IP, constants::EBT_SO_GET_INIT_ENTRIES),
    // Give memory to the network card, or to a peer. xdp_setsockopt(), rds_get_mr().
    (Call::Set, libc::SOL_XDP, libc::XDP_UMEM_REG),
    (Call::Set, constants::SOL_RDS, constants::RDS_GET_MR),
    (Call::Set, constants::SOL_RDS, constants::RDS_GET_MR_FOR_DEST),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_filter_longer_than_the_room_is_not_written_past_it() {
        let socket = super::super::call::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap();
        let accept = SockFilter { code: 6, jt: 0, jf: 0, k: u32::MAX };
        let name = libc::SO_ATTACH_FILTER;
        setsockopt_program(socket.as_fd(), libc::SOL_SOCKET, name, &[accept; 4]).unwrap();

        let mut room = [0xA5_u8; 64];
        let small = getsockopt(socket.as_fd(), libc::SOL_SOCKET, name, &mut room[..31]);
        assert_eq!(small.unwrap_err().raw_os_error(), Some(libc::EINVAL));
        assert_eq!(room, [0xA5; 64], "nothing was written");

        let answer = getsockopt(socket.as_fd(), libc::SOL_SOCKET, name, &mut room).unwrap();
        assert_eq!(answer.len(), 4 * size_of::<SockFilter>());
        assert_eq!(room[32..], [0xA5; 32], "nothing was written behind the four instructions");
    }

    #[test]
    fn options_that_write_elsewhere_are_refused_before_the_kernel_sees_them() {
        let socket = super::super::call::socket(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
        for &(call, level, name) in REFUSED {
            let answer = match call {
                Call::Get => getsockopt(socket.as_fd(), level, name, &mut [0; 64]).map(drop),
                Call::Set => setsockopt(socket.as_fd(), level, name, &[0; 64]),
            };
            let kind = answer.map_err(|error| error.kind());
            assert_eq!(kind, Err(io::ErrorKind::Unsupported), "level {level}, option {name}");
        }
    }
}
