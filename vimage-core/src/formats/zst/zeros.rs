//! Frames of zeros, laid byte by byte (RFC 8878, section 3.1.1): what has the bytes of one is known to be zero without being unpacked.

/// The first bytes of a frame.
pub(super) const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// The most zeros of one frame, in bytes: it then takes 32 KiB.
pub(super) const MOST: u64 = 1 << 30;

/// The most bytes of a block (`Block_Maximum_Size`).
const BLOCK: u64 = 128 << 10;

/// Bytes before the first block.
const HEADER: u64 = 10;

/// Bytes of a block that repeats one byte, with its header.
const REPEATED: u64 = 4;

/// Bytes of the frame of `zeros` zeros.
pub(super) fn frame_len(zeros: u64) -> u64 {
    HEADER + zeros.div_ceil(BLOCK) * REPEATED
}

/// Whether a frame of `packed` bytes that unpacks to `plain` may be one of zeros.
pub(super) fn may_be(packed: u64, plain: u64) -> bool {
    (1..=MOST).contains(&plain) && packed == frame_len(plain)
}

/// The frame of `zeros` zeros, of which there are 1 to [`MOST`].
pub(super) fn frame(zeros: u64) -> Vec<u8> {
    let mut frame = Vec::with_capacity(frame_len(zeros) as usize);
    frame.extend(MAGIC);
    // The content's size has four bytes. No single segment: a decoder would keep all of it at once. No checksum: there is nothing
    // that could be anything else.
    frame.push(0x80);
    // A window of one block, 2^(10 + 7).
    frame.push(7 << 3);
    frame.extend((zeros as u32).to_le_bytes());
    let mut left = zeros;
    while left > 0 {
        let len = left.min(BLOCK);
        left -= len;
        let header = u32::from(left == 0) | 1 << 1 | (len as u32) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::zstd::decompress_frame;

    #[test]
    fn zstd_makes_zeros_of_them() {
        for zeros in [1, 255, BLOCK - 1, BLOCK, BLOCK + 1, 1 << 20, (5 << 20) + 7] {
            let frame = frame(zeros);
            assert!(may_be(frame.len() as u64, zeros));
            let mut out = vec![1; zeros as usize];
            decompress_frame(&frame, &mut out).unwrap();
            assert!(out.iter().all(|&byte| byte == 0), "{zeros}");
        }
        assert_eq!(frame(MOST).len() as u64, frame_len(MOST));
        assert!(!may_be(frame_len(MOST + 1), MOST + 1) && !may_be(HEADER, 0));
    }
}
