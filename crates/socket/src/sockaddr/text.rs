//! The pieces of an address's text: numbers, `key=value` fields, names with escapes, interfaces.
//!
//! A name keeps its letters; control bytes, what is not UTF-8 and the signs with a meaning are
//! written `\x..`. So a text can be printed to a terminal as it is, and read back.

use std::fmt;

/// Writes `name` with escapes, also for each of `special`. To be read back by [`read_name`], the
/// backslash must be among those.
pub(crate) fn write_name(f: &mut fmt::Formatter<'_>, name: &[u8], special: &[char]) -> fmt::Result {
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match (character, special.contains(&character)) {
                ('\\', true) => f.write_str("\\\\")?,
                (_, false) if !character.is_control() => write!(f, "{character}")?,
                _ => write_hex(f, character.encode_utf8(&mut [0; 4]).as_bytes())?,
            }
        }
        write_hex(f, chunk.invalid())?;
    }
    Ok(())
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}

/// The bytes of a name written by [`write_name`].
pub(super) fn read_name(text: &str) -> Result<Vec<u8>, String> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        match rest {
            [] => return Ok(name),
            [b'\\', b'\\', after @ ..] => {
                name.push(b'\\');
                rest = after;
            }
            [b'\\', b'x', high, low, after @ ..] => {
                name.push(hex(*high, *low).ok_or_else(bad_escape)?);
                rest = after;
            }
            [b'\\', ..] => return Err(bad_escape()),
            [byte, after @ ..] => {
                name.push(*byte);
                rest = after;
            }
        }
    }
}

fn bad_escape() -> String {
    "after a backslash comes another one, or x and two hexadecimal digits".into()
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |letter: u8| char::from(letter).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// Bytes as pairs of hexadecimal digits, with `between` between them.
pub(super) fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: &[u8], between: &str) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        let sign = if index == 0 { "" } else { between };
        write!(f, "{sign}{byte:02x}")?;
    }
    Ok(())
}

/// The bytes written by [`write_bytes`], with or without the colons.
pub(super) fn read_bytes(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|letter| *letter != b':').collect();
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => hex(*high, *low),
        _ => None,
    });
    let why = || format!("\"{text}\" is not made of pairs of hexadecimal digits");
    pairs.collect::<Option<_>>().ok_or_else(why)
}

/// A number in decimal, or in hexadecimal after `0x`, that fits into `T`.
pub(super) fn number<T: TryFrom<u64>>(text: &str, what: &str) -> Result<T, String> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let value = plain.then(|| u64::from_str_radix(digits, radix).ok()).flatten();
    let why = || format!("{what} \"{text}\" is not a number, or too big");
    value.and_then(|value| T::try_from(value).ok()).ok_or_else(why)
}

/// An interface by index or by name; zero is any. A name is looked up now.
pub(super) fn interface(text: &str) -> Result<u32, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return number(text, "interface");
    }
    crate::names::if_nametoindex(text).map_err(|_| format!("no interface is called \"{text}\""))
}

/// What stands before the first comma, and the fields after it.
pub(super) fn head<'a>(text: &'a str, known: &[&str]) -> Result<(&'a str, Fields<'a>), String> {
    let (head, rest) = match text.split_once(',') {
        Some((head, rest)) => (head, Some(rest)),
        None => (text, None),
    };
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for field in rest.into_iter().flat_map(|rest| rest.split(',')) {
        let Some((name, value)) = field.split_once('=') else {
            return Err(format!("\"{field}\" is not NAME=VALUE"));
        };
        if !known.contains(&name) {
            return Err(format!("there is no field \"{name}\" (there is {})", known.join(" ")));
        }
        if rows.iter().any(|(row, _)| *row == name) {
            return Err(format!("the field \"{name}\" is there twice"));
        }
        rows.push((name, value));
    }
    Ok((head, Fields(rows)))
}

/// `name=value` fields.
pub(super) struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    /// A field's text.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(row, _)| *row == name).map(|(_, value)| *value)
    }

    /// A field's number, zero if it is not there.
    pub(super) fn number<T: TryFrom<u64> + Default>(&self, name: &str) -> Result<T, String> {
        self.text(name).map_or_else(|| Ok(T::default()), |text| number(text, name))
    }
}
