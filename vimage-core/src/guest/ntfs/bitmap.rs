//! `$Bitmap`: which clusters are free.

use super::CHECK;
use super::layout::{kind, number};
use super::mft::{Mft, Value};
use super::runs::Stream;
use crate::error::{Error, Result};
use crate::guest::free::Free;
use crate::ranges::Collector;

/// Bytes of the bitmap that are read at a time.
const PIECE: u64 = 1 << 20;

/// Puts into `free` the clusters whose bit is clear.
///
/// # Errors
/// `Corrupt` where the bitmap is damaged, or calls free what the system's own files take.
pub(super) fn read(mft: &Mft<'_>, free: &mut Free) -> Result<()> {
    let (volume, geometry) = (mft.volume, mft.geometry);
    let bitmap = mft.system(number::BITMAP, kind::DATA, "")?;
    let needed = geometry.clusters.div_ceil(8);
    if bitmap.size < needed || bitmap.initialized < needed {
        let at = bitmap.place(geometry, 0).unwrap_or_default();
        return Err(Error::corrupt(format!("has a bitmap of {} bytes where {needed} are needed", bitmap.initialized))
            .at_offset(volume.disk_offset(at))
            .with_hint(CHECK));
    }
    let mut own = Collector::default();
    let mut take = |stream: &Stream| {
        let kept = stream.runs.iter().filter_map(|run| Some((run.at?, run.range.end - run.range.start)));
        kept.for_each(|(at, len)| own.push(at..at + len));
    };
    take(&bitmap);
    take(&mft.stream);
    for file in [number::MIRROR, number::LOG, number::BOOT] {
        take(&mft.system(file, kind::DATA, "")?);
    }
    // These can be small enough to be in their records.
    for (file, kind, name) in [
        (number::DEFINITIONS, kind::DATA, ""),
        (number::UP_CASE, kind::DATA, ""),
        (number::ROOT, kind::INDEX_ALLOCATION, "$I30"),
    ] {
        if let Some(Value::Stream(stream)) = mft.attribute(file, kind, name)? {
            take(&stream);
        }
    }
    // The boot sector, whatever its file says.
    own.push(0..1);
    let own = own.finish();
    for from in (0..needed).step_by(PIECE as usize) {
        let bits = bitmap.read(volume, geometry, from, (needed - from).min(PIECE) as usize)?;
        free.push_clear(
            &bits,
            from * 8..geometry.clusters,
            &own,
            |run| geometry.bytes(run),
            |taken| {
                let at = bitmap.place(geometry, taken / 8).unwrap_or_default();
                let what = format!("calls cluster {taken} free, which a file of the system's own takes");
                Error::corrupt(what).at_offset(volume.disk_offset(at)).with_hint(CHECK)
            },
        )?;
    }
    Ok(())
}
