//! The socket: a descriptor, and how long its calls may take.
//!
//! Every method takes `&self`: one thread or coroutine may receive while another sends, and
//! [`shutdown`](Socket::shutdown) from anywhere wakes both. A socket is in one of three modes, as
//! in Python:
//!
//! | mode | set by | a call that cannot go on |
//! |---|---|---|
//! | blocking | the start, `set_timeout(None)` | waits |
//! | with a time limit | `set_timeout(Some(t))` | waits, then `TimedOut` |
//! | non-blocking | `set_blocking(false)` | `WouldBlock` at once |
//!
//! Always: closed on exec, never SIGPIPE, `EINTR` never seen. Dropping a socket closes it.
//!
//! Socket options are methods of this type too; they are made in [`options`](crate::options).

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::default_timeout;
use crate::kinds::{Family, Protocol, Type};
use crate::loopback_pair;
use crate::options::{Direction, set_kernel_limit};
use crate::seam::{self, Memory, Operation, Peer, Target, Watch};
use crate::sockaddr::SockAddr;
use crate::sys::call;
use crate::sys::sockaddr::RawSockAddr;

/// A socket of any family and type.
///
/// ```
/// use socket::{Family, Socket, Type};
///
/// let listener = Socket::new(Family::INET, Type::STREAM, Default::default())?;
/// listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into())?;
/// listener.listen(5)?;
///
/// let client = Socket::new(Family::INET, Type::STREAM, Default::default())?;
/// client.connect(&listener.getsockname()?)?;
/// let (connection, peer) = listener.accept()?;
/// assert_eq!(peer, client.getsockname()?);
///
/// client.send_all(b"hello")?;
/// let mut buffer = [0; 5];
/// connection.recv_exact(&mut buffer)?;
/// assert_eq!(&buffer, b"hello");
/// # std::io::Result::Ok(())
/// ```
pub struct Socket {
    /// Declared first, so that the driver is told before the descriptor is closed.
    memory: Memory,
    fd: OwnedFd,
    /// Nanoseconds; [`BLOCKING`] for no limit, zero for non-blocking.
    timeout: AtomicU64,
}

/// The value of `timeout` that means: wait for as long as it takes.
pub(crate) const BLOCKING: u64 = u64::MAX;

impl Socket {
    /// Makes a socket, in the mode of the [default timeout](crate::default_timeout), or
    /// non-blocking if `kind` also holds `SOCK_NONBLOCK`. `socket(2)`.
    ///
    /// # Errors
    /// `EAFNOSUPPORT`, `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT` for a combination the kernel lacks;
    /// `EPERM` or `EACCES` where the type needs a privilege; `EMFILE`, `ENFILE` out of descriptors.
    #[doc(alias = "socket")]
    pub fn new(family: Family, kind: Type, protocol: Protocol) -> io::Result<Socket> {
        let fd = call::socket(family.0, kind.0, protocol.0)?;
        default_timeout::adopt_kind(fd, kind)
    }

    /// Makes two connected sockets. `socketpair(2)`; for TCP, of which the kernel has no pairs, two
    /// ends of a connection over loopback that are sure to be each other's.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for a family without pairs (Linux has them for `AF_UNIX` and `AF_TIPC`);
    /// `EMFILE`, `ENFILE`.
    #[doc(alias = "socketpair")]
    pub fn pair(family: Family, kind: Type, protocol: Protocol) -> io::Result<(Socket, Socket)> {
        if let Some(loopback) = loopback_pair::address(family, kind, protocol) {
            return loopback_pair::pair(loopback);
        }
        let (left, right) = call::socketpair(family.0, kind.0, protocol.0)?;
        let right = default_timeout::adopt_kind(right, kind)?;
        Ok((default_timeout::adopt_kind(left, kind)?, right))
    }

    /// Gives the socket its own address. `bind(2)`.
    ///
    /// # Errors
    /// `EADDRINUSE` when it is taken, `EACCES` for a port that needs a privilege, `EADDRNOTAVAIL`
    /// for an address this machine does not have.
    pub fn bind(&self, address: &SockAddr) -> io::Result<()> {
        call::bind(self.as_fd(), &RawSockAddr::encode(address)?)
    }

    /// Begins to take connections, of which up to `backlog` (+1 on Linux) wait to be accepted;
    /// the kernel limits it to `net.core.somaxconn`. A negative one counts as zero. `listen(2)`.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for a type without connections; `EADDRINUSE`.
    pub fn listen(&self, backlog: i32) -> io::Result<()> {
        call::listen(self.as_fd(), backlog.max(0))
    }

    /// Waits for a connection and takes it: a new socket, in the mode of the
    /// [default timeout](crate::default_timeout) whatever the listener's, and the peer's address.
    /// `accept(2)`.
    ///
    /// # Errors
    /// `TimedOut`, `WouldBlock` by mode; `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` when the system
    /// is short of something; `ECONNABORTED` and network errors of that one connection; `EINVAL`
    /// when the socket does not listen or was shut down.
    pub fn accept(&self) -> io::Result<(Socket, SockAddr)> {
        let (mut peer, mut accepted) = (Peer(RawSockAddr::room()), None);
        let mut operation = Operation::Accept { peer: &mut peer, accepted: &mut accepted };
        self.perform(&mut operation)?;
        let fd = accepted.expect("an accept that succeeds leaves a descriptor");
        let socket = default_timeout::adopt(fd)?;
        if seam::is_driven() {
            socket.memory.accepted(self.target());
        }
        Ok((socket, peer.0.decode()))
    }

    /// Connects, through to the end of the handshake, within the socket's time limit; for a
    /// datagram socket, only fixes the peer. `connect(2)`.
    ///
    /// After an error the socket is good for nothing but dropping.
    ///
    /// # Errors
    /// `ECONNREFUSED`, `ENETUNREACH`, `ENOENT` (Unix path), `TimedOut`; `EINPROGRESS` for a
    /// non-blocking socket, after which writability tells the end and `so_error` the outcome.
    pub fn connect(&self, address: &SockAddr) -> io::Result<()> {
        self.connect_by(address, self.deadline())
    }

    /// [`connect`](Socket::connect) with a limit of its own, whatever the socket's mode.
    ///
    /// # Errors
    /// As [`connect`](Socket::connect).
    pub fn connect_by(&self, address: &SockAddr, deadline: Deadline) -> io::Result<()> {
        let to = Peer(RawSockAddr::encode(address)?);
        let mut operation = Operation::Connect { to: &to, begun: false };
        seam::perform(self.target(), &mut operation, deadline).map(drop)
    }

    /// Receives up to `buffer.len()` bytes. Zero means the peer has finished sending (or that the
    /// buffer is empty, or, for a datagram socket, that the datagram is). `recv(2)`.
    ///
    /// # Errors
    /// `TimedOut`, `WouldBlock` by mode; `ECONNRESET` once after the peer reset the connection.
    #[doc(alias = "recv_into")]
    #[inline]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.is_blocking() {
            true => self.recv_by(buffer, Deadline::Never),
            false => self.recv_limited(buffer),
        }
    }

    #[inline(never)]
    fn recv_limited(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_by(buffer, self.deadline())
    }

    /// [`recv`](Socket::recv) with a limit of its own, whatever the socket's mode.
    ///
    /// # Errors
    /// As [`recv`](Socket::recv).
    #[inline]
    pub fn recv_by(&self, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        seam::recv(self.target(), buffer, deadline)
    }

    /// [`recv_by`](Socket::recv_by), into a buffer that is there afterwards, if anything has been
    /// received, and need not be there during the wait, see [`seam::recv_lent`].
    ///
    /// # Errors
    /// As [`recv`](Socket::recv).
    #[inline(always)]
    pub fn recv_lent(
        &self,
        buffer: &mut Option<seam::Buffer>,
        deadline: Deadline,
        patience: seam::Patience,
    ) -> io::Result<usize> {
        seam::recv_lent(self.target(), buffer, deadline, patience)
    }

    /// Receives until `buffer` is full, all within one time limit.
    ///
    /// # Errors
    /// `UnexpectedEof` when the peer finishes first; otherwise as [`recv`](Socket::recv).
    pub fn recv_exact(&self, mut buffer: &mut [u8]) -> io::Result<()> {
        let deadline = self.deadline().fixed();
        while !buffer.is_empty() {
            match self.recv_by(buffer, deadline)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => buffer = &mut buffer[count..],
            }
        }
        Ok(())
    }

    /// Sends some of `bytes` and says how many: at least one for a stream, all for a datagram.
    /// `send(2)`.
    ///
    /// # Errors
    /// `TimedOut`, `WouldBlock` by mode; `EPIPE` or `ECONNRESET` when the connection is gone;
    /// `EDESTADDRREQ` or `ENOTCONN` without a peer; `EMSGSIZE` for a datagram too big.
    #[inline]
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.is_blocking() {
            true => seam::send(self.target(), bytes, Deadline::Never),
            false => self.send_limited(bytes),
        }
    }

    #[inline(never)]
    fn send_limited(&self, bytes: &[u8]) -> io::Result<usize> {
        seam::send(self.target(), bytes, self.deadline())
    }

    /// [`send`](Socket::send) with a limit of its own, whatever the socket's mode.
    ///
    /// # Errors
    /// As [`send`](Socket::send).
    #[inline(always)]
    pub fn send_by(&self, bytes: &[u8], deadline: Deadline) -> io::Result<usize> {
        seam::send(self.target(), bytes, deadline)
    }

    /// Sends all of `bytes`, all within one time limit. After an error it is unknown how much the
    /// peer has received.
    ///
    /// # Errors
    /// As [`send`](Socket::send).
    #[doc(alias = "sendall")]
    pub fn send_all(&self, bytes: &[u8]) -> io::Result<()> {
        self.send_all_by(bytes, self.deadline())
    }

    /// [`send_all`](Socket::send_all) with a limit of its own, whatever the socket's mode.
    ///
    /// # Errors
    /// As [`send`](Socket::send).
    #[inline(always)]
    pub fn send_all_by(&self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        match seam::send(self.target(), bytes, deadline) {
            Ok(count) if count == bytes.len() => Ok(()),
            Ok(count) => self.send_rest_by(&bytes[count..], deadline),
            Err(error) => Err(error),
        }
    }

    /// What a send has left.
    #[cold]
    fn send_rest_by(&self, mut bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        let deadline = deadline.fixed();
        while !bytes.is_empty() {
            let count = seam::send(self.target(), bytes, deadline)?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Waits until the socket is ready for `interest`, within its time limit. `poll(2)`, for one
    /// socket, and by whoever drives this thread.
    ///
    /// # Errors
    /// `TimedOut`, `WouldBlock` by mode.
    pub fn wait(&self, interest: crate::Interest) -> io::Result<()> {
        self.perform(&mut Operation::Ready(interest)).map(drop)
    }

    /// Ends one or both directions of the connection, for every descriptor of it, and wakes
    /// whoever waits there. `shutdown(2)`.
    ///
    /// # Errors
    /// `ENOTCONN` when there is no connection, or no longer.
    ///
    /// # Platform
    /// On Linux, whoever polls a Unix socket for room to send, as a send with a time limit does,
    /// is woken by `Both` only.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => libc::SHUT_RD,
            Shutdown::Write => libc::SHUT_WR,
            Shutdown::Both => libc::SHUT_RDWR,
        };
        call::shutdown(self.as_fd(), how)
    }

    /// Limits every later call that blocks, each as a whole: `None` waits for as long as it takes
    /// (the start), zero makes the socket non-blocking. To the nanosecond; more than 584 years is
    /// without a limit.
    ///
    /// ```
    /// use socket::{Family, Socket, Type, errors};
    /// use std::time::Duration;
    ///
    /// let (_left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
    /// right.set_timeout(Some(Duration::from_millis(10)))?;
    /// let error = right.recv(&mut [0; 8]).unwrap_err();
    /// assert!(errors::is_timeout(&error));
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// None on a socket.
    #[doc(alias = "settimeout")]
    pub fn set_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        let nanos = match limit {
            None => BLOCKING,
            Some(limit) => u64::try_from(limit.as_nanos()).unwrap_or(BLOCKING),
        };
        let before = self.timeout.load(Relaxed);
        if (before == 0) != (nanos == 0) {
            call::set_nonblocking(self.as_fd(), nanos == 0)?;
            self.memory.nonblocking.store(nanos == 0, Relaxed);
        }
        self.timeout.store(nanos, Relaxed);
        Ok(())
    }

    /// Makes the descriptor non-blocking and leaves the limit as it is: for drivers, which wait by
    /// other means than the kernel's.
    pub(crate) fn keep_nonblocking(&self) -> io::Result<()> {
        if !self.memory.nonblocking.load(Relaxed) {
            call::set_nonblocking(self.as_fd(), true)?;
            self.memory.nonblocking.store(true, Relaxed);
        }
        Ok(())
    }

    /// Notes that an option is being set, after which what drivers know of the socket may be wrong.
    pub(crate) fn note_change(&self, level: i32, name: i32) {
        if (level, name) == (libc::SOL_TCP, libc::TCP_ULP) {
            self.memory.changes();
        }
    }

    /// The limit of [`set_timeout`](Socket::set_timeout); zero: non-blocking.
    #[must_use]
    #[doc(alias = "gettimeout")]
    pub fn timeout(&self) -> Option<Duration> {
        match self.timeout.load(Relaxed) {
            BLOCKING => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// Whether calls wait: `set_timeout(None)` or `set_timeout(Some(ZERO))`.
    ///
    /// # Errors
    /// None on a socket.
    #[doc(alias = "setblocking")]
    pub fn set_blocking(&self, blocking: bool) -> io::Result<()> {
        self.set_timeout(if blocking { None } else { Some(Duration::ZERO) })
    }

    /// A second descriptor for the same socket, with the same time limit. `dup(2)`, closed on exec.
    ///
    /// # Errors
    /// `EMFILE`.
    #[doc(alias = "dup")]
    pub fn try_clone(&self) -> io::Result<Socket> {
        let clone = Socket::from(self.fd.try_clone()?);
        clone.memory.kernel_limit.store(self.memory.kernel_limit.load(Relaxed), Relaxed);
        clone.memory.nonblocking.store(self.memory.nonblocking.load(Relaxed), Relaxed);
        clone.timeout.store(self.timeout.load(Relaxed), Relaxed);
        Ok(clone)
    }

    /// Whether nothing limits its calls, so that the straight path need not look further.
    #[inline]
    fn is_blocking(&self) -> bool {
        self.timeout.load(Relaxed) == BLOCKING
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Deadline {
        match self.timeout.load(Relaxed) {
            BLOCKING => Deadline::Never,
            0 => Deadline::Immediate,
            nanos => Deadline::After(Duration::from_nanos(nanos)),
        }
    }

    /// This socket among several that are waited for at once, see [`seam::wait_any`].
    #[must_use]
    pub fn watch(&self, interest: crate::Interest) -> Watch<'_> {
        Watch { target: self.target(), interest, ready: false }
    }

    #[inline]
    pub(crate) fn target(&self) -> Target<'_> {
        self.memory.target(self.fd.as_fd())
    }

    #[inline]
    pub(crate) fn perform(&self, operation: &mut Operation<'_>) -> io::Result<usize> {
        seam::perform(self.target(), operation, self.deadline())
    }
}

/// Takes over a descriptor of any socket, in whichever mode it is.
impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Socket {
        Socket { fd, timeout: AtomicU64::new(BLOCKING), memory: Memory::default() }
    }
}

/// Gives the descriptor away, without the kernel limit that timed calls may have left on it.
impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> OwnedFd {
        if socket.memory.kernel_limit.load(Relaxed) != 0 {
            // A descriptor that refuses this cannot be a socket any more; giving it away is all
            // that is left to do with it.
            let _ = set_kernel_limit(socket.as_fd(), Direction::Receive, Duration::ZERO);
        }
        socket.fd
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
