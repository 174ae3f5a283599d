//! `vimage compare`

use super::{Answer, open_options};
use crate::args::CompareArgs;
use crate::output;
use crate::progress::Progress;
use serde::Serialize;
use vimage_core::{Comparison, Image, Result, compare, open};

pub(super) fn run(args: &CompareArgs) -> Result<Answer> {
    let one = open(&args.one, &open_options(args.one_format.as_ref(), &args.open))?;
    let two = open(&args.two, &open_options(args.two_format.as_ref(), &args.open))?;
    let sizes = (one.size(), two.size());
    let comparison = if args.strict && sizes.0 != sizes.1 {
        None
    } else {
        Some(compare(&one, &two, &Progress::new("Comparing", args.progress.progress, args.quiet))?)
    };
    let identical = comparison == Some(Comparison::Identical);
    if args.json {
        let offset = match comparison {
            Some(Comparison::DiffersAt(offset)) => Some(offset),
            _ => None,
        };
        output::json("compare", &Report { identical, offset, virtual_sizes: [sizes.0, sizes.1] })?;
    } else if !args.quiet {
        output::line(&match comparison {
            None => format!("The disks differ in size: {} and {} bytes.", sizes.0, sizes.1),
            Some(Comparison::DiffersAt(offset)) => format!("The disks differ, first at byte {offset}."),
            Some(Comparison::Identical) if sizes.0 != sizes.1 => format!(
                "The disks are identical, but for {} bytes of zeros at the end of the longer one.",
                sizes.0.abs_diff(sizes.1)
            ),
            Some(Comparison::Identical) => "The disks are identical.".into(),
        })?;
    }
    Ok(if identical { Answer::Yes } else { Answer::No })
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    identical: bool,
    /// The first byte that differs.
    offset: Option<u64>,
    virtual_sizes: [u64; 2],
}
