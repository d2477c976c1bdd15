//! Classic BPF: programs that decide which packets a socket receives.

use std::io;

use crate::options::encoding::{Get, Set, Slot, number};

/// One instruction of a packet filter. `struct sock_filter` of linux/filter.h; the kernel's
/// `Documentation/networking/filter.rst` has the instruction set.
///
/// A program runs over each packet and returns how many bytes of it to keep; zero drops it.
///
/// ```
/// use socket::options::SockFilter;
///
/// // Keeps datagrams whose first byte of payload is `!` (the UDP header before it has 8 bytes).
/// let program = [
///     SockFilter::stmt(SockFilter::LD | SockFilter::B | SockFilter::ABS, 8),
///     SockFilter::jump(SockFilter::JMP | SockFilter::JEQ | SockFilter::K, u32::from(b'!'), 0, 1),
///     SockFilter::stmt(SockFilter::RET | SockFilter::K, u32::MAX),
///     SockFilter::stmt(SockFilter::RET | SockFilter::K, 0),
/// ];
/// # use socket::{Family, Socket, Type};
/// # let socket = Socket::new(Family::INET, Type::DGRAM, Default::default())?;
/// socket.set_so_attach_filter(&program)?;
/// assert_eq!(socket.so_get_filter()?, program);
/// # std::io::Result::Ok(())
/// ```
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SockFilter {
    /// What to do: the sum of a class and its parts, below.
    pub code: u16,
    /// How many instructions to skip when a comparison holds.
    pub jt: u8,
    /// How many to skip when it does not.
    pub jf: u8,
    /// The instruction's number: an offset, an operand, an answer.
    pub k: u32,
}

impl SockFilter {
    /// Class: load into the accumulator.
    pub const LD: u16 = libc::BPF_LD as u16;
    /// Class: load into the index register.
    pub const LDX: u16 = libc::BPF_LDX as u16;
    /// Class: store the accumulator.
    pub const ST: u16 = libc::BPF_ST as u16;
    /// Class: store the index register.
    pub const STX: u16 = libc::BPF_STX as u16;
    /// Class: arithmetic on the accumulator.
    pub const ALU: u16 = libc::BPF_ALU as u16;
    /// Class: compare and jump.
    pub const JMP: u16 = libc::BPF_JMP as u16;
    /// Class: end, with how many bytes to keep.
    pub const RET: u16 = libc::BPF_RET as u16;
    /// Class: move between the registers.
    pub const MISC: u16 = libc::BPF_MISC as u16;
    /// Load four bytes.
    pub const W: u16 = libc::BPF_W as u16;
    /// Load two bytes.
    pub const H: u16 = libc::BPF_H as u16;
    /// Load one byte.
    pub const B: u16 = libc::BPF_B as u16;
    /// From `k` itself.
    pub const IMM: u16 = libc::BPF_IMM as u16;
    /// From offset `k` of the packet.
    pub const ABS: u16 = libc::BPF_ABS as u16;
    /// From offset `k` plus the index register.
    pub const IND: u16 = libc::BPF_IND as u16;
    /// From word `k` of the scratch memory.
    pub const MEM: u16 = libc::BPF_MEM as u16;
    /// The packet's length.
    pub const LEN: u16 = libc::BPF_LEN as u16;
    /// Four times the low half of a byte: the length of an IPv4 header.
    pub const MSH: u16 = libc::BPF_MSH as u16;
    /// Jump when equal.
    pub const JEQ: u16 = libc::BPF_JEQ as u16;
    /// Jump when greater.
    pub const JGT: u16 = libc::BPF_JGT as u16;
    /// Jump when greater or equal.
    pub const JGE: u16 = libc::BPF_JGE as u16;
    /// Jump when a bit in common is set.
    pub const JSET: u16 = libc::BPF_JSET as u16;
    /// The operand is `k`.
    pub const K: u16 = libc::BPF_K as u16;
    /// The operand is the index register.
    pub const X: u16 = libc::BPF_X as u16;
    /// The answer is the accumulator.
    pub const A: u16 = 0x10;

    /// An instruction that goes on to the next. `BPF_STMT`.
    #[must_use]
    pub const fn stmt(code: u16, k: u32) -> SockFilter {
        SockFilter { code, jt: 0, jf: 0, k }
    }

    /// An instruction that skips `jt` others when its comparison holds, `jf` when not. `BPF_JUMP`.
    #[must_use]
    pub const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> SockFilter {
        SockFilter { code, jt, jf, k }
    }
}

/// A program, handed over behind a pointer and read back as instructions.
pub(crate) enum Program {}

impl Set<&[SockFilter]> for Program {
    fn set(to: Slot<'_>, value: &[SockFilter]) -> io::Result<()> {
        to.set_program(value)
    }
}

/// The longest program the kernel takes. `BPF_MAXINSNS` of linux/bpf_common.h.
const LONGEST: usize = 4096;

impl Get for Program {
    type Value = Vec<SockFilter>;
    fn get(from: Slot<'_>) -> io::Result<Vec<SockFilter>> {
        let bytes = from.list(LONGEST * size_of::<SockFilter>())?;
        Ok(bytes.as_chunks().0.iter().filter_map(instruction).collect())
    }
}

fn instruction(bytes: &[u8; 8]) -> Option<SockFilter> {
    let (code, k) = (number!(u16, bytes, 0)?, number!(u32, bytes, 4)?);
    Some(SockFilter { code, jt: bytes[2], jf: bytes[3], k })
}
