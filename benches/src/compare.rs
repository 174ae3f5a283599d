//! Runs the jobs in pairs.

use crate::Options;
use crate::growth;
use crate::jobs::{self, Job};
use crate::limits::Limit;
use crate::measure::measure;
use crate::place::Place;
use crate::results::{Pair, Results};
use crate::setup::Setup;
use crate::{report, sources};

/// A peer that takes longer than this many seconds is not run only to warm up: what a first run does differently is lost in it, and the
/// sources are in memory anyway.
const LONG: f64 = 3.0;

/// Most pairs of a job that has nothing to reach.
const FEW: usize = 3;

/// Runs every job that was asked for and that has no row yet; returns the names of those that failed.
pub(crate) fn all(options: &Options) -> Result<Vec<String>, String> {
    let place = Place::new(&options.folder, options.outputs.as_ref().unwrap_or(&options.folder), &options.vimage)?;
    let mut results = Results::open(&options.folder)?;
    results.begin(Setup::here(&place)?)?;
    let mut failed = Vec::new();
    for job in jobs::all().iter().filter(|job| job.is_one_of(&options.only)) {
        if options.only.is_empty() && results.row(job).is_some() {
            continue;
        }
        // Hours of other jobs are not given up for one.
        let is_held = job.target.or(job.share).is_some();
        match pairs(&place, job, if is_held { options.runs } else { options.runs.min(FEW) }) {
            Ok(pairs) => {
                eprint!("{}", report::row(job, &pairs));
                results.keep(job, pairs)?;
            }
            Err(error) => {
                eprintln!("{} beside {}: {error}", job.name, job.beside);
                failed.push(format!("{} beside {}", job.name, job.beside));
            }
        }
    }
    failed.extend(growth::all(&place, options, &mut results)?);
    Ok(failed)
}

fn pairs(place: &Place, job: &Job, runs: usize) -> Result<Vec<Pair>, String> {
    sources::make(place, &[&job.vimage, &job.before_peer, &job.peer])?;
    let limit = Limit::prepare(place, &job.limit)?;
    let pair = |last: Option<&Pair>| -> Result<Pair, String> {
        let vimage = measure(place, "", &job.vimage, last.map(|last| &last.vimage))?;
        // Right behind each other: what the limit leaves of the caches and the memory would be for one of them alone.
        let peer = measure(place, &job.before_peer, &job.peer, last.map(|last| &last.peer))?;
        Ok(Pair { vimage, peer, limit: limit.measure(place, vimage.output)? })
    };
    let first = pair(None)?;
    let mut pairs = if first.peer.wall > LONG { vec![first] } else { Vec::new() };
    while pairs.len() < runs {
        pairs.push(pair(pairs.last().or(Some(&first)))?);
    }
    Ok(pairs)
}
