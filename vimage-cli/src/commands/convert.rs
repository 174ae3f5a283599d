//! `vimage convert`

use super::{Answer, open_options};
use crate::args::{Cache, ConvertArgs, OutputArgs, TrimArg};
use crate::guest;
use crate::guest::{Dropped, Guest};
use crate::output;
use crate::progress::Progress;
use crate::size::Size;
use serde::Serialize;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Instant;
use vimage_core::formats::{Format, by_extension, by_name};
use vimage_core::io::Compression;
use vimage_core::io::archive::split_member;
use vimage_core::io::outputs::Published;
use vimage_core::io::pieces::stem_of_first;
use vimage_core::{Backing, ConvertOptions, Converted, CreateOptions, Error, Image, Result, Trim, convert, open};

pub(super) fn run(args: &ConvertArgs) -> Result<Answer> {
    if is_ova(args) {
        return super::pack::convert(args);
    }
    let begun = Instant::now();
    let (path, format) = target(&args.source, args.target.as_deref(), &args.output)?;
    let options = ConvertOptions {
        format: format.name().into(),
        create: create_options(&args.output)?,
        replace: args.force,
        flush: args.target_cache == Cache::Writeback,
        allow_external: args.open.allow_external,
        trim: args.output.trim.map_or(Trim::No, TrimArg::trim),
        checked: false,
    };
    let mut opening = open_options(args.source_format.as_ref(), &args.open);
    opening.snapshot.clone_from(&args.output.snapshot);
    let source = open(&args.source, &opening)?;
    let progress = Progress::new("Converting", args.show.progress, args.show.quiet);
    let made = convert(&source, &path, &options, &progress)?;
    drop(progress);
    if args.json {
        output::json("convert", &Report::new(&made, format.name(), source.size(), begun))?;
    } else if !args.show.quiet {
        if let Some(survey) = &made.survey {
            output::styled(&guest::table(survey))?;
            output::line(&guest::dropped(&made.dropped))?;
        }
        describe(&made, source.size(), begun)?;
    }
    Ok(Answer::Yes)
}

fn is_ova(args: &ConvertArgs) -> bool {
    let by_name = || args.target.as_ref()?.extension().map(|extension| extension.eq_ignore_ascii_case("ova"));
    args.output.format.as_ref().map_or_else(|| by_name().unwrap_or(false), |format| format == "ova")
}

pub(super) fn create_options(args: &OutputArgs) -> Result<CreateOptions> {
    let mut create = CreateOptions { compress: args.compress, ..CreateOptions::default() };
    args.settings.iter().for_each(|settings| create.settings.extend(settings.clone()));
    create.level = args.level;
    create.split = args.split.map(|size| size.0);
    create.backing = match (&args.backing, &args.backing_format) {
        (Some(name), Some(format)) => Some(Backing { name: name.clone(), format: format.clone() }),
        _ => None,
    };
    Ok(create)
}

/// Where to write and in which format, one found from the other where only one is given.
fn target(source: &Path, target: Option<&Path>, args: &OutputArgs) -> Result<(PathBuf, &'static dyn Format)> {
    for path in [Some(source), target].into_iter().flatten() {
        if path == Path::new("-") {
            return Err(Error::usage("standard input and output cannot be used yet: name a file"));
        }
    }
    let format = match (&args.format, target) {
        (Some(name), _) => by_name(name)?,
        (None, Some(target)) => by_extension(target).ok_or_else(|| {
            Error::usage("its extension does not say which format it is to have")
                .at_path(target)
                .with_hint("add -O FORMAT")
        })?,
        (None, None) => {
            return Err(
                Error::usage("neither a target nor a format is given").with_hint("add -O FORMAT, such as -O vmdk")
            );
        }
    };
    let beside = || {
        // What is made of a member lies beside its archive, and is named after the member.
        let source = split_member(source).map_or(source.to_owned(), |(archive, member)| {
            let name = member.rsplit('/').next().unwrap_or_default();
            archive.with_file_name(name)
        });
        // What is made of `disk.raw.gz` is no longer compressed as a whole.
        let source = if Compression::named(&source).is_some() { source.with_extension("") } else { source };
        // The pieces of a disk are named after the disk.
        let name = stem_of_first(&source).map_or(source.clone(), |stem| source.with_file_name(stem));
        name.with_extension(format.extension())
    };
    let path = match target {
        None => beside(),
        Some(target) if target.as_os_str().as_encoded_bytes().ends_with(b"/") && !target.is_dir() => {
            return Err(Error::usage(format!("there is no folder {}", target.display())).with_hint("make it first"));
        }
        Some(target) if target.is_dir() => target.join(beside().file_name().unwrap_or_default()),
        Some(target) => target.to_owned(),
    };
    if target.is_none() && path == source && args.split.is_none() {
        return Err(Error::usage("the source has this name already").at_path(path).with_hint("name the target"));
    }
    Ok((path, format))
}

fn describe(made: &Converted, capacity: u64, begun: Instant) -> Result<()> {
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
    output::line(&format!("{named}: {} disk in {}{holes}, {seconds:.1} s", Size(capacity), Size(size)))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    format: &'static str,
    virtual_size: u64,
    files: Vec<File<'a>>,
    /// What the guest keeps, where that was looked at.
    guest: Option<Guest<'a>>,
    dropped: Dropped,
    /// The content digest, where it was made on the way.
    content: Option<String>,
    seconds: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct File<'a> {
    filename: Cow<'a, str>,
    size: u64,
    actual_size: u64,
}

impl<'a> File<'a> {
    pub(super) fn new(file: &'a Published) -> Self {
        File { filename: file.path.to_string_lossy(), size: file.size, actual_size: file.allocated }
    }
}

impl<'a> Report<'a> {
    fn new(made: &'a Converted, format: &'static str, virtual_size: u64, begun: Instant) -> Self {
        Report {
            format,
            virtual_size,
            files: made.files.iter().map(File::new).collect(),
            guest: made.survey.as_ref().map(Guest::new),
            dropped: Dropped::new(&made.dropped),
            content: made.content.map(|digest| digest.to_string()),
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}
