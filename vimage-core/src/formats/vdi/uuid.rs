//! Identifiers of 16 bytes, whose first three fields stand little-endian.

/// The text of a UUID.
pub(super) fn text(bytes: &[u8; 16]) -> String {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let hex: String = order.map(|at: usize| format!("{:02x}", bytes[at])).concat();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The bytes of a UUID's text; none where it is none, or the one of nothing.
pub(super) fn parse(written: &str) -> Option<[u8; 16]> {
    let digits: String = written.split('-').collect();
    let number = u128::from_str_radix(&digits, 16).ok().filter(|&number| number != 0)?;
    let mut bytes = number.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    // Only what is written as UUIDs are.
    (text(&bytes) == written.to_ascii_lowercase()).then_some(bytes)
}

/// A UUID of bytes that were derived from something: version 8 of RFC 9562, whose other bits are free.
pub(super) fn derived(from: &[u8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&from[..16]);
    bytes[7] = bytes[7] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fields_are_turned_round() {
        let bytes = std::array::from_fn(|at| at as u8);
        assert_eq!(text(&bytes), "03020100-0504-0706-0809-0a0b0c0d0e0f");
        assert_eq!(parse("03020100-0504-0706-0809-0A0B0C0D0E0F"), Some(bytes));
        for none in [
            "",
            "00000000-0000-0000-0000-000000000000",
            "0302010005040706-0809-0a0b0c0d0e0f",
            "+3020100-0504-0706-0809-0a0b0c0d0e0f",
        ] {
            assert_eq!(parse(none), None, "{none}");
        }
        assert_eq!(text(&derived(&[0xff; 32])), "ffffffff-ffff-8fff-bfff-ffffffffffff");
    }
}
