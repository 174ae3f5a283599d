//! `vimage verify`

use super::Answer;
use crate::args::VerifyArgs;
use crate::date::{day, now};
use crate::output;
use crate::output::shown;
use crate::progress::Progress;
use crate::size::Size;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use vimage_core::Result;
use vimage_core::operations::verify::{Member, Outcome, Report};
use vimage_core::operations::{PackageKind, VerifyOptions, verify};
use vimage_core::package::Finding;
use vimage_core::package::signature::{Certificate, Signed};

const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

pub(super) fn run(args: &VerifyArgs) -> Result<Answer> {
    let progress = Progress::new("Verifying", None, args.quiet || args.json);
    let options = VerifyOptions { quick: args.quick, now: Some(now()), max_size: args.limit.max_size() };
    let report = verify(&args.package, &options, &progress)?;
    drop(progress);
    if args.json {
        output::json("verify", &Document::new(&args.package.to_string_lossy(), &report))?;
    } else if !args.quiet {
        output::styled(&text(&report))?;
    }
    Ok(if report.is_clean() { Answer::Yes } else { Answer::No })
}

/// All of it for people: the files, who signed, what was found, and how much that is.
fn text(report: &Report) -> String {
    let width = |text: fn(&Member) -> usize| report.members.iter().map(text).max().unwrap_or(0);
    let names = width(|member| shown(&member.name).chars().count());
    let mut lines: Vec<_> = report.members.iter().map(|member| row(member, names)).collect();
    lines.extend(report.signature.as_ref().into_iter().flat_map(signature));
    if !report.findings.is_empty() && !lines.is_empty() {
        lines.push(String::new());
    }
    lines.extend(report.findings.iter().map(finding));
    lines.push(String::new());
    lines.push(summary(report));
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn row(member: &Member, names: usize) -> String {
    let (style, word) = match member.outcome {
        Outcome::Same => (GREEN, "ok"),
        Outcome::Differs => (RED, "differs"),
        Outcome::Absent => (RED, "absent"),
        Outcome::NotCovered => (YELLOW, "not covered"),
        Outcome::Exempt => (DIM, ""),
    };
    let size = member.size.map_or(String::new(), |size| Size(size).to_string());
    let digest = member.algorithm.map_or("", |algorithm| algorithm.word());
    format!("{style}{word:11}{style:#}  {:names$}  {size:>12}  {DIM}{digest}{DIM:#}", shown(&member.name))
}

/// Who signed the manifest, and what there is to say of that.
fn signature(signed: &Signed) -> Vec<String> {
    let (style, word) = if signed.holds { (GREEN, "signed") } else { (RED, "broken") };
    let signer = &signed.signer;
    let bits = signer.key_bits.map_or(String::new(), |bits| format!(", RSA of {bits} bits"));
    let how = format!("{DIM}{}{bits}{DIM:#}", signed.algorithm.word());
    let mut lines = vec![String::new(), format!("{style}{word:11}{style:#}  by {}  {how}", shown(&signer.subject))];
    for certificate in std::iter::once(signer).chain(&signed.chain).filter(|certificate| !certificate.self_signed) {
        lines.push(format!("{:11}  issued by {}", "", shown(&certificate.issuer)));
    }
    if signer.self_signed {
        lines.push(format!("{:11}  self-signed: importers that do not know the signer warn", ""));
    }
    if signed.chained != Some(true) && !signer.self_signed {
        lines.push(format!("{:11}  issuer not in the file, not checked", ""));
    }
    let (from, until) = (day(signer.not_before), day(signer.not_after));
    let (style, note) = match now() {
        now if now > signer.not_after => (YELLOW, ": expired, so vCenter warns"),
        now if now < signer.not_before => (YELLOW, ": not yet, so vCenter warns"),
        _ => (Style::new(), ""),
    };
    lines.push(format!("{:11}  valid from {from} until {style}{until}{note}{style:#}", ""));
    lines
}

fn finding(finding: &Finding) -> String {
    let (style, word) = if finding.broken { (RED, "fault") } else { (YELLOW, "risk") };
    let (place, message) = (shown(&finding.place), shown(&finding.message));
    format!("{style}{word:5}{style:#}  {place}: {message}\n{:5}  {DIM}{}{DIM:#}", "", shown(&finding.effect))
}

fn summary(report: &Report) -> String {
    let counted = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {many}")),
    };
    let files: Vec<_> = [Outcome::Same, Outcome::Differs, Outcome::Absent, Outcome::NotCovered]
        .into_iter()
        .filter_map(|outcome| counted(report.count(outcome), outcome.name(), outcome.name()))
        .collect();
    let broken = report.findings.iter().filter(|finding| finding.broken).count();
    let found = [counted(broken, "fault", "faults"), counted(report.findings.len() - broken, "risk", "risks")];
    let found: Vec<_> = found.into_iter().flatten().collect();
    let found = if found.is_empty() { "nothing to complain of".to_owned() } else { found.join(", ") };
    if files.is_empty() { found } else { format!("{}; {found}", files.join(", ")) }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    filename: &'a str,
    kind: Option<&'static str>,
    clean: bool,
    members: Vec<File<'a>>,
    signature: Option<Signature<'a>>,
    findings: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    filename: &'a str,
    size: Option<u64>,
    algorithm: Option<String>,
    outcome: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Signature<'a> {
    algorithm: String,
    filename: &'a str,
    holds: bool,
    chained: Option<bool>,
    /// The signer's, and then those above it.
    certificates: Vec<Who<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Who<'a> {
    subject: &'a str,
    issuer: &'a str,
    self_signed: bool,
    not_before: String,
    not_after: String,
    expired: bool,
    key_bits: Option<usize>,
}

#[derive(Serialize)]
struct Line<'a> {
    place: &'a str,
    message: &'a str,
    effect: &'a str,
    broken: bool,
}

impl<'a> Document<'a> {
    fn new(filename: &'a str, report: &'a Report) -> Self {
        let file = |member: &'a Member| File {
            filename: &member.name,
            size: member.size,
            algorithm: member.algorithm.map(|algorithm| algorithm.to_string()),
            outcome: member.outcome.name(),
        };
        let line = |finding: &'a Finding| Line {
            place: &finding.place,
            message: &finding.message,
            effect: &finding.effect,
            broken: finding.broken,
        };
        Document {
            filename,
            kind: report.kind.map(kind),
            clean: report.is_clean(),
            members: report.members.iter().map(file).collect(),
            signature: report.signature.as_ref().map(Signature::new),
            findings: report.findings.iter().map(line).collect(),
        }
    }
}

impl<'a> Signature<'a> {
    fn new(signed: &'a Signed) -> Self {
        let who = |certificate: &'a Certificate| Who {
            subject: &certificate.subject,
            issuer: &certificate.issuer,
            self_signed: certificate.self_signed,
            not_before: day(certificate.not_before),
            not_after: day(certificate.not_after),
            expired: now() > certificate.not_after,
            key_bits: certificate.key_bits,
        };
        Signature {
            algorithm: signed.algorithm.to_string(),
            filename: &signed.file,
            holds: signed.holds,
            chained: signed.chained,
            certificates: std::iter::once(&signed.signer).chain(&signed.chain).map(who).collect(),
        }
    }
}

fn kind(kind: PackageKind) -> &'static str {
    match kind {
        PackageKind::Ova => "ova",
        PackageKind::Folder => "ovf",
        PackageKind::Box => "box",
        PackageKind::Tar => "tar",
    }
}
