//! Identifying a disk's content.

use crate::digest::ContentDigest;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::io::Aligned;
use crate::observer::{Observer, Phase};
use crate::pipeline::{self, CUT, Disk, How, InFlight, Plan, in_order, read_data};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// How a disk is digested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// [`ContentDigest`]: in time for what is stored, on all cores.
    #[default]
    Content,
    /// SHA-256 of all the guest's bytes, zeros too: what `sha256sum` prints of the raw disk.
    Sha256,
}

impl Algorithm {
    /// Every one and its name.
    pub const NAMES: [(Algorithm, &str); 2] = [(Algorithm::Content, "content"), (Algorithm::Sha256, "sha256")];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(algorithm, _)| *algorithm == self).map_or("", |(_, name)| name)
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(algorithm, _)| algorithm);
        found.ok_or_else(|| {
            Error::usage(format!("there is no digest \"{name}\""))
                .with_hint(format!("there are: {}", Self::NAMES.map(|(_, name)| name).join(", ")))
        })
    }
}

/// A digest's 32 bytes; `Display` writes them in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ContentDigest(self.0).fmt(f)
    }
}

/// The digest of all that the guest sees.
///
/// # Errors
/// The faults of reading; `Cancelled`.
pub fn digest(image: &dyn Image, algorithm: Algorithm, observer: &dyn Observer) -> Result<Digest> {
    match algorithm {
        Algorithm::Content => {
            let how = How { digest: true, ..How::default() };
            let content = pipeline::run(Disk::Image(image), None, &mut [], how, observer)?.content;
            content.map(|content| Digest(content.0)).ok_or_else(|| Error::usage("no digest was made"))
        }
        Algorithm::Sha256 => sha256(image, observer),
    }
}

fn sha256(image: &dyn Image, observer: &dyn Observer) -> Result<Digest> {
    let mut hasher = Sha256::new();
    let mut at = 0;
    observer.begin(Phase::Work, Some(image.size()));
    in_order(
        InFlight::of_reading(),
        Plan::new([image], image.size(), CUT, observer).map(|slab| slab.map(Some)),
        |slab, data: &mut Aligned| {
            data.resize(slab.len);
            read_data(image, slab.offset, &slab.data[0], data)
        },
        |slab, data| {
            hash_zeros(&mut hasher, slab.offset - at, observer)?;
            hasher.update(&**data);
            at = slab.range().end;
            observer.reached(at);
            Ok(())
        },
    )?;
    hash_zeros(&mut hasher, image.size() - at, observer)?;
    observer.reached(image.size());
    Ok(Digest(hasher.finalize().into()))
}

fn hash_zeros(hasher: &mut Sha256, mut count: u64, observer: &dyn Observer) -> Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    while count > 0 {
        if observer.cancelled() {
            return Err(Error::cancelled());
        }
        // In steps, so that terabytes of zeros can be cancelled.
        for _ in 0..count.div_ceil(ZEROS.len() as u64).min(1024) {
            let now = count.min(ZEROS.len() as u64);
            hasher.update(&ZEROS[..now as usize]);
            count -= now;
        }
    }
    if observer.cancelled() { Err(Error::cancelled()) } else { Ok(()) }
}
