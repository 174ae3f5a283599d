//! Disks laid end to end: a VMDK's extents.

use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::image::Image;

/// Images one after the other, as one.
pub struct Concat {
    parts: Vec<Box<dyn Image>>,
    /// The offset at which each part ends; ascending.
    ends: Vec<u64>,
}

impl Concat {
    /// `parts` end to end.
    ///
    /// # Errors
    /// `Corrupt` when their sizes add up to more than 2^63 bytes.
    pub fn new(parts: Vec<Box<dyn Image>>) -> Result<Self> {
        let mut end = 0_u64;
        let mut ends = Vec::with_capacity(parts.len());
        for part in &parts {
            end = end
                .checked_add(part.size())
                .filter(|&end| i64::try_from(end).is_ok())
                .ok_or_else(|| Error::corrupt("the extents add up to more than 2^63 bytes"))?;
            ends.push(end);
        }
        Ok(Concat { parts, ends })
    }

    /// The part that holds `offset`, where it starts and where it ends. Parts without bytes are never the answer.
    fn locate(&self, offset: u64) -> Option<(&dyn Image, u64, u64)> {
        let index = self.ends.partition_point(|&end| end <= offset);
        let (part, &end) = (self.parts.get(index)?, self.ends.get(index)?);
        Some((part.as_ref(), end - part.size(), end))
    }
}

impl Image for Concat {
    fn size(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        let (part, start, _) = self.locate(offset).ok_or_else(|| past_end(offset))?;
        let mut extent = part.extent_at(offset - start)?.shifted(start);
        if self.parts.len() > 1 {
            // A byte of which of the files, it could not say.
            extent.at = None;
        }
        Ok(extent)
    }

    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> Result<()> {
        while !buf.is_empty() {
            let (part, start, end) = self.locate(offset).ok_or_else(|| past_end(offset))?;
            let take = usize::try_from(end - offset).unwrap_or(usize::MAX).min(buf.len());
            let (now, rest) = buf.split_at_mut(take);
            part.read_exact_at(now, offset - start)?;
            buf = rest;
            offset += take as u64;
        }
        Ok(())
    }
}

fn past_end(offset: u64) -> Error {
    Error::usage(format!("byte {offset} is past the end of the disk"))
}
