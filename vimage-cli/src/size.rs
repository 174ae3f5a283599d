//! Sizes as people type and read them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// The letters of the units, each a thousand or 1024 times the one before.
const LETTERS: &str = "KMGTPE";

impl FromStr for Size {
    type Err = String;

    /// Reads `4294967295`, `2G`, `2GiB`, `1.5t`, `650MB`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a size: write 2G, 2GiB, 650M or a number of bytes");
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim().to_ascii_uppercase();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || number.ends_with('.') {
            return Err(wrong());
        }
        let factor = factor(&unit).ok_or_else(wrong)?;
        let whole: u128 = whole.parse().map_err(|_| wrong())?;
        // Kept in whole numbers: 18 places are more than any unit has digits.
        let fraction = fraction.get(..18).unwrap_or(fraction);
        let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| wrong())? };
        let places = 10_u128.pow(fraction.len() as u32);
        let bytes = whole.checked_mul(factor).and_then(|bytes| bytes.checked_add(part * factor / places));
        bytes.and_then(|bytes| u64::try_from(bytes).ok()).map(Size).ok_or_else(|| format!("\"{text}\" is too large"))
    }
}

/// How many bytes a unit is: `G` and `GiB` are 2^30, `GB` is 10^9.
fn factor(unit: &str) -> Option<u128> {
    if unit.is_empty() || unit == "B" {
        return Some(1);
    }
    let (letter, kind) = unit.split_at_checked(1)?;
    let power = LETTERS.find(letter)? as u32 + 1;
    match kind {
        "" | "IB" => Some(1024_u128.pow(power)),
        "B" => Some(1000_u128.pow(power)),
        _ => None,
    }
}

impl fmt::Display for Size {
    /// In whole units where that is exact and short: VMware's extents are 2047 MiB and not 2.00 GiB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let highest = self.0.max(1).ilog2() / 10;
        let exact = |power: u32| self.0.is_multiple_of(1 << (10 * power)) && self.0 >> (10 * power) < 10_000;
        let unit = |power: u32| match LETTERS.get(power.wrapping_sub(1) as usize..power as usize) {
            Some(letter) => format!("{letter}iB"),
            None => "B".into(),
        };
        match [highest, highest.saturating_sub(1)].into_iter().find(|&power| exact(power)) {
            Some(power) => write!(f, "{} {}", self.0 >> (10 * power), unit(power)),
            None => write!(f, "{:.2} {}", self.0 as f64 / 1024_f64.powi(highest.cast_signed()), unit(highest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type() {
        for (text, bytes) in [
            ("4294967295", 4_294_967_295),
            ("2G", 2 << 30),
            ("2GiB", 2 << 30),
            ("2 gib", 2 << 30),
            ("650M", 650 << 20),
            ("650MB", 650_000_000),
            ("1.5g", 3 << 29),
            ("64k", 65_536),
            ("1B", 1),
            ("7E", 7 << 60),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size() {
        for text in [
            "",
            "G",
            "2X",
            "2Gi",
            "-1",
            "1.",
            ".5G",
            "1.2.3",
            "0x10",
            "16E",
            "99999999999999999999",
            "2GG",
            "1e9",
            "２G",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_people_read() {
        let shown =
            [0, 1023, 1024, 1536, 10_241, 2047 << 20, 8 << 30, (3 << 40) + 512].map(|bytes| Size(bytes).to_string());
        assert_eq!(shown, ["0 B", "1023 B", "1 KiB", "1536 B", "10.00 KiB", "2047 MiB", "8 GiB", "3.00 TiB"]);
    }
}
