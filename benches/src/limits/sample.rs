//! Parts of a disk that stand for all of it.

use super::scan::is_zero;
use crate::cores;
use crate::extents::{cut, data};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

/// Bytes of a sample. Zstandard goes through them in half a second on two cores, deflate in two.
const SAMPLE: usize = 256 << 20;

/// Some of a disk's units, in memory.
pub(super) struct Sample {
    pub(super) units: Vec<Vec<u8>>,
    /// How many times as many there are.
    pub(super) times: f64,
}

/// A sample of the units of `unit` bytes of `file` that are not all zero, evenly spread over them.
pub(super) fn take(file: &File, unit: usize) -> Result<Sample, String> {
    let fault = |error: std::io::Error| format!("taking a sample: {error}");
    let size = file.metadata().map_err(fault)?.len();
    let mut places: Vec<u64> =
        cut(&data(file).map_err(fault)?, unit as u64).iter().map(|run| run.start / unit as u64).collect();
    places.dedup();
    let read = |place: u64, buffer: &mut Vec<u8>| {
        let start = place * unit as u64;
        buffer.resize(unit.min((size - start) as usize), 0);
        file.read_exact_at(buffer, start).map_err(fault)
    };
    let found = Mutex::new(Vec::new());
    cores::each(&places, |place, buffer| {
        read(*place, buffer)?;
        if !is_zero(buffer) {
            found.lock().map_err(|error| error.to_string())?.push(*place);
        }
        Ok(())
    })?;
    let mut found = found.into_inner().map_err(|error| error.to_string())?;
    found.sort_unstable();
    let taken = spread(&found, SAMPLE / unit);
    let units = taken.iter().map(|place| {
        let mut buffer = Vec::new();
        read(*place, &mut buffer).map(|()| buffer)
    });
    Ok(Sample { units: units.collect::<Result<_, _>>()?, times: found.len() as f64 / taken.len().max(1) as f64 })
}

/// At most `most` of `all`, at even distances.
fn spread(all: &[u64], most: usize) -> Vec<u64> {
    let taken = all.len().min(most);
    (0..taken).map(|index| all[index * all.len() / taken]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_all() {
        let all: Vec<u64> = (100..200).collect();
        assert_eq!(spread(&all, 4), [100, 125, 150, 175]);
        assert_eq!(spread(&all, 1000), all);
        assert!(spread(&[], 4).is_empty());
    }
}
