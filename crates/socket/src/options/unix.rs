//! `SOL_SOCKET`, those of Unix sockets: who the peer is. `unix(7)`.
//!
//! Unix sockets have no level of their own. Some of these exist for other families too; the text
//! says so.

use std::os::fd::OwnedFd;

use super::options;
use crate::message::Credentials;

options! {
    ROWS = level SOL_SOCKET on AF_UNIX SOCK_STREAM connected;

    /// Whether each message received comes with its sender's credentials, as ancillary data; also
    /// gives the socket a name of its own when it connects or sends. On netlink sockets as well.
    so_passcred / set_so_passcred: bool = SO_PASSCRED { sample true, default false };

    /// Who connected, or who listened, as it was then; of a pair, who made it.
    so_peercred: Credentials = SO_PEERCRED {
        tested "options_do_what_they_say.rs" };

    /// The supplementary groups of the peer, as they were then.
    so_peergroups: Vec<u32> as Numbers = SO_PEERGROUPS { tested "options_do_what_they_say.rs" };

    /// A new descriptor for the peer's process (`pidfd_open(2)`), closed on exec. Unlike its
    /// number it cannot come to mean another process.
    so_peerpidfd: OwnedFd = SO_PEERPIDFD { read only, since "6.5" };

    /// Whether each message received comes with a descriptor for its sender's process, as
    /// ancillary data.
    so_passpidfd / set_so_passpidfd: bool
        = SO_PASSPIDFD { sample true, default false, since "6.5" };

    /// Whether descriptors may be received at all. Off, a message that carries some cannot be
    /// sent here.
    so_passrights / set_so_passrights: bool
        = SO_PASSRIGHTS { sample false, default true, since "6.16" };

    /// The security label of the peer, where the machine has labels (SELinux, Smack, AppArmor).
    /// Also for TCP.
    so_peersec: String as Text = SO_PEERSEC { read only, config CONFIG_SECURITY_NETWORK };

    /// Whether each message received comes with its sender's security label, as ancillary data.
    /// On netlink sockets as well.
    so_passsec / set_so_passsec: bool
        = SO_PASSSEC { sample true, default false, config CONFIG_SECURITY_NETWORK };

    /// The offset at which receives with `MSG_PEEK` begin, in bytes; each moves it on, and each
    /// real receive back. -1 always peeks at the front. Also for UDP, and TCP since Linux 6.9.
    so_peek_off / set_so_peek_off: i32 = SO_PEEK_OFF { sample 5, default -1 };

    /// Whether each receive says how many bytes are left to receive, as ancillary data.
    / set_so_inq: bool = SO_INQ { sets true, since "6.17" };
}
