//! `vimage measure`

use super::convert::only;
use super::{Answer, open_options};
use crate::args::{MeasureArgs, TrimArg};
use crate::output;
use crate::progress::Progress;
use crate::size::Size;
use serde::Serialize;
use vimage_core::{ConvertOptions, Result, Trim, measure, open};

pub(super) fn run(args: &MeasureArgs) -> Result<Answer> {
    let (format, create) = only(&args.output)?;
    // A name is part of what some formats write.
    let path = args.source.with_extension(format.extension());
    let mut opening = open_options(args.source_format.as_ref(), &args.open);
    opening.snapshot.clone_from(&args.output.snapshot);
    let source = open(&args.source, &opening)?;
    let options = ConvertOptions {
        create,
        allow_external: args.open.trust.allow_external,
        max_size: args.open.limit.max_size(),
        trim: args.output.trim.map_or(Trim::No, TrimArg::trim),
        ..ConvertOptions::to(format.name())
    };
    let progress = Progress::new("Measuring", args.progress.progress, false);
    let files = measure(&source, &path, &options, &progress)?;
    drop(progress);
    let report = Report {
        required: files.iter().map(|file| file.size).sum(),
        written: files.iter().map(|file| file.allocated).sum(),
        files: files.len(),
    };
    if args.json {
        output::json("measure", &report)?;
    } else {
        let several = if report.files > 1 { format!(" in {} files", report.files) } else { String::new() };
        let size = |bytes| format!("{bytes} ({})", Size(bytes));
        output::line(&format!("required size: {}{several}", size(report.required)))?;
        output::line(&format!("of that stored: {}", size(report.written)))?;
    }
    Ok(Answer::Yes)
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    /// Bytes that the files would be long.
    required: u64,
    /// Bytes that would be written: the rest are holes.
    written: u64,
    files: usize,
}
