//! The socket as a descriptor: taking one over, sharing it, giving it away.
//!
//! | you have | you want | method |
//! |---|---|---|
//! | a descriptor of your own | a `Socket` on that descriptor | [`Socket::from_fd`] |
//! | somebody else's descriptor | a `Socket` on a copy of it | [`Socket::fromfd`] |
//! | a `Socket` | a second one for the same connection | [`Socket::try_clone`], "dup" |
//! | a `Socket` | its descriptor | [`Socket::detach`] |
//!
//! Copies are descriptors of the same socket: they share the connection, its options and the
//! kernel's non-blocking flag. The connection ends when the last one is closed.
//!
//! What it deliberately does not do: remember a family or type that the caller claims. The kernel
//! knows them, and [`Socket::family`], [`Socket::kind`] and [`Socket::protocol`] ask it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::default_timeout;
use crate::seam;
use crate::sockaddr::SockAddr;
use crate::socket::Socket;
use crate::sys::descriptor;

impl Socket {
    /// Takes over a descriptor that must be a socket's, whichever family and type it has. It keeps
    /// its number. Its time limit is the [default timeout](crate::default_timeout).
    ///
    /// # Errors
    /// `ENOTSOCK` when it is something else; it is closed then.
    ///
    /// ```
    /// use socket::{Family, Socket, Type};
    ///
    /// let udp = Socket::new(Family::INET, Type::DGRAM, Default::default())?;
    /// let again = Socket::from_fd(udp.detach())?;
    /// assert_eq!(again.kind()?, Type::DGRAM);
    ///
    /// let file = std::fs::File::open("/dev/null")?;
    /// let error = Socket::from_fd(file.into()).unwrap_err();
    /// assert_eq!(error.raw_os_error(), Some(88)); // ENOTSOCK
    /// # std::io::Result::Ok(())
    /// ```
    pub fn from_fd(fd: OwnedFd) -> io::Result<Socket> {
        let socket = default_timeout::adopt(fd)?;
        socket.kind()?;
        Ok(socket)
    }

    /// A socket on a copy of a descriptor, which stays its owner's. The copy is closed on exec.
    ///
    /// # Errors
    /// `ENOTSOCK` when it is not a socket's; `EMFILE`.
    pub fn fromfd(fd: impl AsFd) -> io::Result<Socket> {
        Socket::from_fd(fd.as_fd().try_clone_to_owned()?)
    }

    /// Gives the descriptor away, open. The same as `OwnedFd::from`.
    #[must_use = "the descriptor is closed when nobody takes it"]
    pub fn detach(self) -> OwnedFd {
        self.into()
    }

    /// Closes the descriptor and says whether that went well, which dropping it does not. The
    /// connection ends when no copy of it is left. `close(2)`.
    ///
    /// # Errors
    /// What the kernel had still to report. The descriptor is closed all the same.
    pub fn close(self) -> io::Result<()> {
        match descriptor::close(self.into()) {
            // The peer has reset the connection, which is over in any case.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            answer => answer,
        }
    }

    /// Whether programs that this process executes keep the descriptor. Off from the start.
    /// `FD_CLOEXEC` in `fcntl(2)`, the other way round.
    ///
    /// # Errors
    /// None on an open descriptor.
    #[doc(alias = "get_inheritable")]
    pub fn inheritable(&self) -> io::Result<bool> {
        descriptor::is_inheritable(self.as_fd())
    }

    /// Sets whether programs that this process executes keep the descriptor. A `fork` keeps it in
    /// any case.
    ///
    /// # Errors
    /// None on an open descriptor.
    pub fn set_inheritable(&self, inheritable: bool) -> io::Result<()> {
        descriptor::set_inheritable(self.as_fd(), inheritable)
    }

    /// Whether calls may wait at all: false in the non-blocking mode only.
    #[must_use]
    #[doc(alias = "getblocking")]
    pub fn blocking(&self) -> bool {
        self.timeout() != Some(Duration::ZERO)
    }

    /// [`connect`](Socket::connect) that answers the kernel's verdict as a number: 0 when
    /// connected, else the `errno`, such as `ECONNREFUSED` (111), for a non-blocking socket
    /// `EINPROGRESS` (115), and later `EISCONN` (106). A time limit that passed is `EAGAIN` (11).
    /// `connect(2)`.
    ///
    /// # Errors
    /// What never reached the kernel: an address that is none.
    pub fn connect_ex(&self, address: &SockAddr) -> io::Result<i32> {
        let error = match self.connect(address) {
            Ok(()) => return Ok(0),
            Err(error) => error,
        };
        match error.raw_os_error() {
            Some(errno) => Ok(errno),
            None if error.kind() == io::ErrorKind::TimedOut => Ok(libc::EAGAIN),
            None if seam::is_pending(&error) => Ok(libc::EAGAIN),
            None => Err(error),
        }
    }

    /// A socket over a descriptor of unknown history: non-blocking if the descriptor is.
    pub(crate) fn in_mode_of(fd: OwnedFd) -> Socket {
        let nonblocking = descriptor::is_nonblocking(fd.as_fd()).unwrap_or(false);
        let socket = Socket::from(fd);
        if nonblocking {
            // It cannot fail on a socket, and where it does the socket only waits.
            let _ = socket.set_blocking(false);
        }
        socket
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl IntoRawFd for Socket {
    fn into_raw_fd(self) -> RawFd {
        OwnedFd::from(self).into_raw_fd()
    }
}
