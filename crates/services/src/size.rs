//! Sizes as people write them: `500K`, `10M`, `4G`.
//!
//! The letters are powers of 1024, as for `ls -h` and `dd`; with `B` behind them (`10MB`) powers of
//! 1000, with `iB` (`10MiB`) of 1024 again. Nothing here is larger than 64 bits.

/// The letters, each for 1024 or 1000 of the one before.
const LETTERS: [char; 4] = ['K', 'M', 'G', 'T'];

/// Reads a number of bytes, with a letter for larger units.
///
/// # Errors
/// Says what was read and what to write instead.
///
/// ```
/// assert_eq!(services::size::parse("512"), Ok(512));
/// assert_eq!(services::size::parse("4G"), Ok(4 << 30));
/// assert_eq!(services::size::parse("10MB"), Ok(10_000_000));
/// assert!(services::size::parse("ten").is_err());
/// ```
pub fn parse(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (letter, base) = match unit.strip_suffix("iB") {
        Some(letter) => (letter, 1024_u64),
        None => unit.strip_suffix('B').map_or((unit, 1024), |letter| (letter, 1000)),
    };
    let power = match letter.to_ascii_uppercase().as_str() {
        "" if unit.is_empty() || unit == "B" => Some(0),
        letter => (1..).zip(LETTERS).find(|(_, own)| letter == own.to_string()).map(|it| it.0),
    };
    let read = power.and_then(|power| {
        let number = number.parse::<u64>().ok()?;
        number.checked_mul(base.checked_pow(power)?)
    });
    read.ok_or_else(|| format!("\"{}\" is not a size (try 500K, 10M or 4G)", text.escape_debug()))
}

/// Writes a size for people: `512 B`, `1.5 KiB`, `12 MiB`. Rounded down.
///
/// ```
/// assert_eq!(services::size::show(1536), "1.5 KiB");
/// ```
#[must_use]
pub fn show(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut letter) = (u128::from(bytes) * 10 / 1024, 0);
    while tenths >= 10 * 1024 && letter + 1 < LETTERS.len() {
        (tenths, letter) = (tenths / 1024, letter + 1);
    }
    let letter = LETTERS[letter];
    match tenths {
        0..100 if tenths % 10 > 0 => format!("{}.{} {letter}iB", tenths / 10, tenths % 10),
        _ => format!("{} {letter}iB", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        let rows = [
            ("0", 0),
            ("1B", 1),
            ("1K", 1024),
            ("1k", 1024),
            ("1KB", 1000),
            ("1KiB", 1024),
            ("3M", 3 << 20),
            ("2G", 2 << 30),
            ("1T", 1 << 40),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in rows {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_one_and_says_what_is() {
        let texts =
            ["", "K", "-1", "+1", "1.5G", "1 K", "1X", "1iB", "1KK", "18446744073709551616"];
        for text in texts.into_iter().chain(["99999999T", "\x1b[2J"]) {
            let error = parse(text).unwrap_err();
            assert!(error.contains("try 500K") && !error.contains('\x1b'), "{text}: {error}");
        }
    }

    #[test]
    fn shows_what_helps() {
        let rows = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (12 * 1024 + 700, "12 KiB"),
            (1024 * 1024 - 1, "1023 KiB"),
            (5 << 20, "5 MiB"),
            (4 << 30, "4 GiB"),
            (u64::MAX, "16777215 TiB"),
        ];
        for (bytes, text) in rows {
            assert_eq!(show(bytes), text);
        }
    }
}
