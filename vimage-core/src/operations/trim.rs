//! Leaving out what the guest does not use.

use crate::error::{Error, Result};
use crate::guest::{Region, Survey, survey};
use crate::image::Image;
use crate::observer::{Observer, Phase};

/// Whether what the guest does not use is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trim {
    /// It is kept: only zeros are left out.
    #[default]
    No,
    /// It is left out; a file system that cannot be told for certain is kept whole.
    Yes,
    /// It is left out; a file system that cannot be told for certain is an error.
    Strict,
}

/// Bytes that an image held as data and its copy does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// They are zero.
    pub zero: u64,
    /// The guest holds them as free.
    pub free: u64,
    /// They are swap space.
    pub swap: u64,
}

impl Dropped {
    /// Of what was found in the guest, and what the pipeline found to be zero.
    pub(super) fn of(survey: Option<&Survey>, zero: u64) -> Self {
        let sum = |swap: bool| {
            let regions = survey.iter().flat_map(|survey| &survey.regions);
            regions.filter(|region| region.is_swap() == swap).map(|region| region.dropped).sum()
        };
        Dropped { zero, free: sum(false), swap: sum(true) }
    }
}

/// What the guest of `image` does not use, if that is to be left out.
///
/// # Errors
/// `Unsupported` where a file system is kept whole that should be told for certain; `Io` and `Cancelled`.
pub(super) fn unused(image: &dyn Image, trim: Trim, observer: &dyn Observer) -> Result<Option<Survey>> {
    if trim == Trim::No {
        return Ok(None);
    }
    observer.begin(Phase::Survey, None);
    let survey = survey(image, observer)?;
    let kept = survey.regions.iter().find_map(|region| Some((region, region.kept.as_ref().filter(|kept| kept.fault)?)));
    match kept {
        Some((region, kept)) if trim == Trim::Strict => {
            let error = Error::unsupported(format!("{} cannot be trimmed: {}", described(region), kept.reason));
            Err(match &kept.hint {
                Some(hint) => error.with_hint(hint),
                None => error.with_hint("--trim without strict keeps it whole"),
            })
        }
        _ => Ok(Some(survey)),
    }
}

/// The region in words.
fn described(region: &Region) -> String {
    let name = match region.name.parse::<u32>() {
        Ok(number) => format!("partition {number}"),
        Err(_) => region.name.clone(),
    };
    match region.kind {
        Some(kind) => format!("{name} ({kind})"),
        None => name,
    }
}
