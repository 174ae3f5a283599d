//! Runs a command and takes its time, memory and output.

use crate::place::Place;
use crate::{memory, sources};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// One run of one command.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Seconds on the wall.
    pub(crate) wall: f64,
    /// Seconds of processor, in the programs and in the kernel.
    pub(crate) cpu: f64,
    /// The most memory that a program held, in KiB.
    pub(crate) peak: u64,
    /// Bytes of its output, or of storage where the output has holes.
    pub(crate) output: u64,
}

/// Runs `command` once, after `before`, which is not measured. `last` is what came of its run before, if there was one.
pub(crate) fn measure(place: &Place, before: &str, command: &str, last: Option<&Figures>) -> Result<Figures, String> {
    settle(place, before)?;
    sources::read(place, command)?;
    // Nothing makes much more of its source.
    let output = last.map_or_else(|| sources::size(place, command), |last| Ok(last.output))?;
    memory::ready(output)?;
    let (notes, faults) = (place.run.join("time"), place.run.join("faults"));
    let heard = std::fs::File::create(&faults).map_err(|error| format!("{}: {error}", faults.display()))?;
    let begun = Instant::now();
    let status = place
        .command(&["/usr/bin/time", "-f", "%U %S %M", "-o", &notes.display().to_string()], command)
        .stdout(Stdio::null())
        .stderr(heard)
        .status()
        .map_err(|error| format!("/usr/bin/time: {error}"))?;
    let wall = begun.elapsed().as_secs_f64();
    let text = |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    if !status.success() {
        return Err(format!("{command}: {}", text(&faults)?.trim()));
    }
    let text = text(&notes)?;
    let figures: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [user, system, peak] = figures[..] else { return Err(format!("/usr/bin/time printed {text:?}")) };
    Ok(Figures { wall, cpu: user + system, peak: peak as u64, output: stored(&place.run)? })
}

/// Brings the machine into the state from which every run begins, with what `before` makes in the folder of outputs.
pub(crate) fn settle(place: &Place, before: &str) -> Result<(), String> {
    // The last output goes first: what is replaced would have to be freed meanwhile.
    place.empty()?;
    if !before.is_empty() {
        place.prepare(before)?;
    }
    // What the run before left to be written to the disk would be written during this one.
    Command::new("sync").status().map_err(|error| format!("sync: {error}"))?;
    Ok(())
}

/// Bytes of storage that the outputs take, which are all called `disk`; other files are steps on the way to them.
fn stored(folder: &Path) -> Result<u64, String> {
    use std::os::unix::fs::MetadataExt;
    let entries = folder.read_dir().map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut bytes = 0;
    for entry in entries {
        let entry = entry.map_err(|error| error.to_string())?;
        if entry.file_name().as_encoded_bytes().starts_with(b"disk") {
            let data = entry.metadata().map_err(|error| error.to_string())?;
            bytes += data.len().min(data.blocks() * 512);
        }
    }
    Ok(bytes)
}
