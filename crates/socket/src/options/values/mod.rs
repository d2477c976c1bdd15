//! Values of options that are more than a number: what each field means, and how it is written.
//!
//! A structure has the C name in Rust's spelling and the C fields without their prefix.

pub(super) mod filter;
pub(super) mod ip;
pub(super) mod multicast;
pub(super) mod packet;
pub(super) mod socket;
pub(super) mod tcp;
pub(super) mod tcp_info;
pub(super) mod text;
pub(super) mod words;
