//! Numbers with units: how many bytes they are.

/// How many bytes a unit is: what DSP0004 (annex C.1) calls a programmatic unit, `byte * 2^20`, and the words that older
/// versions used for it, `MegaBytes`.
pub(super) fn bytes_of(unit: &str) -> Option<u64> {
    let unit: String = unit.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    let mut factors = unit.split('*');
    let base = word(factors.next()?)?;
    factors.try_fold(base, |product, text| product.checked_mul(factor(text)?))
}

/// A word for a unit. Importers take those of 1000 for those of 1024.
fn word(text: &str) -> Option<u64> {
    Some(match text {
        "byte" | "bytes" => 1,
        "kb" | "kib" | "kilobyte" | "kilobytes" => 1 << 10,
        "mb" | "mib" | "megabyte" | "megabytes" => 1 << 20,
        "gb" | "gib" | "gigabyte" | "gigabytes" => 1 << 30,
        "tb" | "tib" | "terabyte" | "terabytes" => 1 << 40,
        _ => return None,
    })
}

/// `1024` or `2^10`.
fn factor(text: &str) -> Option<u64> {
    let Some((base, exponent)) = text.split_once('^') else { return whole(text) };
    whole(base)?.checked_pow(u32::try_from(whole(exponent)?).ok()?)
}

/// A whole number in decimal digits alone: no sign, no point.
pub(super) fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn units_are_read_as_specifications_and_tools_write_them() {
        for (unit, bytes) in [
            ("byte", Some(1)),
            ("byte * 2^30", Some(1 << 30)),
            ("byte * 2 ^ 20", Some(1 << 20)),
            ("byte*1024*1024", Some(1 << 20)),
            ("byte*10^9", Some(1_000_000_000)),
            ("MegaBytes", Some(1 << 20)),
            ("GB", Some(1 << 30)),
            ("KiB", Some(1024)),
            ("hertz * 10^6", None),
            ("byte * 2^64", None),
            ("byte * 2^63 * 2", None),
            ("byte * 2^99999999999", None),
            ("byte *", None),
            ("byte * -1", None),
            ("", None),
        ] {
            assert_eq!(bytes_of(unit), bytes, "{unit:?}");
        }
    }

    #[test]
    fn numbers_are_digits() {
        for (text, number) in [("0", Some(0)), ("18446744073709551615", Some(u64::MAX)), ("18446744073709551616", None)]
        {
            assert_eq!(whole(text), number);
        }
        for text in ["", "+1", "-1", "1.0", "0x10", "1 ", "Thousand and Twenty Four"] {
            assert_eq!(whole(text), None, "{text:?}");
        }
    }
}
