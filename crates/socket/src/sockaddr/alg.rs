//! The kernel's ciphers and hashes: `struct sockaddr_alg`. `linux/if_alg.h`.
//!
//! ```text
//!   0        2             16         20     24                    88
//!   | family | type … NUL | features | mask | name … NUL           |
//! ```

use std::fmt;
use std::io;
use std::mem::{offset_of, size_of};

use super::form::{Form, invalid, take_u32};
use super::text;
use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

const TYPE: usize = offset_of!(libc::sockaddr_alg, salg_type);
const FEATURES: usize = offset_of!(libc::sockaddr_alg, salg_feat);
const MASK: usize = offset_of!(libc::sockaddr_alg, salg_mask);
const NAME: usize = offset_of!(libc::sockaddr_alg, salg_name);
const SIZE: usize = size_of::<libc::sockaddr_alg>();

/// An algorithm, to bind a socket to: `struct sockaddr_alg` of linux/if_alg.h. As text:
/// `alg:hash:sha256`, `alg:aead,feat=0x1,mask=0x2:gcm(aes)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AlgAddr {
    /// `hash`, `skcipher`, `aead`, `rng`: at most 13 bytes, without a NUL.
    pub kind: Vec<u8>,
    /// The algorithm as in `/proc/crypto`: at most 63 bytes, without a NUL.
    pub name: Vec<u8>,
    /// Features that are asked for.
    pub features: u32,
    /// The features that matter.
    pub mask: u32,
}

impl AlgAddr {
    /// An algorithm of a kind, with whatever features it has.
    #[must_use]
    pub fn new(kind: &str, name: &str) -> AlgAddr {
        AlgAddr { kind: kind.into(), name: name.into(), ..AlgAddr::default() }
    }
}

impl Form for AlgAddr {
    const FAMILY: Family = Family::ALG;
    const WORD: &'static str = "alg";

    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()> {
        if self.kind.len() >= FEATURES - TYPE || self.kind.contains(&0) {
            return Err(invalid("algorithm type longer than 13 bytes or with a NUL byte"));
        }
        if self.name.len() >= SIZE - NAME || self.name.contains(&0) {
            return Err(invalid("algorithm name longer than 63 bytes or with a NUL byte"));
        }
        raw.put(TYPE, &self.kind);
        raw.put(FEATURES, &self.features.to_ne_bytes());
        raw.put(MASK, &self.mask.to_ne_bytes());
        raw.put(NAME, &self.name);
        raw.reach(SIZE);
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Option<AlgAddr> {
        Some(AlgAddr {
            kind: until_nul(bytes.get(TYPE..FEATURES)?)?,
            name: until_nul(bytes.get(NAME..SIZE)?)?,
            features: take_u32(bytes, FEATURES)?,
            mask: take_u32(bytes, MASK)?,
        })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write_name(f, &self.kind, &['\\', ':', ','])?;
        if self.features != 0 {
            write!(f, ",feat={:#x}", self.features)?;
        }
        if self.mask != 0 {
            write!(f, ",mask={:#x}", self.mask)?;
        }
        f.write_str(":")?;
        text::write_name(f, &self.name, &['\\'])
    }

    fn read(text: &str) -> Result<AlgAddr, String> {
        let Some((before, name)) = text.split_once(':') else {
            return Err("expected a type and a name (try alg:hash:sha256)".into());
        };
        let (kind, fields) = text::head(before, &["feat", "mask"])?;
        let address = AlgAddr {
            kind: text::read_name(kind)?,
            name: text::read_name(name)?,
            features: fields.number("feat")?,
            mask: fields.number("mask")?,
        };
        match address.encode(&mut RawSockAddr::of(Family::ALG)) {
            Ok(()) => Ok(address),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A text that its NUL ends. `None` without one.
fn until_nul(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some(bytes[..end].to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::SockAddr;
    use super::super::tests::holds;
    use super::*;

    #[test]
    fn alg_lies_in_memory_as_in_c() {
        let mut bytes = [0; 88];
        bytes[..2].copy_from_slice(&38_u16.to_ne_bytes());
        bytes[2..6].copy_from_slice(b"hash");
        bytes[24..30].copy_from_slice(b"sha256");
        holds(AlgAddr::new("hash", "sha256"), &bytes, "alg:hash:sha256");
        bytes[16..20].copy_from_slice(&1_u32.to_ne_bytes());
        bytes[20..24].copy_from_slice(&2_u32.to_ne_bytes());
        let address = AlgAddr { features: 1, mask: 2, ..AlgAddr::new("hash", "sha256") };
        holds(address, &bytes, "alg:hash,feat=0x1,mask=0x2:sha256");
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        let fits = AlgAddr::new(&"k".repeat(13), &"n".repeat(63));
        assert!(SockAddr::from(fits).to_bytes().is_ok());
        for (kind, name) in [("k".repeat(14), "n".into()), ("k".into(), "n".repeat(64))] {
            let error = SockAddr::from(AlgAddr::new(&kind, &name)).to_bytes().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
