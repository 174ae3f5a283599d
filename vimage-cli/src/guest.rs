//! What was found on a guest's disk, told to people and to programs.

use crate::output::shown;
use crate::size::Size;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{IsTerminal, stdout};
use vimage_core::guest::{Kept, Region, Survey};

const HEAD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

/// Cells of a bar.
const BAR: u64 = 24;

/// A line for each partition and volume; on a terminal with a bar of what is in use, free, and dropped.
pub(crate) fn table(survey: &Survey) -> String {
    if survey.regions.is_empty() {
        return format!("{DIM}no partitions: everything is kept{DIM:#}\n");
    }
    let heads = ["part", "holds", "size", "used", "free", "dropped"].map(str::to_owned);
    let rows: Vec<_> = survey.regions.iter().map(cells).collect();
    let width = |column: usize| {
        let longest = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        longest.max(heads[column].len())
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let aligned = |cells: &[String], columns: std::ops::Range<usize>| {
        let cell = |column: usize| match column {
            0 | 1 => format!("{:1$}", cells[column], widths[column]),
            _ => format!("{:>1$}", cells[column], widths[column]),
        };
        columns.map(cell).collect::<Vec<_>>().join("  ")
    };
    let mut text = format!("{HEAD}{}{HEAD:#}\n", aligned(&heads, 0..6));
    for (region, row) in survey.regions.iter().zip(&rows) {
        match &region.kept {
            None if stdout().is_terminal() => {
                let _ = writeln!(text, "{}  {}", aligned(row, 0..6), bar(region));
            }
            None => {
                let _ = writeln!(text, "{}", aligned(row, 0..6));
            }
            Some(kept) => {
                let style = if kept.fault { YELLOW } else { DIM };
                let _ = writeln!(text, "{}  {style}kept whole: {}{style:#}", aligned(row, 0..3), shown(&kept.reason));
                if let Some(hint) = &kept.hint {
                    let indent = widths[0] + widths[1] + widths[2] + 6;
                    let _ = writeln!(text, "{:indent$}{DIM}hint: {}{DIM:#}", "", shown(hint));
                }
            }
        }
    }
    text
}

fn cells(region: &Region) -> [String; 6] {
    let size = |bytes: Option<u64>| bytes.map_or(String::new(), |bytes| Size(bytes).to_string());
    [
        shown(&region.name),
        region.kind.unwrap_or("?").to_owned(),
        size(Some(region.size)),
        size(region.used()),
        size(region.free),
        size(region.free.map(|_| region.dropped)),
    ]
}

/// Used, dropped and free before, in their proportions.
fn bar(region: &Region) -> String {
    let cells = |bytes: u64| (u128::from(bytes) * u128::from(BAR)).div_ceil(u128::from(region.size.max(1))) as u64;
    let used = cells(region.used().unwrap_or(0)).min(BAR);
    let dropped = cells(region.dropped).min(BAR - used);
    let part = |cell: &str, count: u64| cell.repeat(count as usize);
    let free = part("·", BAR - used - dropped);
    format!("{}{GREEN}{}{GREEN:#}{DIM}{free}{DIM:#}", part("█", used), part("▒", dropped))
}

/// What was left out, in one line.
pub(crate) fn dropped(dropped: &vimage_core::Dropped) -> String {
    let parts = [(dropped.free, "free"), (dropped.swap, "swap"), (dropped.zero, "zero")];
    let parts: Vec<_> =
        parts.iter().filter(|(bytes, _)| *bytes > 0).map(|(bytes, what)| format!("{} {what}", Size(*bytes))).collect();
    if parts.is_empty() { "dropped: nothing".into() } else { format!("dropped: {}", parts.join(", ")) }
}

/// The survey as JSON.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Guest<'a> {
    /// `gpt`, `mbr`, or none.
    table: Option<&'static str>,
    regions: Vec<RegionReport<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct RegionReport<'a> {
    name: &'a str,
    holds: Option<&'static str>,
    start: u64,
    size: u64,
    used: Option<u64>,
    free: Option<u64>,
    dropped: u64,
    kept_whole: Option<KeptReport<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct KeptReport<'a> {
    reason: &'a str,
    hint: Option<&'a str>,
    /// Whether its free space should be known, so that this is a fault or something unfinished.
    fault: bool,
}

impl<'a> Guest<'a> {
    pub(crate) fn new(survey: &'a Survey) -> Self {
        let kept = |kept: &'a Kept| KeptReport { reason: &kept.reason, hint: kept.hint.as_deref(), fault: kept.fault };
        let region = |region: &'a Region| RegionReport {
            name: &region.name,
            holds: region.kind,
            start: region.start,
            size: region.size,
            used: region.used(),
            free: region.free,
            dropped: region.dropped,
            kept_whole: region.kept.as_ref().map(kept),
        };
        Guest { table: survey.table, regions: survey.regions.iter().map(region).collect() }
    }
}

/// Bytes that the source held as data and the result does not, as JSON.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Dropped {
    zero: u64,
    free: u64,
    swap: u64,
}

impl Dropped {
    pub(crate) fn new(dropped: &vimage_core::Dropped) -> Self {
        Dropped { zero: dropped.zero, free: dropped.free, swap: dropped.swap }
    }
}
