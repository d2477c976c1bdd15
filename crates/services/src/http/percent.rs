//! Percent-encoding, RFC 3986: bytes of a path and back.
//!
//! Decoding happens once; whoever encodes twice names a file with a percent sign in its name.
//! A plus sign is a plus sign: only forms write a space so, and no form is read here.

/// The bytes that `text` stands for; `None` if a percent sign is not followed by two hex digits.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(digits[0])? << 4 | digit(digits[1])?;
        bytes.push(u8::try_from(value).expect("two hex digits are a byte"));
        rest = after;
    }
    Some(bytes)
}

/// One part of a path, with all but the unreserved characters encoded. So it means nothing to HTML,
/// to a header or to a shell, and never looks like a scheme.
pub(crate) fn encode(segment: &[u8]) -> String {
    let mut text = String::with_capacity(segment.len());
    for &byte in segment {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text += &format!("%{byte:02X}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_goes_round() {
        let all: Vec<u8> = (0..=255).collect();
        let text = encode(&all);
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(decode(text.as_bytes()), Some(all));
    }

    #[test]
    fn what_is_half_encoded_is_refused() {
        for text in ["%", "%4", "a%4", "%zz", "%4g", "%%41", "%+1"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decode(b"a+b%2f%2E%252e").as_deref(), Some(&b"a+b/.%2e"[..]));
    }
}
