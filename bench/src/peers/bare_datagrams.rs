//! The ceiling for datagrams without batches: one thread, one `recvfrom`, one `sendto`.

use super::{Body, HOLDS_ANY, Peer, Service, nothing};
use std::io;
use std::net::UdpSocket;

pub(super) const PEER: Peer = Peer {
    name: "bare-datagrams",
    summary: "one recvfrom and one sendto for each datagram, blocking",
    holds: HOLDS_ANY,
    library: None,
    needs: nothing,
    bodies: &[(Service::Datagrams, Body::Datagrams(serve))],
};

fn serve(socket: UdpSocket) -> io::Result<()> {
    let mut buffer = [0; super::BUFFER_BYTES];
    loop {
        let (count, sender) = socket.recv_from(&mut buffer)?;
        // What a full queue does not take is lost, as datagrams are.
        drop(socket.send_to(&buffer[..count], sender));
    }
}
