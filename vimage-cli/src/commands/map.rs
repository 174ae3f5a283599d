//! `vimage map`

use super::{Answer, open_options};
use crate::args::MapArgs;
use crate::output;
use crate::progress::Progress;
use serde::Serialize;
use vimage_core::{Content, Error, Extent, Extents, Result, open};

pub(super) fn run(args: &MapArgs) -> Result<Answer> {
    let mut options = open_options(args.format.as_ref(), &args.open);
    options.snapshot.clone_from(&args.snapshot);
    let image = open(&args.image, &options)?;
    let progress = Progress::new("Mapping", None, true);
    let extents = || Extents::of(&image).watched_by(&progress);
    // Line by line: a disk may have millions of runs.
    if args.json {
        // What is printed is a whole document or none.
        extents().try_for_each(|extent| extent.map(drop))?;
        let mut before = "[";
        for extent in extents() {
            let text = serde_json::to_string(&Run::of(&extent?));
            let text = text.map_err(|cause| Error::io("cannot write JSON", cause.into()))?;
            output::text(&format!("{before}{text}"))?;
            before = ",\n";
        }
        output::line(if before == "[" { "[]" } else { "]" })?;
    } else {
        output::line("         start          length  depth       in file at")?;
        for extent in extents() {
            let extent = extent?;
            if extent.content.is_data() {
                output::line(&row(&extent))?;
            }
        }
    }
    Ok(Answer::Yes)
}

fn row(extent: &Extent) -> String {
    let place = match extent.at {
        Some(at) => format!("{at:#x}"),
        None if extent.content == Content::Packed => "compressed".into(),
        None => "-".into(),
    };
    let (start, len) = (extent.range.start, extent.range.end - extent.range.start);
    format!("{start:#14x}  {len:#14x}  {:5}  {place:>15}", extent.depth)
}

/// A run in qemu-img's words.
#[derive(Serialize)]
struct Run {
    start: u64,
    length: u64,
    depth: usize,
    present: bool,
    zero: bool,
    data: bool,
    compressed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
}

impl Run {
    fn of(extent: &Extent) -> Self {
        Run {
            start: extent.range.start,
            length: extent.range.end - extent.range.start,
            depth: extent.depth,
            present: extent.content != Content::Hole,
            zero: !extent.content.is_data(),
            data: extent.content.is_data(),
            compressed: extent.content == Content::Packed,
            offset: extent.at,
        }
    }
}
