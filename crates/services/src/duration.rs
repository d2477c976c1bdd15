//! Durations as people write them: `500ms`, `10s`, `5m`.
//!
//! A number without a unit is refused, because nobody remembers which unit a program takes. Zero
//! needs none. Nothing here knows about calendars: the longest unit is the hour.

use std::time::Duration;

/// The units, with the nanoseconds in one of them. `us` before `s`, `ms` before `m` and `s`: the
/// first suffix that fits is the unit.
const UNITS: [(&str, f64); 5] = [("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// Reads a number with a unit: `us`, `ms`, `s`, `m` or `h`. A decimal fraction is allowed.
///
/// # Errors
/// Says what was read and what to write instead.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(services::duration::parse("500ms"), Ok(Duration::from_millis(500)));
/// assert_eq!(services::duration::parse("1.5s"), Ok(Duration::from_millis(1500)));
/// assert!(services::duration::parse("10").is_err());
/// ```
pub fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let read = UNITS.iter().find_map(|(unit, nanos)| {
        let number = text.strip_suffix(unit)?;
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number = number.parse::<f64>().ok().filter(|_| plain)?;
        Duration::try_from_secs_f64(number * nanos / 1e9).ok()
    });
    read.ok_or_else(|| match text.parse::<u64>() {
        Ok(_) => format!("the duration \"{text}\" needs a unit (try {text}s or {text}ms)"),
        Err(_) => {
            format!("\"{}\" is not a duration (try 500ms, 10s or 5m)", text.escape_debug())
        }
    })
}

/// Writes a duration for people, in the unit that suits it and with no more digits than help:
/// `12ms`, `3.2s`, `4m05s`, `2h05m`.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(services::duration::show(Duration::from_millis(3210)), "3.2s");
/// assert_eq!(services::duration::show(Duration::from_secs(10)), "10s");
/// ```
#[must_use]
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.is_zero() => "0s".into(),
        0 if duration.as_micros() < 1000 => format!("{}us", duration.as_micros()),
        0 => format!("{}ms", duration.as_millis()),
        1..60 => match duration.subsec_millis() / 100 {
            0 => format!("{seconds}s"),
            tenths => format!("{seconds}.{tenths}s"),
        },
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        let rows = [
            ("0", Duration::ZERO),
            ("0s", Duration::ZERO),
            ("250us", Duration::from_micros(250)),
            ("500ms", Duration::from_millis(500)),
            ("10s", Duration::from_secs(10)),
            ("0.5m", Duration::from_secs(30)),
            ("2h", Duration::from_secs(7200)),
        ];
        for (text, duration) in rows {
            assert_eq!(parse(text), Ok(duration), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_one_and_says_what_is() {
        for text in ["", "s", "10", "10 s", "-1s", "+1s", "1e3s", "1.2.3s", "infs", "nans", "1d"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("try"), "{text}: {error}");
        }
        assert!(parse("99999999999999999999h").is_err());
        assert!(!parse("\x1b[2Js").unwrap_err().contains('\x1b'));
    }

    #[test]
    fn shows_what_helps() {
        let rows = [
            (0, "0s"),
            (250, "250us"),
            (12_345, "12ms"),
            (999_999, "999ms"),
            (3_210_000, "3.2s"),
            (10_000_000, "10s"),
            (300_000_000, "5m"),
            (245_000_000, "4m05s"),
            (7_500_000_000, "2h05m"),
        ];
        for (micros, text) in rows {
            assert_eq!(show(Duration::from_micros(micros)), text);
        }
    }
}
