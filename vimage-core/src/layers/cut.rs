//! The beginning of a disk, as a disk of its own.

use crate::error::Result;
use crate::extent::Extent;
use crate::image::Image;
use crate::io::FileId;

/// The first bytes of an image.
pub struct Cut<'a> {
    image: &'a dyn Image,
    size: u64,
}

impl<'a> Cut<'a> {
    /// The first `size` bytes of `image`; a shorter one stays as it is.
    pub fn new(image: &'a dyn Image, size: u64) -> Self {
        Cut { image, size: size.min(image.size()) }
    }
}

impl Image for Cut<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        Ok(self.image.extent_at(offset)?.clipped(&(0..self.size)))
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.image.read_exact_at(buf, offset)
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
    fn extents_end_where_it_ends() {
        let image = Flat::new(Arc::new(Memory(b"abcdef".to_vec())), "a".into(), 0, 6).unwrap();
        let cut = Cut::new(&image, 4);
        let extents: Vec<_> = Extents::of(&cut).map(|extent| extent.unwrap().range).collect();
        assert_eq!((extents, cut.size(), Cut::new(&image, 9).size()), (vec![0..4], 4, 6));
    }
}
