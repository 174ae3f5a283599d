//! `vimage convert`

mod ova;
mod places;
mod report;
mod source;
mod wanted;

pub(super) use places::is_pipe;
pub(super) use report::File;
pub(super) use wanted::only;

use super::Answer;
use crate::args::{Cache, ConvertArgs, DigestArg, TrimArg};
use crate::progress::Progress;
use source::Source;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;
use vimage_core::io::SharedFlow;
use vimage_core::io::hash::Hash;
use vimage_core::operations::{Everywhere, Output, Place, What, convert_all, pack_image_into};
use vimage_core::{Error, ErrorKind, Result, Trim};
use wanted::{Kind, Wanted, wanted};

pub(super) fn run(args: &ConvertArgs) -> Result<Answer> {
    let begun = Instant::now();
    let wanted = wanted(&args.output, args.target.as_deref())?;
    let paths = places::places(&wanted, &args.source, args.target.as_deref())?;
    let pipes = paths.iter().filter(|path| is_pipe(path)).count();
    if pipes > 1 {
        return Err(Error::usage("standard output takes one output"));
    }
    if pipes > 0 && args.json {
        return Err(Error::usage("standard output takes the image, so no JSON").with_hint("name a file"));
    }
    let pipe = if pipes > 0 { Some(crate::pipe::pipe()?) } else { None };
    let progress = Progress::new("Converting", args.show.progress.progress, args.show.quiet);
    let mut source = Source::open(args, &progress)?;
    if pipe.is_some() {
        crate::pipe::check(&source.files())?;
    }
    if let ([Wanted { kind: Kind::Ova, create, .. }], Some(pipe)) = (wanted.as_slice(), &pipe) {
        return pack_away(args, &source, create.level, pipe, progress);
    }
    let outputs = wanted.iter().zip(&paths).map(|(wanted, path)| output(args, wanted, path, &source, pipe.as_ref()));
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    let options = everywhere(args);
    let unseen = source.image().is_none();
    let mut made = match convert_all(source.disk(), &outputs, &options, &progress) {
        // What turned out to be in another order than its own is unpacked into a file first. Nothing was written yet, but to a pipe.
        Err(error) if error.kind() == ErrorKind::Unsupported && unseen && pipe.is_none() => {
            let mut source = source::by_position(args, error)?;
            convert_all(source.disk(), &outputs, &options, &progress)?
        }
        made => made?,
    };
    for ova in made.outputs.iter_mut().filter(|made| unseen && !made.disks.is_empty()) {
        ova.notes.push("it starts by BIOS, as a stream is not looked at before: --spool does".into());
    }
    drop(progress);
    for (hash, digest) in made.outputs.iter().flat_map(|made| &made.digests) {
        // Standard output is taken.
        eprintln!("{hash} {digest}  {}", places::PIPE);
    }
    if args.json {
        report::json(&made, &wanted, begun)?;
    } else if !args.show.quiet {
        let told = report::told(&made, options.content, begun);
        // Standard output is taken by an image.
        if pipe.is_some() { told.iter().for_each(|line| eprintln!("{line}")) } else { report::tell(&made, &told)? }
    }
    Ok(Answer::Yes)
}

/// Where the outputs go that `args` ask for; `-` is standard output.
///
/// # Errors
/// `Usage`.
pub(super) fn outputs(args: &ConvertArgs) -> Result<Vec<PathBuf>> {
    let wanted = wanted(&args.output, args.target.as_deref())?;
    places::places(&wanted, &args.source, args.target.as_deref())
}

/// What holds for all outputs.
fn everywhere(args: &ConvertArgs) -> Everywhere {
    let hash = |digest: &DigestArg| match digest {
        DigestArg::File(hash) => Some(*hash),
        DigestArg::Content => None,
    };
    let hashes: BTreeSet<Hash> = args.digest.iter().filter_map(hash).collect();
    Everywhere {
        replace: args.force,
        flush: args.target_cache == Cache::Writeback,
        allow_external: args.open.trust.allow_external,
        max_size: args.open.limit.max_size(),
        trim: args.output.trim.map_or(Trim::No, TrimArg::trim),
        memory: args.memory.map(|size| size.0),
        hashes: hashes.into_iter().collect(),
        content: args.digest.contains(&DigestArg::Content),
        verify: args.verify,
    }
}

/// The output that was `wanted`, at `path`.
fn output(
    args: &ConvertArgs,
    wanted: &Wanted,
    path: &Path,
    source: &Source,
    pipe: Option<&SharedFlow>,
) -> Result<Output> {
    let place = match pipe.filter(|_| is_pipe(path)) {
        // What an image says of itself has to be a name.
        Some(pipe) => Place::Flow(SharedFlow::clone(pipe), format!("disk.{}", wanted.kind.extension()).into()),
        None => Place::Path(path.to_owned()),
    };
    let what = match wanted.kind {
        Kind::Image(format) => What::Image { format: format.name().into(), create: wanted.create.clone() },
        Kind::Ova => {
            let name = ova::name(Some(path), &disk_name(args));
            let options = ova::options(args, wanted.create.level)?;
            What::Ova(Box::new((ova::appliance(name, source.image())?, options)))
        }
    };
    Ok(Output { what, place })
}

/// What the disk is called where its output has no name.
fn disk_name(args: &ConvertArgs) -> PathBuf {
    places::stem(&args.source).unwrap_or_else(|_| "disk".into())
}

/// An OVA through standard output, for which the disk is read twice: a tar says sizes first.
fn pack_away(
    args: &ConvertArgs,
    source: &Source,
    level: Option<u32>,
    pipe: &SharedFlow,
    progress: Progress,
) -> Result<Answer> {
    let image = source.image().ok_or_else(|| {
        Error::usage("an OVA that goes through a pipe is made by reading the disk twice, and a stream comes once")
            .with_hint("--spool DIR copies the stream into a file there first; or name a file for the OVA")
    })?;
    if args.verify || !args.digest.is_empty() || args.memory.is_some() {
        return Err(Error::usage("--verify, --digest and --memory do not go with an OVA on standard output")
            .with_hint("name a file for the OVA"));
    }
    let appliance = ova::appliance(ova::name(None, &disk_name(args)), Some(image))?;
    let made = pack_image_into(image, &appliance, SharedFlow::clone(pipe), &ova::options(args, level)?, &progress)?;
    drop(progress);
    if !args.show.quiet {
        made.notes.iter().for_each(|note| eprintln!("note: {note}"));
    }
    Ok(Answer::Yes)
}
