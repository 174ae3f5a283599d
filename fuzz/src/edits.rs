//! Changes to something valid, decoded from a fuzzer's bytes.

/// Bytes that are put somewhere.
#[derive(Debug, Clone, Copy)]
pub struct Edit<'a> {
    /// Where, of all that can be changed; more than there is wraps around.
    pub place: u32,
    /// What is put there. Nothing, where the file is cut there instead.
    pub bytes: &'a [u8],
}

/// Takes `input` for a number and then edits: each is a place (4 bytes, low ones first), a length (a byte), and so many bytes.
pub fn decode(input: &[u8]) -> Option<(usize, Vec<Edit<'_>>)> {
    let (&which, mut rest) = input.split_first()?;
    let mut edits = Vec::new();
    while let [a, b, c, d, len, more @ ..] = rest {
        let (bytes, behind) = more.split_at(usize::from(*len).min(more.len()));
        edits.push(Edit { place: u32::from_le_bytes([*a, *b, *c, *d]), bytes });
        rest = behind;
    }
    Some((usize::from(which), edits))
}
