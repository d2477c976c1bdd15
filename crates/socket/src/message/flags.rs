//! `MSG_*`: what a single call is asked for, and what the kernel says of a message.
//!
//! The same numbers go both ways: into a call ("only look", `MSG_PEEK`) and out of it ("it was
//! longer than your buffer", `MSG_TRUNC`). A bit without a row here is kept and printed as a
//! number. A flag is one row in the list.

use std::fmt;
use std::io;

use crate::constants;
use crate::flag_set::flag_set;

flag_set! {
    /// A set of `MSG_*` flags.
    ///
    /// ```
    /// use socket::Flags;
    ///
    /// let flags = Flags::PEEK | Flags::TRUNC;
    /// assert!(flags.contains(Flags::PEEK));
    /// assert_eq!(flags.to_string(), "MSG_PEEK|MSG_TRUNC");
    /// assert_eq!(flags.without(Flags::PEEK), Flags::TRUNC);
    /// assert_eq!(Flags(0x0800_0001).to_string(), "MSG_OOB|0x8000000");
    /// ```
    Flags(i32) from constants {
        /// Out-of-band data: TCP's urgent byte. Received with this flag, the call never waits.
        /// `tcp(7)`.
        OOB = MSG_OOB,
        /// Leave what is received where it is; the next call receives it again.
        PEEK = MSG_PEEK,
        /// Send only to hosts on a directly connected network.
        DONTROUTE = MSG_DONTROUTE,
        /// Received: ancillary data did not fit and was cut; descriptors that did not fit are
        /// closed.
        CTRUNC = MSG_CTRUNC,
        /// Find the path's MTU without sending data. Inside the kernel mostly.
        PROBE = MSG_PROBE,
        /// Received: the datagram was longer than the buffers and its end is lost. Asked for: the
        /// call answers the datagram's whole length, which may be more than the buffers hold. On
        /// TCP, asked for: the bytes are thrown away instead of being received.
        TRUNC = MSG_TRUNC,
        /// This call does not wait, whatever the socket's mode: `WouldBlock` instead.
        DONTWAIT = MSG_DONTWAIT,
        /// The end of a record, in protocols that have records. Unix sockets do not report it.
        EOR = MSG_EOR,
        /// Receive until the buffer is full. [`recv_with`](crate::Socket::recv_with) keeps this
        /// promise in every mode; elsewhere it is passed on and means something only where the
        /// thread waits in the kernel. [`recv_exact`](crate::Socket::recv_exact) is the plainer
        /// way.
        WAITALL = MSG_WAITALL,
        /// Defined by Linux and without effect.
        FIN = MSG_FIN,
        /// Defined by Linux and without effect.
        SYN = MSG_SYN,
        /// Tell the link layer that the neighbour is alive, so that it is not probed. `arp(7)`.
        CONFIRM = MSG_CONFIRM,
        /// Defined by Linux and without effect.
        RST = MSG_RST,
        /// Receive from the queue of errors, see [`ExtendedError`](super::ExtendedError). The call
        /// never waits; [`wait`](crate::Socket::wait) with
        /// [`Interest::NONE`](crate::Interest::NONE) does. Received: this is an error, not data.
        ERRQUEUE = MSG_ERRQUEUE,
        /// No SIGPIPE when the connection is gone. This crate always adds it.
        NOSIGNAL = MSG_NOSIGNAL,
        /// More follows at once: hold a part-filled packet back. `tcp(7)`, `TCP_CORK`; `udp(7)`.
        MORE = MSG_MORE,
        /// In a batch, wait for the first message only. This crate always adds it.
        WAITFORONE = MSG_WAITFORONE,
        /// More messages follow in this batch. Inside the kernel mostly.
        BATCH = MSG_BATCH,
        /// Received: the bytes stayed in the memory of a device.
        SOCK_DEVMEM = MSG_SOCK_DEVMEM,
        /// Send without copying. Refused here with `InvalidInput`: the kernel would read the bytes
        /// after the call has given them back.
        ZEROCOPY = MSG_ZEROCOPY,
        /// Connect and send with the first packet (RFC 7413). Only for sockets that wait without a
        /// limit; with one, `EISCONN` may come in place of an answer. The option
        /// `TCP_FASTOPEN_CONNECT` has no such limit.
        FASTOPEN = MSG_FASTOPEN,
        /// Received descriptors are closed on exec. This crate always adds it.
        CMSG_CLOEXEC = MSG_CMSG_CLOEXEC,
    }
}

impl Flags {
    /// Whether any of `other` is in it.
    #[must_use]
    pub const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// The same without `other`.
    #[must_use]
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// The number to send with.
    ///
    /// # Errors
    /// `InvalidInput` for [`ZEROCOPY`](Flags::ZEROCOPY).
    pub(crate) fn for_sending(self) -> io::Result<i32> {
        if self.intersects(Flags::ZEROCOPY) {
            let text = "MSG_ZEROCOPY would let the kernel read the bytes after the call";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(self.0)
    }
}

/// As `Debug`.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
