//! Socket types: what the bytes of a socket mean to each other.

use super::kinds;

kinds! {
    /// A socket type. See `socket(2)`.
    Type in types {
        /// Connected, ordered, reliable bytes without boundaries: TCP.
        STREAM = SOCK_STREAM,
        /// Messages that may be lost or reordered, each whole: UDP.
        DGRAM = SOCK_DGRAM,
        /// Packets below the transport, for programs that build their own headers. `raw(7)`.
        RAW = SOCK_RAW,
        /// Reliable datagrams without an order.
        RDM = SOCK_RDM,
        /// Connected, ordered, reliable messages with boundaries.
        SEQPACKET = SOCK_SEQPACKET,
        /// Datagram congestion control; gone from Linux since 6.16. RFC 4340.
        DCCP = SOCK_DCCP,
        /// The oldest way to link-level packets, kept by Linux. Use `AF_PACKET` instead: an address
        /// of this type carries the device's hardware type where its family should be.
        PACKET = SOCK_PACKET,
    }
}
