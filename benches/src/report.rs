//! The text and the plot of what was measured.

use crate::growth::{self, SIZES, THREADS};
use crate::jobs::{self, Job};
use crate::measure::Figures;
use crate::numbers::{median, range};
use crate::plot::{self, Bar};
use crate::results::{Grown, Pair, Results};
use crate::setup::Setup;
use std::fmt::Write;

/// What goes into README.md, and beside it.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) plot: String,
}

/// Tells of all that was measured.
pub(crate) fn report(results: &Results) -> Result<Report, String> {
    let setup = results.setup.as_ref().ok_or("nothing was measured yet")?;
    let jobs = jobs::all();
    let rows: Vec<(&Job, &[Pair])> =
        jobs.iter().filter_map(|job| results.row(job).map(|row| (job, row.pairs.as_slice()))).collect();
    let text =
        [head(setup, &rows), tables(&rows), misses(&rows), growth(&results.grown), noise(&rows), commands(&rows)];
    Ok(Report { text: text.concat().trim_end().to_owned() + "\n", plot: plot::svg(&bars(&rows)) })
}

fn head(setup: &Setup, rows: &[(&Job, &[Pair])]) -> String {
    let (least, most) = range(rows.iter().map(|(_, pairs)| pairs.len() as f64));
    let pairs = if least == most { format!("{most}") } else { format!("from {least} to {most}") };
    format!(
        "{} (SHA-256 of the program {}…), beside {}. {}. Pairs of each: {pairs}.\n\n\
         ![How many times as fast as its peers vimage is](speed.svg)\n",
        setup.vimage,
        &setup.digest[..setup.digest.len().min(16)],
        setup.tools.join("; "),
        setup.machine,
    )
}

fn tables(rows: &[(&Job, &[Pair])]) -> String {
    let mut text = String::new();
    let mut group = "";
    for (job, pairs) in rows {
        if job.group != group {
            group = job.group;
            let _ = write!(
                text,
                "\n## {group}\n\n\
                 | job | beside | vimage s | peer s | times as fast | target | cpu | size | peak MiB | limit s | share of the limit |\n\
                 |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
            );
        }
        text.push_str(&row(job, pairs));
    }
    text
}

/// The row of a job: medians, and the ratios of the pairs as median and range.
pub(crate) fn row(job: &Job, pairs: &[Pair]) -> String {
    let vimage = |figure: fn(&Figures) -> f64| median(pairs.iter().map(|pair| figure(&pair.vimage)));
    let peer = |figure: fn(&Figures) -> f64| median(pairs.iter().map(|pair| figure(&pair.peer)));
    let (least, most) = range(times(pairs));
    let cpu = median(pairs.iter().map(|pair| pair.peer.cpu.max(TICK) / pair.vimage.cpu.max(TICK)));
    let size = vimage(|figures| figures.output as f64) / peer(|figures| figures.output as f64).max(1.0);
    let share = share(pairs).map(|share| match job.share {
        Some(least) => format!("{share:.2} (≥ {least:.2})"),
        None => format!("{share:.2}"),
    });
    let none = || "–".to_owned();
    format!(
        "| {} | {} | {:.2} | {:.2} | {:.2} ({least:.2}–{most:.2}) | {} | {cpu:.1} | {} | {:.0} / {:.0} | {} | {} |\n",
        job.name,
        job.beside,
        vimage(|figures| figures.wall),
        peer(|figures| figures.wall),
        median(times(pairs)),
        job.target.map_or_else(none, |target| target.to_string()),
        if size > 0.0 { format!("{size:.3}") } else { none() },
        vimage(|figures| figures.peak as f64) / 1024.0,
        peer(|figures| figures.peak as f64) / 1024.0,
        limits(pairs).map_or_else(none, |limits| format!("{:.2}", median(limits))),
        share.unwrap_or_else(none),
    )
}

/// The least time that /usr/bin/time tells of, in seconds.
const TICK: f64 = 0.01;

/// How many times as long the peer took, pair by pair.
fn times(pairs: &[Pair]) -> impl Iterator<Item = f64> {
    pairs.iter().map(|pair| pair.peer.wall / pair.vimage.wall)
}

/// The limits of the pairs, if the job has one.
fn limits(pairs: &[Pair]) -> Option<Vec<f64>> {
    pairs.iter().map(|pair| pair.limit).collect()
}

/// How much of the speed that the machine allows was reached.
fn share(pairs: &[Pair]) -> Option<f64> {
    limits(pairs).map(|limits| median(limits.iter().zip(pairs).map(|(limit, pair)| limit / pair.vimage.wall)))
}

/// The rows that fall short of what they are to reach.
fn misses(rows: &[(&Job, &[Pair])]) -> String {
    let mut missed = Vec::new();
    let mut wanted = 0;
    for (job, pairs) in rows {
        let reached = [(job.target, Some(median(times(pairs))), "times"), (job.share, share(pairs), "of the limit")];
        for (target, reached, what) in reached {
            let (Some(target), Some(reached)) = (target, reached) else { continue };
            wanted += 1;
            if reached < target {
                missed.push(format!("- {}, beside {}: {reached:.2} {what}, not {target}\n", job.name, job.beside));
            }
        }
    }
    let reached = wanted - missed.len();
    let colon = if missed.is_empty() { "." } else { ", all but these:" };
    format!("\n{reached} of {wanted} targets and shares are reached{colon}\n\n{}", missed.concat())
}

fn growth(grown: &[Grown]) -> String {
    if grown.is_empty() {
        return String::new();
    }
    let mut text = "\n## Growth\n\n\
        | job | disk GiB | data GiB | 1 thread s | 2 threads s | 1 thread, s a GiB of data | 2 threads, s a GiB of data | 1 thread / 2 threads |\n\
        |---|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for name in growth::names() {
        for gib in SIZES {
            let of = |threads| grown.iter().find(|one| one.name == name && one.gib == gib && one.threads == threads);
            let [Some(one), Some(two)] = THREADS.map(of) else { continue };
            let data = one.data as f64 / (1_u64 << 30) as f64;
            let [one, two] = [one, two].map(|grown| median(grown.seconds.iter().copied()));
            let (per_one, per_two, ratio) = (one / data, two / data, one / two);
            let _ = writeln!(
                text,
                "| {name} | {gib} | {data:.2} | {one:.2} | {two:.2} | {per_one:.2} | {per_two:.2} | {ratio:.2} |"
            );
        }
    }
    text
}

/// How far single runs lie apart.
fn noise(rows: &[(&Job, &[Pair])]) -> String {
    let spread = |values: Vec<f64>| {
        let (least, most) = range(values.iter().copied());
        100.0 * (most - least) / median(values)
    };
    let vimage = rows.iter().map(|(_, pairs)| spread(pairs.iter().map(|pair| pair.vimage.wall).collect()));
    let peers = rows.iter().map(|(_, pairs)| spread(pairs.iter().map(|pair| pair.peer.wall).collect()));
    let limit = rows.iter().filter_map(|(_, pairs)| limits(pairs)).map(spread);
    let told = |spreads: Vec<f64>| format!("{:.0} % (at most {:.0} %)", median(spreads.clone()), range(spreads).1);
    format!(
        "\n## Noise\n\nFrom its quickest to its slowest run, a row's times lie apart by so much of their median, in the row that is the \
         median of all: vimage's {}, its peers' {}, the limits' {}.\n",
        told(vimage.collect()),
        told(peers.collect()),
        told(limit.collect())
    )
}

fn commands(rows: &[(&Job, &[Pair])]) -> String {
    let mut text = "\n<details><summary>The commands</summary>\n".to_owned();
    for (job, _) in rows {
        let _ = write!(text, "\n{}, beside {}:\n\n```sh\n", job.name, job.beside);
        let _ = writeln!(text, "{}", job.vimage);
        if !job.before_peer.is_empty() {
            let _ = writeln!(text, "{} # not measured", job.before_peer);
        }
        let _ = write!(text, "{}\n```\n", job.peer);
    }
    text + "\n</details>\n"
}

fn bars<'a>(rows: &[(&'a Job, &[Pair])]) -> Vec<Bar<'a>> {
    let bar = |(job, pairs): &(&'a Job, &[Pair])| Bar {
        group: job.group,
        name: &job.name,
        beside: &job.beside,
        times: median(times(pairs)),
        range: range(times(pairs)),
        target: job.target,
    };
    rows.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(vimage: f64, peer: f64, limit: Option<f64>) -> Pair {
        let figures = |wall| Figures { wall, cpu: wall * 2.0, peak: 2048, output: 1000 };
        Pair { vimage: figures(vimage), peer: figures(peer), limit }
    }

    #[test]
    fn a_row_has_medians_ranges_and_shares() {
        let jobs = jobs::all();
        let job = jobs.iter().find(|job| job.target == Some(7.0) && job.share.is_some()).unwrap();
        let pairs = [pair(2.0, 10.0, Some(1.0)), pair(1.0, 10.0, Some(0.9)), pair(4.0, 16.0, Some(1.0))];
        let text = row(job, &pairs);
        let cells: Vec<&str> = text.trim().trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells[..2], [job.name.as_str(), &job.beside]);
        let expected = ["2.00", "10.00", "5.00 (4.00–10.00)", "7", "5.0", "1.000", "2 / 2", "1.00", "0.50 (≥ 0.85)"];
        assert_eq!(cells[2..], expected);
        let missed = misses(&[(job, &pairs)]);
        assert!(missed.contains("0 of 2 targets") && missed.contains("5.00 times, not 7"), "{missed}");
        assert!(misses(&[(job, &[pair(1.0, 7.0, Some(0.9))])]).contains("2 of 2 targets and shares are reached."));
    }

    #[test]
    fn growth_is_told_by_the_gib_of_data() {
        let of = |threads, seconds| Grown { name: "raw → qcow2".into(), gib: 4, threads, data: 1 << 29, seconds };
        let text = growth(&[of(1, vec![3.0, 9.0, 4.0]), of(2, vec![2.0])]);
        assert!(text.ends_with("| raw → qcow2 | 4 | 0.50 | 4.00 | 2.00 | 8.00 | 4.00 | 2.00 |\n"), "{text}");
    }
}
