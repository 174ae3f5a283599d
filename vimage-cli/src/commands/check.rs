//! `vimage check`

use super::{Answer, open_options};
use crate::args::CheckArgs;
use crate::output;
use crate::output::shown;
use crate::progress::Progress;
use serde::Serialize;
use std::borrow::Cow;
use vimage_core::formats::{Finding, Findings, Severity};
use vimage_core::{Result, check};

pub(super) fn run(args: &CheckArgs) -> Result<Answer> {
    let progress = Progress::new("Checking", None, true);
    let found = check(&args.image, &open_options(args.format.as_ref(), &args.open), &progress)?;
    drop(progress);
    if args.json {
        output::json("check", &Report::new(&args.image.to_string_lossy(), &found))?;
    } else if !args.quiet {
        for finding in &found.list {
            output::line(&shown(&finding.to_string()))?;
        }
        output::line(&summary(&found))?;
    }
    Ok(if found.is_clean() { Answer::Yes } else { Answer::No })
}

fn summary(found: &Findings) -> String {
    if found.is_clean() {
        return "No faults were found.".into();
    }
    let words = [
        (Severity::Corruption, "corruption", "corruptions"),
        (Severity::Risk, "risk", "risks"),
        (Severity::Leak, "leak", "leaks"),
    ];
    let counted: Vec<_> = words
        .into_iter()
        .map(|(severity, one, many)| (found.count(severity), one, many))
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    let total: u64 = words.into_iter().map(|(severity, ..)| found.count(severity)).sum();
    let more = total - found.list.len() as u64;
    let more = if more > 0 { format!(" ({more} more than are listed)") } else { String::new() };
    format!("{} found{more}", counted.join(", "))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    filename: &'a str,
    corruptions: u64,
    risks: u64,
    leaks: u64,
    findings: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    severity: &'static str,
    filename: Option<Cow<'a, str>>,
    offset: Option<u64>,
    message: &'a str,
}

impl<'a> Report<'a> {
    fn new(filename: &'a str, found: &'a Findings) -> Self {
        let line = |finding: &'a Finding| Line {
            severity: finding.severity.name(),
            filename: finding.path.as_ref().map(|path| path.to_string_lossy()),
            offset: finding.offset,
            message: &finding.message,
        };
        Report {
            filename,
            corruptions: found.count(Severity::Corruption),
            risks: found.count(Severity::Risk),
            leaks: found.count(Severity::Leak),
            findings: found.list.iter().map(line).collect(),
        }
    }
}
