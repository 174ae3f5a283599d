//! What is measured: a command of vimage and one of the tools that people use for the same.

mod compaction;
mod compressed;
mod packages;
mod plain;
mod questions;
mod vast;

use crate::limits::Part;

/// A pair of commands that do the same. Both run in an empty folder; `$disks` has what they read, outputs are called `disk`.
pub(crate) struct Job {
    /// The table that it stands in.
    pub(crate) group: &'static str,
    /// What is done.
    pub(crate) name: String,
    /// By which tool it is done otherwise.
    pub(crate) beside: String,
    pub(crate) vimage: String,
    /// What is done before each run of the peer, outside the time that is taken.
    pub(crate) before_peer: String,
    pub(crate) peer: String,
    /// How many times as fast as the peer vimage is to be.
    pub(crate) target: Option<f64>,
    /// What the machine has to do in any case.
    pub(crate) limit: Vec<Part>,
    /// How much of the speed that this allows vimage is to reach.
    pub(crate) share: Option<f64>,
}

/// A job of `group`, with the commands of vimage and of its peer.
fn job(
    group: &'static str,
    name: impl Into<String>,
    beside: impl Into<String>,
    vimage: impl Into<String>,
    peer: impl Into<String>,
) -> Job {
    Job {
        group,
        name: name.into(),
        beside: beside.into(),
        vimage: vimage.into(),
        before_peer: String::new(),
        peer: peer.into(),
        target: None,
        limit: Vec::new(),
        share: None,
    }
}

impl Job {
    fn target(self, times: f64) -> Job {
        Job { target: Some(times), ..self }
    }

    fn limit(self, parts: impl Into<Vec<Part>>) -> Job {
        Job { limit: parts.into(), ..self }
    }

    fn share(self, share: f64) -> Job {
        Job { share: Some(share), ..self }
    }

    fn before_peer(self, script: &str) -> Job {
        Job { before_peer: script.into(), ..self }
    }

    /// Whether one of `words` is in what it is called, or there are none.
    pub(crate) fn is_one_of(&self, words: &[String]) -> bool {
        let called = format!("{}: {}, beside {}", self.group, self.name, self.beside);
        words.is_empty() || words.iter().any(|word| called.contains(word))
    }
}

/// Every job, in the order of the tables.
pub(crate) fn all() -> Vec<Job> {
    [compressed::jobs(), plain::jobs(), questions::jobs(), compaction::jobs(), packages::jobs(), vast::jobs()]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_tell_jobs_apart() {
        let jobs = all();
        let names: HashSet<_> = jobs.iter().map(|job| (&job.name, &job.beside)).collect();
        assert_eq!(names.len(), jobs.len());
    }

    #[test]
    fn words_choose_jobs() {
        let job = job("Tables", "raw → vdi", "qemu-img", "", "");
        assert!(
            job.is_one_of(&[]) && job.is_one_of(&["vmdk".into(), "→ vdi".into()]) && job.is_one_of(&["Tab".into()])
        );
        assert!(!job.is_one_of(&["vmdk".into()]));
    }
}
