//! BLAKE2b with a digest of 32 bytes and no key, as RFC 7693 defines it.

/// The fractional parts of the square roots of the first eight primes (RFC 7693, section 2.6).
const START: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// In which order each round takes the words of a block (section 2.7).
const ORDER: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// Which words are mixed with each other: columns, then diagonals.
const QUARTERS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];

const BLOCK: usize = 128;
const ROUNDS: usize = 12;
const DIGEST: usize = 32;

/// The digest of `bytes`.
pub(super) fn digest(bytes: &[u8]) -> [u8; DIGEST] {
    let mut state = START;
    // Its parameters: length of digest, no key, one leaf, one level.
    state[0] ^= 0x0101_0000 ^ DIGEST as u64;
    // The last block is always there, and may be whole.
    let last = bytes.len().saturating_sub(1) / BLOCK * BLOCK;
    let (whole, rest) = bytes.split_at(last);
    let mut count = 0_u128;
    for block in whole.chunks_exact(BLOCK) {
        count += BLOCK as u128;
        compress(&mut state, block, count, false);
    }
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    compress(&mut state, &block, count + rest.len() as u128, true);
    let mut digest = [0; DIGEST];
    for (bytes, word) in digest.chunks_exact_mut(8).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

/// Section 3.2: folds a block into the state. `count` is of the bytes up to its end.
fn compress(state: &mut [u64; 8], block: &[u8], count: u128, last: bool) {
    let mut words = [0_u64; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    let mut v = [0; 16];
    v[..8].copy_from_slice(state);
    v[8..].copy_from_slice(&START);
    v[12] ^= count as u64;
    v[13] ^= (count >> 64) as u64;
    if last {
        v[14] = !v[14];
    }
    for round in 0..ROUNDS {
        let order = &ORDER[round % ORDER.len()];
        for (&[a, b, c, d], taken) in QUARTERS.iter().zip(order.as_chunks::<2>().0) {
            v[a] = v[a].wrapping_add(v[b]).wrapping_add(words[taken[0]]);
            v[d] = (v[d] ^ v[a]).rotate_right(32);
            v[c] = v[c].wrapping_add(v[d]);
            v[b] = (v[b] ^ v[c]).rotate_right(24);
            v[a] = v[a].wrapping_add(v[b]).wrapping_add(words[taken[1]]);
            v[d] = (v[d] ^ v[a]).rotate_right(16);
            v[c] = v[c].wrapping_add(v[d]);
            v[b] = (v[b] ^ v[c]).rotate_right(63);
        }
    }
    for (index, word) in state.iter_mut().enumerate() {
        *word ^= v[index] ^ v[index + 8];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `b2sum -l 256` of GNU coreutils prints.
    #[test]
    fn digests_are_those_of_b2sum() {
        let hex = |bytes: &[u8]| digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let counted: Vec<u8> = (0..1000).map(|at| (at % 251) as u8).collect();
        assert_eq!(hex(&counted[..0]), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
        assert_eq!(hex(&counted[..3]), "3d8c3d594928271f44aad7a04b177154806867bcf918e1549c0bc16f9da2b09b");
        assert_eq!(hex(&counted[..127]), "f2fe67ff342e21b8f45e8f2e0bcd1d9243245d50ee6c78042e9c491388791c72");
        assert_eq!(hex(&counted[..128]), "c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1");
        assert_eq!(hex(&counted[..129]), "f7f3c46ba2564ff4c4c162da1f5b605f9f1c4aa6a20652a9f9a337c1a2f5b9c9");
        assert_eq!(hex(&counted[..256]), "582f782226018ec33076bd8d1c42413530ac7e1126260ffc0f306ba3befc3f24");
        assert_eq!(hex(&counted[..1000]), "b372d0608f720c8c3dd41e9c8eecb10143b41abe520b616607e754bf79c08331");
    }
}
