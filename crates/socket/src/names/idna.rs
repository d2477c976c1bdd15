//! Host names beyond ASCII in the form of the DNS: `bücher.example` → `xn--bcher-kva.example`.
//!
//! libc could do it (`AI_IDN`), but reads the name in the locale's encoding, which a Rust program
//! does not set, and needs a library that may not be there. So each label is lower-cased and
//! encoded here: Punycode, RFC 3492. It deliberately has no tables: a name must be in Unicode's
//! normal form C, and letters that a table would replace (full-width, ligatures, lone accents) are
//! refused rather than asked for wrongly. `ß` and `ς` stay as they are, as in IDNA 2008.

use std::borrow::Cow;

/// The name in ASCII; `None` where it has no such form. What is ASCII already is left alone.
pub(crate) fn to_ascii(name: &str) -> Option<Cow<'_, str>> {
    if name.is_ascii() {
        return Some(Cow::Borrowed(name));
    }
    // The full stops of East Asian keyboards. RFC 3490, part 3.1.
    let labels = name.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']);
    let labels: Vec<String> = labels.map(label).collect::<Option<_>>()?;
    Some(Cow::Owned(labels.join(".")))
}

/// The longest label, in bytes. RFC 1035, part 2.3.4.
const LABEL_MAX: usize = 63;

fn label(label: &str) -> Option<String> {
    if label.is_ascii() {
        return Some(label.to_owned());
    }
    if label.chars().any(needs_a_table) {
        return None;
    }
    let lower: Vec<char> = label.chars().flat_map(char::to_lowercase).collect();
    let encoded = format!("xn--{}", punycode(&lower)?);
    (encoded.len() <= LABEL_MAX).then_some(encoded)
}

/// Letters that stand for others, accents on their own, and what is no letter at all.
fn needs_a_table(letter: char) -> bool {
    letter.is_control()
        || letter.is_whitespace()
        || matches!(letter,
            '\u{300}'..='\u{36f}'       // accents to combine
            | '\u{1100}'..='\u{11ff}'   // parts of Hangul syllables
            | '\u{200b}'..='\u{206f}'   // invisible signs
            | '\u{f900}'..='\u{faff}'   // compatibility ideographs
            | '\u{fb00}'..='\u{fdff}'   // ligatures and presentation forms
            | '\u{fe00}'..='\u{ffff}'   // variation selectors, full-width forms, specials
            | '\u{e0000}'..='\u{10ffff}' // tags and private use
        )
}

// RFC 3492, part 5.
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

/// RFC 3492, part 6.3. `None` on overflow.
fn punycode(label: &[char]) -> Option<String> {
    let mut out: String = label.iter().filter(|letter| letter.is_ascii()).collect();
    let basic = u32::try_from(out.len()).ok()?;
    let length = u32::try_from(label.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (INITIAL_N, 0_u32, INITIAL_BIAS, basic);
    while handled < length {
        let next = label.iter().map(|letter| u32::from(*letter)).filter(|code| *code >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for code in label.iter().map(|letter| u32::from(*letter)) {
            if code < n {
                delta = delta.checked_add(1)?;
            }
            if code == n {
                push_number(&mut out, delta, bias);
                bias = adapt(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        n += 1;
    }
    Some(out)
}

/// A number in digits whose weights depend on `bias`.
fn push_number(out: &mut String, mut number: u32, bias: u32) {
    let mut k = BASE;
    loop {
        let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if number < threshold {
            out.push(digit(number));
            return;
        }
        out.push(digit(threshold + (number - threshold) % (BASE - threshold)));
        number = (number - threshold) / (BASE - threshold);
        k += BASE;
    }
}

fn digit(value: u32) -> char {
    char::from_digit((value + 10) % BASE, BASE).expect("a digit below 36")
}

/// RFC 3492, part 6.1.
fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > ((BASE - T_MIN) * T_MAX) / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_the_dns_carries() {
        // Checked against Python's `encode("idna")`, except the last three, which follow IDNA 2008.
        for (name, ascii) in [
            ("localhost", "localhost"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("münchen.de", "xn--mnchen-3ya.de"),
            ("пример.испытание", "xn--e1afmkfd.xn--80akhbyknj4f"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("삼성.한국", "xn--cg4bki.xn--3e0b707e"),
            ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"),
            ("🦀.example", "xn--zs9h.example"),
            ("straße.de", "xn--strae-oqa.de"),
            ("ςσ.gr", "xn--3xac.gr"),
        ] {
            assert_eq!(to_ascii(name).as_deref(), Some(ascii), "{name}");
        }
    }

    #[test]
    fn what_a_table_would_change_is_refused() {
        let long = "ü".repeat(64);
        for name in ["e\u{301}.example", "ｗｗｗ.example", "ﬁ.example", "a\u{200d}ü", &long] {
            assert_eq!(to_ascii(name), None, "{name}");
        }
    }
}
