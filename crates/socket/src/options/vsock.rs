//! `AF_VSOCK` as a level: options of sockets between a virtual machine and its host. `vsock(7)`,
//! linux/vm_sockets.h.

use std::time::Duration;

use super::options;

options! {
    ROWS = level AF_VSOCK on AF_VSOCK SOCK_STREAM;

    /// Bytes of the receive buffer, between the two limits below.
    so_vm_sockets_buffer_size / set_so_vm_sockets_buffer_size: u64
        = SO_VM_SOCKETS_BUFFER_SIZE { sample 131_072, default 262_144 };

    /// The least bytes of the receive buffer. A size below is raised to it.
    so_vm_sockets_buffer_min_size / set_so_vm_sockets_buffer_min_size: u64
        = SO_VM_SOCKETS_BUFFER_MIN_SIZE { sample 4096, default 128 };

    /// The most bytes of the receive buffer. A size above is cut to it.
    so_vm_sockets_buffer_max_size / set_so_vm_sockets_buffer_max_size: u64
        = SO_VM_SOCKETS_BUFFER_MAX_SIZE { sample 524_288, default 262_144 };

    /// How long a connect waits, in microseconds, with the socket's own limit. Zero is the
    /// default.
    so_vm_sockets_connect_timeout / set_so_vm_sockets_connect_timeout: Duration as Timeval
        = SO_VM_SOCKETS_CONNECT_TIMEOUT {
            sample Duration::from_millis(500), default Duration::from_secs(2) };
}
