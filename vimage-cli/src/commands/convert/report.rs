//! What is said of outputs that were made.

use super::wanted::Wanted;
use crate::commands::pack::PackedDiskReport;
use crate::guest::{self, Dropped, Guest};
use crate::output;
use crate::size::Size;
use serde::Serialize;
use std::borrow::Cow;
use std::time::Instant;
use vimage_core::Result;
use vimage_core::io::outputs::Published;
use vimage_core::operations::{Fanned, Made};

/// Tells a person: what was found of the guest, and what was `told` of the outputs.
pub(super) fn tell(made: &Fanned, told: &[String]) -> Result<()> {
    if let Some(survey) = &made.survey {
        output::styled(&guest::table(survey))?;
        if let [one] = made.outputs.as_slice() {
            output::line(&guest::dropped(&one.dropped))?;
        }
    }
    told.iter().try_for_each(|line| output::line(line))
}

/// The lines of the outputs that are files, and with `content` the digest of what the guest sees.
pub(super) fn told(made: &Fanned, content: bool, begun: Instant) -> Vec<String> {
    let mut lines = Vec::new();
    for one in made.outputs.iter().filter(|one| !one.files.is_empty()) {
        lines.extend(one.notes.iter().map(|note| format!("note: {note}")));
        lines.push(described(one, made.size, begun));
    }
    lines.extend(made.content.filter(|_| content).map(|digest| format!("content: {digest}")));
    lines
}

fn described(made: &Made, capacity: u64, begun: Instant) -> String {
    let size: u64 = made.files.iter().map(|file| file.size).sum();
    let allocated: u64 = made.files.iter().map(|file| file.allocated).sum();
    let seconds = begun.elapsed().as_secs_f64();
    let names: Vec<_> = made.files.iter().map(|file| file.path.display().to_string()).collect();
    let named = match names.as_slice() {
        [one] => one.clone(),
        // The file that a person goes on with: the descriptor, which is last, or the first piece.
        [first, .., last] if first.ends_with(".001") => format!("{first} to {last}"),
        [one, descriptor] => format!("{descriptor} and its extent {one}"),
        [first, .., last] => format!("{last} and its {} extents, {first} and on", names.len() - 1),
        [] => String::new(),
    };
    let holes = if allocated < size { format!(", {} on disk", Size(allocated)) } else { String::new() };
    let capacity = made.disks.first().map_or(capacity, |disk| disk.capacity);
    format!("{named}: {} disk in {}{holes}, {seconds:.1} s", Size(capacity), Size(size))
}

/// Tells a program.
pub(super) fn json(made: &Fanned, wanted: &[Wanted], begun: Instant) -> Result<()> {
    let outputs: Vec<_> = made.outputs.iter().zip(wanted).map(|(made, wanted)| One::new(made, wanted)).collect();
    let (one, several) = match <[One<'_>; 1]>::try_from(outputs) {
        Ok([one]) => (Some(one), None),
        Err(several) => (None, Some(several)),
    };
    let report = Report {
        virtual_size: made.size,
        one,
        outputs: several,
        guest: made.survey.as_ref().map(Guest::new),
        content: made.content.map(|digest| digest.to_string()),
        seconds: begun.elapsed().as_secs_f64(),
    };
    output::json("convert", &report)
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    virtual_size: u64,
    /// The only output.
    #[serde(flatten)]
    one: Option<One<'a>>,
    /// The outputs, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<Vec<One<'a>>>,
    /// What the guest keeps, where that was looked at.
    guest: Option<Guest<'a>>,
    /// The content digest, where it was made on the way.
    content: Option<String>,
    seconds: f64,
}

/// One output.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct One<'a> {
    format: &'static str,
    files: Vec<File<'a>>,
    /// The files of digests beside them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    digest_files: Vec<File<'a>>,
    dropped: Dropped,
    /// The disks of an OVA.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disks: Vec<PackedDiskReport<'a>>,
    /// What an OVA has no way to say.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

impl<'a> One<'a> {
    fn new(made: &'a Made, wanted: &Wanted) -> Self {
        One {
            format: wanted.kind.name(),
            files: made.files.iter().map(File::new).collect(),
            digest_files: made.digest_files.iter().map(File::new).collect(),
            dropped: Dropped::new(&made.dropped),
            disks: made.disks.iter().map(PackedDiskReport::new).collect(),
            notes: &made.notes,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct File<'a> {
    filename: Cow<'a, str>,
    size: u64,
    actual_size: u64,
}

impl<'a> File<'a> {
    pub(crate) fn new(file: &'a Published) -> Self {
        File { filename: file.path.to_string_lossy(), size: file.size, actual_size: file.allocated }
    }
}
