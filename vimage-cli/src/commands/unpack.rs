//! `vimage unpack`

use super::Answer;
use super::convert::File;
use crate::args::{Cache, UnpackArgs};
use crate::output;
use crate::output::shown;
use crate::progress::Progress;
use crate::size::Size;
use serde::Serialize;
use std::borrow::Cow;
use std::path::Path;
use std::time::Instant;
use vimage_core::operations::{UnpackOptions, Unpacked, folder_for, unpack};
use vimage_core::{CreateOptions, Error, Result};

/// The most names that a line lists.
const LISTED: usize = 5;

pub(super) fn run(args: &UnpackArgs) -> Result<Answer> {
    let begun = Instant::now();
    for path in [Some(&args.package), args.folder.as_ref()].into_iter().flatten() {
        if path.as_path() == Path::new("-") {
            return Err(Error::usage("standard input and output hold no package: name a file and a folder"));
        }
    }
    let mut create = CreateOptions { compress: args.compress, ..CreateOptions::default() };
    args.settings.iter().for_each(|settings| create.settings.extend(settings.clone()));
    let flush = args.target_cache == Cache::Writeback;
    let max_size = args.limit.max_size();
    let options = UnpackOptions { format: args.format.clone(), create, replace: args.force, flush, max_size };
    let folder = args.folder.clone().unwrap_or_else(|| folder_for(&args.package));
    let progress = Progress::new("Unpacking", args.show.progress.progress, args.show.quiet);
    let unpacked = unpack(&args.package, &folder, &options, &progress)?;
    drop(progress);
    if args.json {
        output::json("unpack", &Report::new(&unpacked, begun.elapsed().as_secs_f64()))?;
    } else if !args.show.quiet {
        tell(&unpacked, begun.elapsed().as_secs_f64())?;
    }
    Ok(Answer::Yes)
}

fn tell(unpacked: &Unpacked, seconds: f64) -> Result<()> {
    for file in &unpacked.files {
        let holes =
            if file.allocated < file.size { format!(", {} on disk", Size(file.allocated)) } else { String::new() };
        output::line(&format!("{}: {}{holes}", shown(&file.path.to_string_lossy()), Size(file.size)))?;
    }
    output::line(&verified(unpacked))?;
    if !unpacked.left_out.is_empty() {
        let names = names(&unpacked.left_out);
        output::line(&format!("left out, as they describe the disks as they were: {names}"))?;
    }
    let count = unpacked.files.len();
    let files = if count == 1 { "file" } else { "files" };
    output::line(&format!("{}: {count} {files}, {seconds:.1} s", shown(&unpacked.folder.to_string_lossy())))
}

/// What was compared, and what could not be.
fn verified(unpacked: &Unpacked) -> String {
    let Some(manifest) = &unpacked.manifest else {
        return "nothing was compared: the package has no manifest".into();
    };
    let manifest = shown(manifest);
    let compared = match unpacked.verified.as_slice() {
        [] => format!("nothing was compared: {manifest} has no digests"),
        verified => format!("as {manifest} has them: {}", names(verified)),
    };
    match unpacked.uncovered.as_slice() {
        [] => compared,
        uncovered => format!("{compared}; it says nothing of {}", names(uncovered)),
    }
}

fn names(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(LISTED).map(|name| shown(name)).collect();
    let more = if names.len() > LISTED { format!(" and {} more", names.len() - LISTED) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    folder: Cow<'a, str>,
    files: Vec<File<'a>>,
    /// The manifest's name, where there is one.
    manifest: Option<&'a str>,
    /// Files that have the digest that it gives.
    verified: &'a [String],
    /// Files that it gives no digest of.
    uncovered: &'a [String],
    /// Files that describe disks that were converted.
    left_out: &'a [String],
    seconds: f64,
}

impl<'a> Report<'a> {
    fn new(unpacked: &'a Unpacked, seconds: f64) -> Self {
        Report {
            folder: unpacked.folder.to_string_lossy(),
            files: unpacked.files.iter().map(File::new).collect(),
            manifest: unpacked.manifest.as_deref(),
            verified: &unpacked.verified,
            uncovered: &unpacked.uncovered,
            left_out: &unpacked.left_out,
            seconds,
        }
    }
}
