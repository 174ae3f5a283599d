//! What is measured with, and on.

use crate::cores;
use crate::place::Place;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The program, the machine and the tools of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The version of vimage.
    pub(crate) vimage: String,
    /// The SHA-256 of its program.
    pub(crate) digest: String,
    pub(crate) machine: String,
    /// The peers and their versions.
    pub(crate) tools: Vec<String>,
}

/// The peers, and how each tells its version. zerofree does not.
const TOOLS: [&str; 9] = [
    "qemu-img --version | sed -n 's/ version//; 1p'",
    "7zz | sed -n 's/^\\(7-Zip [^:]*\\) :.*/\\1/p'",
    "zstd --version | sed -n 's/.*v\\([0-9.]*\\).*/zstd \\1/p'",
    "pigz --version 2>&1",
    "dpkg-query -W -f '${Package} ${Version}' zerofree",
    "e2image 2>&1 | sed -n 's/ (.*//; 1p'",
    "cp --version | head -1",
    "sha256sum --version | head -1",
    "tar --version | head -1",
];

impl Setup {
    /// Those of here and now. A tool that is not there is left out: its jobs fail.
    pub(crate) fn here(place: &Place) -> Result<Setup, String> {
        let answer = |script: &str| {
            let output = place.command(&[], script).output().map_err(|error| format!("bash: {error}"))?;
            Ok::<_, String>(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let program = std::fs::read(&place.vimage).map_err(|error| format!("{}: {error}", place.vimage.display()))?;
        let digest = Sha256::digest(&program).iter().map(|byte| format!("{byte:02x}")).collect();
        let processor = answer("sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1")?;
        let memory = answer("sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo")?.parse().unwrap_or(0.0);
        let (kernel, files) = (answer("uname -sr")?, answer("findmnt -n -o FSTYPE -T .")?);
        let machine = format!(
            "{} cores, {processor}; {:.0} GiB of memory; {kernel}; outputs on {files}",
            cores::count(),
            memory / 1_048_576.0
        );
        let tools = TOOLS.iter().map(|script| answer(script)).collect::<Result<Vec<_>, _>>()?;
        let tools = tools.into_iter().filter(|version| !version.is_empty()).collect();
        Ok(Setup { vimage: answer("vimage --version")?, digest, machine, tools })
    }
}
