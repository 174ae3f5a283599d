//! The tar that every importer of appliances reads: plain ustar, with GNU's sizes for members of 8 GiB and more.
//!
//! POSIX.1-1988 ustar headers; "Basic Tar Format" of the GNU tar manual for sizes in base 256. vSphere and VirtualBox refuse
//! the extended headers of POSIX.1-2001 (pax), so there are none. Members are regular files of root's, readable by all, with
//! the time that the caller gives.

use crate::error::{Error, Result};

/// Bytes to which everything in a tar is aligned.
pub const BLOCK: u64 = 512;

/// Bytes to which the whole is filled up, as tar does it: twenty blocks.
const RECORD: u64 = 20 * BLOCK;

/// The longest name, in bytes.
const LONGEST_NAME: usize = 99;

/// The first size that eleven octal digits cannot say.
const LARGE: u64 = 1 << 33;

/// The header of a member called `name` with `size` bytes, last changed at `time` (seconds since 1970).
///
/// # Errors
/// `Usage` where a plain header has no room for the name.
pub fn header(name: &str, size: u64, time: u64) -> Result<[u8; BLOCK as usize]> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(Error::usage(format!("a file of a package has a name of 1 to {LONGEST_NAME} bytes, not {name:?}")));
    }
    let mut block = [0; BLOCK as usize];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(136, format!("{:011o}\0", time.min(0o777_7777_7777)).as_bytes());
    put(156, b"0");
    put(265, b"root");
    put(297, b"root");
    if size < LARGE {
        put(124, format!("{size:011o}\0").as_bytes());
        put(257, b"ustar\x0000");
        put(329, b"0000000\0");
        put(337, b"0000000\0");
    } else {
        put(124, &[0x80, 0, 0, 0]);
        put(128, &size.to_be_bytes());
        put(257, b"ustar  \0");
    }
    // The sum is made with blanks in its own place.
    put(148, b"        ");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// Bytes that a member of `size` bytes takes behind its header.
pub fn room(size: u64) -> u64 {
    size.next_multiple_of(BLOCK)
}

/// Zeros that end a tar whose members end at byte `at`.
pub fn end(at: u64) -> usize {
    ((at + 2 * BLOCK).next_multiple_of(RECORD) - at) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// As GNU tar understands it; none where there is no tar.
    fn listed(archive: &[u8]) -> Option<String> {
        let mut tar = Command::new("tar")
            .args(["-tv", "--utc", "--full-time", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let _ = tar.stdin.take()?.write_all(archive);
        String::from_utf8(tar.wait_with_output().ok()?.stdout).ok()
    }

    #[test]
    fn headers_say_what_tar_reads() {
        let mut archive = header("a.ovf", 3, 1_700_000_000).unwrap().to_vec();
        archive.extend(b"abc");
        archive.resize(archive.len().next_multiple_of(512), 0);
        archive.resize(archive.len() + end(archive.len() as u64), 0);
        assert_eq!(archive.len() as u64 % RECORD, 0);
        if let Some(listed) = listed(&archive) {
            assert_eq!(listed, "-rw-r--r-- root/root         3 2023-11-14 22:13:20 a.ovf\n");
        }
    }

    #[test]
    fn only_large_members_have_gnu_sizes() {
        assert_eq!(&header("a", LARGE - 1, 0).unwrap()[124..136], b"77777777777\0");
        assert_eq!(&header("a", LARGE - 1, 0).unwrap()[257..265], b"ustar\x0000");
        let large = header("a", LARGE, 0).unwrap();
        assert_eq!(&large[124..136], b"\x80\0\0\0\0\0\0\x02\0\0\0\0");
        assert_eq!(&large[257..265], b"ustar  \0");
        if let Some(listed) = listed(&large) {
            assert!(listed.contains(" 8589934592 "), "{listed}");
        }
    }

    #[test]
    fn names_that_need_more_than_a_plain_header_are_errors() {
        assert!(header(&"x".repeat(99), 0, 0).is_ok());
        assert!(header(&"x".repeat(100), 0, 0).is_err());
        assert!(header("", 0, 0).is_err());
    }
}
