//! `Read` and `Write`, for [`Socket`] and for the types that hold one.
//!
//! Every call is one of the socket's own and keeps within its time limit as a whole: `read_exact`
//! and `write_all` have one limit, not one for each piece. Nothing is buffered, so `flush` has
//! nothing to do; [`Socket::reader`] and [`Socket::writer`] buffer. `read_vectored` is left as std
//! has it, which fills the first buffer: scattering over all would ask for the sender's address.

use std::io::{self, IoSlice};

use crate::message::Flags;
use crate::socket::Socket;

/// Makes `Read` or `Write` for a type that is a socket, or has one in the field named.
macro_rules! read_write {
    ($type:ty $(, $socket:ident)?) => {
        $crate::read_write::read_write!(@read $type $(, $socket)?);
        $crate::read_write::read_write!(@write $type $(, $socket)?);
    };
    (@read $type:ty $(, $socket:ident)?) => {
        impl std::io::Read for $type {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self$(.$socket)?.recv(buffer)
            }

            /// One time limit for all of it.
            fn read_exact(&mut self, buffer: &mut [u8]) -> std::io::Result<()> {
                self$(.$socket)?.recv_exact(buffer)
            }
        }
    };
    (@write $type:ty $(, $socket:ident)?) => {
        impl std::io::Write for $type {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self$(.$socket)?.send(bytes)
            }

            fn write_vectored(
                &mut self,
                pieces: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                self$(.$socket)?.send_vectored(pieces)
            }

            /// One time limit for all of it.
            fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
                self$(.$socket)?.send_all(bytes)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}

pub(crate) use read_write;

read_write!(Socket);
read_write!(&Socket);

impl Socket {
    /// Sends some of the pieces, of which one call takes so many.
    pub(crate) fn send_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let most = pieces.len().min(libc::UIO_MAXIOV as usize);
        self.send_msg(&pieces[..most], &[], Flags::NONE, None)
    }
}
