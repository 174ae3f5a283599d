//! A disk made longer, by zeros at its end.

use crate::error::Result;
use crate::extent::{Content, Extent};
use crate::image::{Image, Packing};
use crate::io::FileId;

/// An image followed by zeros.
pub struct Grown<'a> {
    image: &'a dyn Image,
    size: u64,
}

impl<'a> Grown<'a> {
    /// `image`, filled up to `size` bytes; a larger one stays as it is.
    pub fn new(image: &'a dyn Image, size: u64) -> Self {
        Grown { image, size: size.max(image.size()) }
    }
}

impl Image for Grown<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        match offset < self.image.size() {
            true => self.image.extent_at(offset),
            false => Ok(Extent::new(self.image.size()..self.size, Content::Zero)),
        }
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let held = self.image.size().saturating_sub(offset).min(buf.len() as u64);
        let (stored, beyond) = buf.split_at_mut(held as usize);
        beyond.fill(0);
        if stored.is_empty() { Ok(()) } else { self.image.read_exact_at(stored, offset) }
    }

    fn packing(&self) -> Option<Packing> {
        self.image.packing()
    }

    fn read_packed(&self, offset: u64, out: &mut Vec<u8>) -> Result<bool> {
        if offset < self.image.size() { self.image.read_packed(offset, out) } else { Ok(false) }
    }

    fn files(&self) -> Vec<FileId> {
        self.image.files()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extent::Extents;
    use crate::io::Memory;
    use crate::layers::Flat;
    use std::sync::Arc;

    #[test]
    fn what_is_behind_the_end_is_zero() {
        let file = Arc::new(Memory(b"abc".to_vec()));
        let image = Flat::new(file, "abc".into(), 0, 3).unwrap();
        let grown = Grown::new(&image, 6);
        let mut bytes = [1; 4];
        grown.read_exact_at(&mut bytes, 2).unwrap();
        assert_eq!(bytes, *b"c\0\0\0");
        grown.read_exact_at(&mut bytes[..2], 4).unwrap();
        assert_eq!(bytes[..2], *b"\0\0");
        let extents: Vec<_> = Extents::of(&grown).map(|extent| extent.unwrap().range).collect();
        assert_eq!(extents, [0..3, 3..6]);
        assert_eq!(Grown::new(&image, 2).size(), 3);
    }
}
