//! `SOL_SOCKET`, those that put programs into the kernel: packet filters. `socket(7)`, `bpf(2)`.

use std::os::fd::BorrowedFd;

use super::{SockFilter, options};

options! {
    ROWS = level SOL_SOCKET on AF_INET SOCK_DGRAM;

    /// Attaches a packet filter, a classic BPF program, in place of the one before: it says how
    /// much of each packet to keep, zero bytes dropping it. At most 4096 instructions.
    / set_so_attach_filter(&[SockFilter]): Vec<SockFilter> as Program
        = SO_ATTACH_FILTER { tested "options_do_what_they_say.rs" };

    /// The packet filter attached; empty for none. Programs of `set_so_attach_bpf` cannot be read.
    so_get_filter: Vec<SockFilter> as Program = SO_GET_FILTER { reads vec![] };

    /// Takes the packet filter off. `ENOENT` where there is none.
    / so_detach_filter(): () = SO_DETACH_FILTER { tested "options_do_what_they_say.rs" };

    /// Whether the packet filter can no longer be changed or taken off. Cannot be undone.
    so_lock_filter / set_so_lock_filter: bool = SO_LOCK_FILTER { sample true, default false };

    /// Attaches an extended BPF program of the type socket filter, by its descriptor.
    / set_so_attach_bpf(BorrowedFd<'_>): BorrowedFd<'_> as Descriptor = SO_ATTACH_BPF {
        untried "needs a program loaded by bpf(2), which is not this crate's" };

    /// Attaches a classic BPF program to a group of sockets that share a port
    /// ([`so_reuseport`](crate::Socket::so_reuseport)): its answer is the index of the socket that
    /// gets the packet.
    / set_so_attach_reuseport_cbpf(&[SockFilter]): Vec<SockFilter> as Program
        = SO_ATTACH_REUSEPORT_CBPF { tested "options_do_what_they_say.rs" };

    /// The same with an extended BPF program, by its descriptor.
    / set_so_attach_reuseport_ebpf(BorrowedFd<'_>): BorrowedFd<'_> as Descriptor
        = SO_ATTACH_REUSEPORT_EBPF {
            untried "needs a program loaded by bpf(2), which is not this crate's" };

    /// Takes the program off the group. `ENOENT` where there is none.
    / so_detach_reuseport_bpf(): ()
        = SO_DETACH_REUSEPORT_BPF { tested "options_do_what_they_say.rs" };

    /// How many of the extensions to classic BPF the kernel has.
    so_bpf_extensions: i32 = SO_BPF_EXTENSIONS { read only };
}
