//! What was measured, in a file: it outlasts a run that fails or is stopped.

use crate::jobs::Job;
use crate::measure::Figures;
use crate::setup::Setup;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// What all the rest was measured with, and on.
    Setup(Setup),
    Row(Row),
    Grown(Grown),
}

/// What came of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    job: String,
    beside: String,
    /// The commands, as they were.
    vimage: String,
    peer: String,
    pub(crate) pairs: Vec<Pair>,
}

/// A run of each, one right after the other.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) vimage: Figures,
    pub(crate) peer: Figures,
    /// The seconds that the machine needed meanwhile for what nobody is spared.
    pub(crate) limit: Option<f64>,
}

/// Runs of one command on a disk of some size with some threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grown {
    pub(crate) name: String,
    pub(crate) gib: u64,
    pub(crate) threads: usize,
    /// Bytes of data on the disk.
    pub(crate) data: u64,
    pub(crate) seconds: Vec<f64>,
}

/// The rows of a folder.
pub(crate) struct Results {
    path: PathBuf,
    pub(crate) setup: Option<Setup>,
    rows: Vec<Row>,
    pub(crate) grown: Vec<Grown>,
}

impl Results {
    /// Those that are there, if any.
    pub(crate) fn open(folder: &Path) -> Result<Results, String> {
        let path = folder.join("measured.jsonl");
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| format!("{}: {error}", path.display()))?,
        };
        let mut results = Results { path, setup: None, rows: Vec::new(), grown: Vec::new() };
        for line in text.lines() {
            match serde_json::from_str(line).map_err(|error| format!("{}: {error}", results.path.display()))? {
                Line::Setup(setup) => results.setup = Some(setup),
                Line::Row(row) => results.rows.push(row),
                Line::Grown(grown) => results.grown.push(grown),
            }
        }
        Ok(results)
    }

    /// Says that what is measured now is measured with `setup`. Rows of another are not mixed with these.
    pub(crate) fn begin(&mut self, setup: Setup) -> Result<(), String> {
        match &self.setup {
            Some(other) if *other != setup => Err(format!(
                "{} has rows of another program, machine or tool; move it away to measure all anew\nthere: {other:?}\nhere:  {setup:?}",
                self.path.display()
            )),
            _ => {
                self.setup = Some(setup);
                Ok(())
            }
        }
    }

    /// What came of `job`, if it was measured with the commands that it has now.
    pub(crate) fn row(&self, job: &Job) -> Option<&Row> {
        self.rows.iter().find(|row| {
            let commands = row.vimage == job.vimage && row.peer == job.peer;
            row.is_of(job) && commands
        })
    }

    /// Keeps what came of `job` in place of what came of it before.
    pub(crate) fn keep(&mut self, job: &Job, pairs: Vec<Pair>) -> Result<(), String> {
        self.rows.retain(|row| !row.is_of(job));
        self.rows.push(Row {
            job: job.name.clone(),
            beside: job.beside.clone(),
            vimage: job.vimage.clone(),
            peer: job.peer.clone(),
            pairs,
        });
        self.write()
    }

    /// Keeps `grown` in place of the same before.
    pub(crate) fn keep_grown(&mut self, grown: Grown) -> Result<(), String> {
        let key = |one: &Grown| (one.name.clone(), one.gib, one.threads);
        self.grown.retain(|one| key(one) != key(&grown));
        self.grown.push(grown);
        self.write()
    }

    fn write(&self) -> Result<(), String> {
        let setup = self.setup.iter().cloned().map(Line::Setup);
        let rows = self.rows.iter().cloned().map(Line::Row);
        let grown = self.grown.iter().cloned().map(Line::Grown);
        let mut text = String::new();
        for line in setup.chain(rows).chain(grown) {
            text.push_str(&serde_json::to_string(&line).map_err(|error| error.to_string())?);
            text.push('\n');
        }
        // Whole or not at all: what is there may have taken hours.
        let new = self.path.with_extension("new");
        let write = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &self.path));
        write.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

impl Row {
    fn is_of(&self, job: &Job) -> bool {
        self.job == job.name && self.beside == job.beside
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs;

    fn pair(wall: f64) -> Pair {
        let figures = Figures { wall, cpu: 1.0, peak: 2, output: 3 };
        Pair { vimage: figures, peer: figures, limit: None }
    }

    #[test]
    fn rows_outlast_a_run_and_are_replaced() {
        let folder = std::env::temp_dir().join(format!("vimage-benches-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let setup = Setup { vimage: "vimage 1".into(), digest: "1".into(), machine: "m".into(), tools: Vec::new() };
        let jobs = jobs::all();
        let mut results = Results::open(&folder).unwrap();
        results.begin(setup.clone()).unwrap();
        results.keep(&jobs[0], vec![pair(1.0)]).unwrap();
        results.keep(&jobs[1], vec![pair(2.0)]).unwrap();
        results.keep(&jobs[0], vec![pair(3.0), pair(4.0)]).unwrap();
        let grown = Grown { name: "map".into(), gib: 2, threads: 1, data: 5, seconds: vec![1.5] };
        results.keep_grown(grown.clone()).unwrap();

        let mut again = Results::open(&folder).unwrap();
        assert_eq!(again.rows.len(), 2);
        let walls = |job| again.row(job).map(|row| row.pairs.iter().map(|pair| pair.vimage.wall).collect::<Vec<_>>());
        assert_eq!(walls(&jobs[0]), Some(vec![3.0, 4.0]));
        assert_eq!(walls(&jobs[1]), Some(vec![2.0]));
        assert_eq!(walls(&jobs[2]), None);
        assert_eq!(again.grown, [grown]);
        // Of another program.
        assert!(again.begin(Setup { digest: "2".into(), ..setup.clone() }).is_err());
        again.begin(setup).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }
}
