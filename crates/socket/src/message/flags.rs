//! `MSG_*`: what a single call is asked for, and what the kernel says of a message.
//!
//! The same numbers go both ways: into a call ("only look", `MSG_PEEK`) and out of it ("it was
//! longer than your buffer", `MSG_TRUNC`). A bit without a row here is kept and printed as a
//! number. A flag is one row in the list.

use std::fmt;
use std::io;
use std::ops::{BitOr, BitOrAssign};

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
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub i32);

/// Makes the named flags and the list of their names.
macro_rules! flags {
    ($($(#[doc = $doc:literal])+ $name:ident = $c:ident $(($value:literal))?,)+) => {
        impl Flags {
            $(
                $(#[doc = $doc])+
                ///
                #[doc = concat!("C name `", stringify!($c), "`.")]
                pub const $name: Flags = Flags(flags!(@value $c $($value)?));
            )+

            const NAMES: &'static [(Flags, &'static str)] =
                &[$((Flags::$name, stringify!($c)),)+];
        }
    };
    (@value $c:ident) => { libc::$c };
    (@value $c:ident $value:literal) => { $value };
}

flags! {
    /// Out-of-band data: TCP's urgent byte. Received with this flag, the call never waits.
    /// `tcp(7)`.
    OOB = MSG_OOB,
    /// Leave what is received where it is; the next call receives it again.
    PEEK = MSG_PEEK,
    /// Send only to hosts on a directly connected network.
    DONTROUTE = MSG_DONTROUTE,
    /// Received: ancillary data did not fit and was cut; descriptors that did not fit are closed.
    CTRUNC = MSG_CTRUNC,
    /// Find the path's MTU without sending data. Inside the kernel mostly.
    PROBE = MSG_PROBE (0x10),
    /// Received: the datagram was longer than the buffers and its end is lost. Asked for: the call
    /// answers the datagram's whole length, which may be more than the buffers hold. On TCP, asked
    /// for: the bytes are thrown away instead of being received.
    TRUNC = MSG_TRUNC,
    /// This call does not wait, whatever the socket's mode: `WouldBlock` instead.
    DONTWAIT = MSG_DONTWAIT,
    /// The end of a record, in protocols that have records. Unix sockets do not report it.
    EOR = MSG_EOR,
    /// Receive until the buffer is full. [`recv_with`](crate::Socket::recv_with) keeps this
    /// promise in every mode; elsewhere it is passed on and means something only where the thread
    /// waits in the kernel. [`recv_exact`](crate::Socket::recv_exact) is the plainer way.
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
    /// never waits; [`wait`](crate::Socket::wait) with [`Interest::NONE`](crate::Interest::NONE)
    /// does. Received: this is an error, not data.
    ERRQUEUE = MSG_ERRQUEUE,
    /// No SIGPIPE when the connection is gone. This crate always adds it.
    NOSIGNAL = MSG_NOSIGNAL,
    /// More follows at once: hold a part-filled packet back. `tcp(7)`, `TCP_CORK`; `udp(7)`.
    MORE = MSG_MORE,
    /// In a batch, wait for the first message only. This crate always adds it.
    WAITFORONE = MSG_WAITFORONE,
    /// More messages follow in this batch. Inside the kernel mostly.
    BATCH = MSG_BATCH (0x4_0000),
    /// Received: the bytes stayed in the memory of a device.
    SOCK_DEVMEM = MSG_SOCK_DEVMEM (0x200_0000),
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

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);

    /// Whether all of `other` is in it.
    #[must_use]
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

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

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

/// The C names joined by `|`; bits without a name as one hexadecimal number; `0` for none.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut rest, mut separator) = (*self, "");
        for (flag, name) in Flags::NAMES {
            if rest.contains(*flag) {
                write!(f, "{separator}{name}")?;
                (rest, separator) = (rest.without(*flag), "|");
            }
        }
        match rest {
            Flags::NONE if !separator.is_empty() => Ok(()),
            Flags::NONE => f.write_str("0"),
            Flags(bits) => write!(f, "{separator}{bits:#x}"),
        }
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
