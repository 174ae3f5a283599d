//! The folders of a run, and commands in them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where things are while jobs run.
pub(crate) struct Place {
    /// The sources, `$disks` in commands: links to the disks that were made before, and what is made of them.
    pub(crate) disks: PathBuf,
    /// Where commands run and leave their outputs; emptied before each.
    pub(crate) run: PathBuf,
    /// The program that is measured.
    pub(crate) vimage: PathBuf,
    /// Both folders, removed at the end.
    both: PathBuf,
}

impl Place {
    /// Makes the folders in `outputs`, with links to every disk of `folder`.
    pub(crate) fn new(folder: &Path, outputs: &Path, vimage: &Path) -> Result<Place, String> {
        let whole = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
        let both = whole(outputs)?.join("vimage-benches-outputs");
        let place = Place { disks: both.join("disks"), run: both.join("run"), vimage: whole(vimage)?, both };
        // What a run that was killed has left.
        remove(&place.both)?;
        for folder in [&place.disks, &place.run] {
            std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let entries = folder.read_dir().map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries {
            let name = entry.map_err(|error| error.to_string())?.file_name();
            if Path::new(&name).extension().is_some_and(|ending| ending == "raw" || ending == "qcow2") {
                std::os::unix::fs::symlink(whole(&folder.join(&name))?, place.disks.join(&name))
                    .map_err(|error| format!("{}: {error}", name.display()))?;
            }
        }
        Ok(place)
    }

    /// Empties the folder of outputs.
    pub(crate) fn empty(&self) -> Result<(), String> {
        remove(&self.run)?;
        std::fs::create_dir(&self.run).map_err(|error| format!("{}: {error}", self.run.display()))
    }

    /// `script` for bash in the folder of outputs, behind `wrapper`: a program and its arguments that run what follows them.
    pub(crate) fn command(&self, wrapper: &[&str], script: &str) -> Command {
        let words: Vec<&str> = wrapper.iter().copied().chain(["bash", "-euo", "pipefail", "-c"]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .arg(format!("vimage() {{ \"$VIMAGE\" \"$@\"; }}\n{script}"))
            .env("disks", &self.disks)
            .env("VIMAGE", &self.vimage)
            .env("LC_ALL", "C")
            // Debian keeps zerofree and e2image where only root looks for programs.
            .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
            .current_dir(&self.run);
        command
    }

    /// Runs `script` outside any measuring; what it prints is told when it fails.
    pub(crate) fn prepare(&self, script: &str) -> Result<(), String> {
        let output = self.command(&[], script).output().map_err(|error| format!("bash: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{script}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

impl Drop for Place {
    /// Gigabytes of outputs are not left behind.
    fn drop(&mut self) {
        if let Err(error) = remove(&self.both) {
            eprintln!("vimage-benches: {error}");
        }
    }
}

fn remove(folder: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", folder.display())),
        _ => Ok(()),
    }
}
