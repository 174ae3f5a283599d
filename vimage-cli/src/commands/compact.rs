//! `vimage compact`

use super::convert::File;
use super::{Answer, open_options};
use crate::args::{Cache, CompactArgs, TrimArg};
use crate::guest::{self, Dropped, Guest};
use crate::output;
use crate::progress::Progress;
use crate::size::Size;
use serde::Serialize;
use std::time::Instant;
use vimage_core::formats::by_extension;
use vimage_core::{CompactOptions, Compacted, Error, Result, Trim, compact, describe, punch};

pub(super) fn run(args: &CompactArgs) -> Result<Answer> {
    let begun = Instant::now();
    check_name(args)?;
    let options = CompactOptions {
        open: open_options(args.format.as_ref(), &args.open),
        output: args.output.clone(),
        trim: if args.no_trim { Trim::No } else { args.trim.map_or(Trim::Yes, TrimArg::trim) },
        drop_snapshots: args.drop_snapshots,
        replace: args.force,
        flush: args.target_cache == Cache::Writeback,
        dry_run: args.dry_run,
    };
    let progress = Progress::new("Compacting", args.show.progress.progress, args.show.quiet);
    let compacted = if args.punch { punch } else { compact }(&args.image, &options, &progress)?;
    drop(progress);
    let seconds = begun.elapsed().as_secs_f64();
    if args.json {
        output::json("compact", &Report::new(&compacted, args.dry_run, seconds))?;
    } else if !args.show.quiet {
        tell(args, &compacted, seconds)?;
    }
    Ok(Answer::Yes)
}

/// Refuses a target whose name says another format than it is going to have.
fn check_name(args: &CompactArgs) -> Result<()> {
    let Some(output) = &args.output else { return Ok(()) };
    let (info, _) = describe(&args.image, &open_options(args.format.as_ref(), &args.open))?;
    match by_extension(output) {
        Some(format) if format.name() != info.format => {
            Err(Error::usage(format!("compact keeps the format, which is {}", info.format))
                .at_path(output)
                .with_hint(format!("vimage convert --trim makes a {} of it", format.name())))
        }
        _ => Ok(()),
    }
}

fn tell(args: &CompactArgs, compacted: &Compacted, seconds: f64) -> Result<()> {
    let (made, after) = (&compacted.made, Stored::after(compacted));
    if let Some(survey) = &made.survey {
        output::styled(&guest::table(survey))?;
    }
    output::line(&guest::dropped(&made.dropped))?;
    let name = args.output.as_ref().unwrap_or(&args.image).display();
    // Of a sparse file the length says little.
    let (before, now) = match compacted.size_before == after.size {
        true => (compacted.allocated_before, after.actual_size),
        false => (compacted.size_before, after.size),
    };
    let verb = if args.dry_run { "would go" } else { "went" };
    let change = match before.checked_sub(now) {
        Some(less) if before > 0 => format!("{:.0} % less", less as f64 * 100.0 / before as f64),
        _ => "no less".into(),
    };
    let time = if args.dry_run { "nothing was written".into() } else { format!("{seconds:.1} s") };
    output::line(&format!("{name}: {verb} from {} to {} ({change}), {time}", Size(before), Size(now)))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    dry_run: bool,
    virtual_size: u64,
    before: Stored,
    after: Stored,
    files: Vec<File<'a>>,
    /// What the guest keeps, where that was looked at.
    guest: Option<Guest<'a>>,
    dropped: Dropped,
    seconds: f64,
}

/// What all files of an image take together, in bytes.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Stored {
    size: u64,
    actual_size: u64,
}

impl Stored {
    fn after(compacted: &Compacted) -> Self {
        let files = &compacted.made.files;
        Stored {
            size: files.iter().map(|file| file.size).sum(),
            actual_size: files.iter().map(|file| file.allocated).sum(),
        }
    }
}

impl<'a> Report<'a> {
    fn new(compacted: &'a Compacted, dry_run: bool, seconds: f64) -> Self {
        let made = &compacted.made;
        Report {
            dry_run,
            virtual_size: compacted.virtual_size,
            before: Stored { size: compacted.size_before, actual_size: compacted.allocated_before },
            after: Stored::after(compacted),
            files: made.files.iter().map(File::new).collect(),
            guest: made.survey.as_ref().map(Guest::new),
            dropped: Dropped::new(&made.dropped),
            seconds,
        }
    }
}
