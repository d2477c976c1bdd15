//! Between this crate's sockets and std's.
//!
//! A conversion moves the descriptor and changes nothing about it.

use std::net as std_net;
use std::os::fd::OwnedFd;
use std::os::unix::net as std_unix;

use super::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use crate::socket::Socket;

/// Makes the four conversions of one type of std.
macro_rules! convert {
    ($($ours:ident = $std:ty;)+) => { $(
        /// Non-blocking if it is that already. A time limit of std's is not taken over.
        impl From<$std> for Socket {
            fn from(socket: $std) -> Socket {
                Socket::in_mode_of(OwnedFd::from(socket))
            }
        }

        /// The time limit stays behind, except that a non-blocking socket stays non-blocking.
        impl From<Socket> for $std {
            fn from(socket: Socket) -> $std {
                OwnedFd::from(socket).into()
            }
        }

        /// Non-blocking if it is that already. A time limit of std's is not taken over.
        impl From<$std> for $ours {
            fn from(socket: $std) -> $ours {
                Socket::from(socket).into()
            }
        }

        /// The time limit stays behind, except that a non-blocking socket stays non-blocking.
        impl From<$ours> for $std {
            fn from(socket: $ours) -> $std {
                OwnedFd::from(socket).into()
            }
        }
    )+ };
}

convert! {
    TcpStream = std_net::TcpStream;
    TcpListener = std_net::TcpListener;
    UdpSocket = std_net::UdpSocket;
    UnixStream = std_unix::UnixStream;
    UnixListener = std_unix::UnixListener;
    UnixDatagram = std_unix::UnixDatagram;
}
