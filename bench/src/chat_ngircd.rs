//! ngircd as the contestant of the chat cell: a small IRC server in C, as Debian has it.
//!
//! No limits on connections, no penalty for talking fast, no look-ups of names: what is left is
//! what it does for a message.

use crate::beside::Foreign;
use std::ffi::OsString;
use std::path::Path;

/// It. Nothing is given.
pub(crate) const ROW: Foreign = Foreign {
    name: "ngircd",
    paths: &["/usr/sbin/ngircd", "/usr/local/sbin/ngircd"],
    version: "--version",
    configuration,
    arguments: &["--nodaemon", "--config"],
};

fn configuration(port: u16, _: &Path, _: &[OsString]) -> String {
    format!(
        "[Global]\nName = bench.local\nInfo = bench\nListen = 127.0.0.1\nPorts = {port}\n\
         ServerUID = 0\nServerGID = 0\nMotdPhrase = hi\n\
         [Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxPenaltyTime = 0\n\
         MaxNickLength = 16\nPingTimeout = 3600\nPongTimeout = 3600\n\
         [Options]\nPAM = no\nDNS = no\nIdent = no\nIncludeDir = /nonexistent\n"
    )
}
