//! Sizes as people write them: `2G`, `512 MiB`, `650MB`.

/// The letters of the units, each 1024 or a thousand times the one before.
const LETTERS: &str = "KMGT";

/// Bytes of `text`: a whole number with a unit. `K`, `M`, `G`, `T` and `KiB` to `TiB` are powers of 1024, `KB` to `TB` of
/// 1000; upper and lower case are the same. In the error, what is wrong with it.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size: write a whole number with a unit, such as \"2G\" or \"512M\"");
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let factor = factor(&unit.trim().to_ascii_uppercase()).ok_or_else(wrong)?;
    if number.is_empty() {
        return Err(wrong());
    }
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| format!("{text:?} is too large"))
}

/// How many bytes a unit is.
fn factor(unit: &str) -> Option<u64> {
    if unit == "B" {
        return Some(1);
    }
    let (letter, kind) = unit.split_at_checked(1)?;
    let power = LETTERS.find(letter)? as u32 + 1;
    match kind {
        "" | "IB" => 1024_u64.checked_pow(power),
        "B" => 1000_u64.checked_pow(power),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        for (text, bytes) in [
            ("2G", 2 << 30),
            ("2 gib", 2 << 30),
            ("512M", 512 << 20),
            ("650MB", 650_000_000),
            ("1t", 1 << 40),
            ("64k", 65_536),
            (" 1 B ", 1),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size() {
        // A number alone could be of bytes or of mebibytes, so it is neither.
        for text in
            ["", "G", "2048", "2X", "2Gi", "-1G", "1.5G", "0x10G", "２G", "2GG", "99999999999999999999G", "16777216T"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
