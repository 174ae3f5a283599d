//! The table that is printed.

use crate::Options;
use crate::jobs::Job;
use crate::measure::{Figures, Pair};
use std::process::Command;

/// What was measured on, and the table's head.
pub(crate) fn head(options: &Options) -> Result<String, String> {
    let qemu = first_line("qemu-img", &["--version"])?;
    let vimage = first_line(&options.vimage.display().to_string(), &["--version"])?;
    let kernel = first_line("uname", &["-sr"])?;
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let file_system = first_line("stat", &["-f", "-c", "%T", &options.folder.display().to_string()])?;
    Ok(format!(
        "{vimage}; {qemu}; {kernel}; {cores} cores, {}; outputs on {file_system}; {} pairs after a warm-up\n\n\
         | job | vimage s | qemu-img s | times as fast | cpu | size | peak MiB |\n\
         |---|--:|--:|--:|--:|--:|--:|\n",
        processor.trim_start_matches([' ', '\t', ':']),
        options.runs
    ))
}

/// The row of a job: medians, and the ratios of the pairs as median and range.
pub(crate) fn row(job: &Job, pairs: &[Pair]) -> String {
    let ours = |figure: fn(&Figures) -> f64| median(pairs.iter().map(|(ours, _)| figure(ours)).collect());
    let theirs = |figure: fn(&Figures) -> f64| median(pairs.iter().map(|(_, theirs)| figure(theirs)).collect());
    let mut ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| theirs.wall / ours.wall).collect();
    ratios.sort_by(f64::total_cmp);
    let (least, most) = (ratios.first().copied().unwrap_or(0.0), ratios.last().copied().unwrap_or(0.0));
    let cpu = median(pairs.iter().map(|(ours, theirs)| theirs.cpu / ours.cpu.max(0.001)).collect());
    let size = ours(|figures| figures.output as f64) / theirs(|figures| figures.output as f64).max(1.0);
    let size = if size > 0.0 { format!("{size:.3}") } else { "–".into() };
    format!(
        "| {} | {:.2} | {:.2} | {:.2} ({least:.2}–{most:.2}) | {cpu:.1} | {size} | {:.0} / {:.0} |\n",
        job.name,
        ours(|figures| figures.wall),
        theirs(|figures| figures.wall),
        median(ratios.clone()),
        ours(|figures| figures.peak as f64) / 1024.0,
        theirs(|figures| figures.peak as f64) / 1024.0,
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 if middle > 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values.get(middle).copied().unwrap_or(0.0),
    }
}

fn first_line(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).output().map_err(|error| format!("{program}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
