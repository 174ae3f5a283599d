//! `vimage info`

use super::{Answer, of_any_size, package};
use crate::args::InfoArgs;
use crate::output;
use crate::size::Size;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use vimage_core::image::Part;
use vimage_core::operations::{describe_package, is_package};
use vimage_core::{ImageInfo, Result, describe, describe_chain};

pub(super) fn run(args: &InfoArgs) -> Result<Answer> {
    if args.format.is_none() && !args.chain && is_package(&args.image) {
        package::tell(&describe_package(&args.image)?, args.json)?;
        return Ok(Answer::Yes);
    }
    let options = of_any_size(args.format.as_ref(), &args.open);
    if args.chain {
        let links = describe_chain(&args.image, &options)?;
        if args.json {
            let images = links.iter().map(|link| Report::new(&link.path, &link.info, link.allocated)).collect();
            output::json("info", &Chain { images })?;
        } else {
            let texts: Vec<_> = links.iter().map(|link| text(&link.path, &link.info, link.allocated)).collect();
            output::line(&texts.join("\n\n"))?;
        }
        return Ok(Answer::Yes);
    }
    let (info, allocated) = describe(&args.image, &options)?;
    if args.json {
        output::json("info", &Report::new(&args.image, &info, allocated))?;
    } else {
        output::line(&text(&args.image, &info, allocated))?;
    }
    Ok(Answer::Yes)
}

fn text(path: &Path, info: &ImageInfo, allocated: u64) -> String {
    let size = |bytes| format!("{} ({bytes} bytes)", Size(bytes));
    let mut rows = vec![("image", path.display().to_string())];
    let format = info
        .subformat
        .as_ref()
        .map_or(info.format.to_owned(), |kind| format!("{} {}", info.format, kind.escape_debug()));
    rows.push(("format", format));
    rows.push(("virtual size", size(info.virtual_size)));
    let own = if info.parts.is_empty() { "" } else { ", this file alone" };
    rows.push(("size on disk", size(allocated) + own));
    if let Some(unit) = info.unit {
        rows.push(("unit", format!("{}{}", Size(unit), if info.compressed { ", compressed" } else { "" })));
    }
    if let Some(parent) = &info.parent {
        let name = parent.name.as_deref().or(parent.id.as_deref()).unwrap_or_default();
        let format = parent.format.as_ref().map_or(String::new(), |format| format!(" ({})", format.escape_debug()));
        rows.push(("parent", format!("{}{format}", name.escape_debug())));
    }
    rows.extend(info.details.iter().map(|(name, value)| (*name, value.escape_debug().to_string())));
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut lines: Vec<_> =
        rows.into_iter().map(|(name, value)| format!("{:width$}  {value}", name.replace('-', " "))).collect();
    if !info.parts.is_empty() {
        lines.push(format!("{:width$}  {}", "extents", info.parts.len()));
        lines.extend(info.parts.iter().map(|part| format!("  {}", part_text(part))));
    }
    if !info.snapshots.is_empty() {
        lines.push(format!("{:width$}  {}", "snapshots", info.snapshots.len()));
        lines.extend(info.snapshots.iter().map(|snapshot| {
            let (id, name) = (snapshot.id.escape_debug(), snapshot.name.escape_debug());
            format!("  {id:4}  {:>12}  {name}", Size(snapshot.virtual_size).to_string())
        }));
    }
    lines.join("\n")
}

fn part_text(part: &Part) -> String {
    let file = part.file.as_deref().unwrap_or("").escape_debug();
    format!("{:10}  {:>12}  {file}", part.kind, Size(part.size).to_string()).trim_end().to_owned()
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    filename: Cow<'a, str>,
    format: &'static str,
    subformat: Option<&'a str>,
    virtual_size: u64,
    actual_size: u64,
    unit_size: Option<u64>,
    compressed: bool,
    id: Option<&'a str>,
    parent: Option<&'a str>,
    parent_format: Option<&'a str>,
    parent_id: Option<&'a str>,
    snapshots: Vec<Snapshot<'a>>,
    extents: Vec<Extent<'a>>,
    details: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Extent<'a> {
    filename: Option<&'a str>,
    kind: &'a str,
    virtual_size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Snapshot<'a> {
    id: &'a str,
    name: &'a str,
    virtual_size: u64,
}

/// The images of a chain, the topmost first.
#[derive(Serialize)]
struct Chain<'a> {
    images: Vec<Report<'a>>,
}

impl<'a> Report<'a> {
    fn new(path: &'a Path, info: &'a ImageInfo, allocated: u64) -> Self {
        let extent =
            |part: &'a Part| Extent { filename: part.file.as_deref(), kind: &part.kind, virtual_size: part.size };
        let snapshot = |snapshot: &'a vimage_core::image::Snapshot| Snapshot {
            id: &snapshot.id,
            name: &snapshot.name,
            virtual_size: snapshot.virtual_size,
        };
        Report {
            filename: path.to_string_lossy(),
            format: info.format,
            subformat: info.subformat.as_deref(),
            virtual_size: info.virtual_size,
            actual_size: allocated,
            unit_size: info.unit,
            compressed: info.compressed,
            id: info.id.as_deref(),
            parent: info.parent.as_ref().and_then(|parent| parent.name.as_deref()),
            parent_format: info.parent.as_ref().and_then(|parent| parent.format.as_deref()),
            parent_id: info.parent.as_ref().and_then(|parent| parent.id.as_deref()),
            snapshots: info.snapshots.iter().map(snapshot).collect(),
            extents: info.parts.iter().map(extent).collect(),
            details: info.details.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        }
    }
}
