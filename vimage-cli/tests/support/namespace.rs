//! The binary in other surroundings: on file systems that are small or read-only, mounted where no other process sees
//! them, and without the rights of root.

use super::{Folder, Outcome, VIMAGE, left_out, run};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// How to get a private mount namespace here: as root, or as nobody in particular in a namespace of users too.
fn unshare() -> Option<&'static [&'static str]> {
    const WAYS: [&[&str]; 2] = [&["-m"], &["-Urm"]];
    let folder = tempfile::tempdir().unwrap();
    let works = |way: &&[&str]| {
        let mut command = Command::new("unshare");
        command.args(*way).args(["mount", "-t", "tmpfs", "none"]).arg(folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    WAYS.into_iter().find(works)
}

/// Runs a shell `script` in a namespace where `folder` is a tmpfs mounted with `options`; the script finds the binary as
/// `$VIMAGE` and starts in `folder`. None, with the test said to be left out, where that cannot be had.
pub(crate) fn run_on_tmpfs(folder: &Path, options: &str, script: &str) -> Option<Outcome> {
    let Some(way) = unshare() else {
        left_out("no private mount namespace can be had (unshare -m needs root or namespaces of users)");
        return None;
    };
    let mut command = Command::new("unshare");
    let mount = "mount -t tmpfs -o \"$1\" none \"$2\" && cd \"$2\" || exit 99\n";
    command.args(way).args(["sh", "-c", &format!("{mount}{script}"), "sh", options]).arg(folder);
    command.env("VIMAGE", VIMAGE);
    let outcome = run(command);
    assert_ne!(outcome.status.code(), Some(99), "the mount failed: {outcome}");
    Some(outcome)
}

/// The binary behind the words of `wrapper`, to be run in `folder` by somebody whom permissions and limits bind. None, with
/// the test said to be left out, where that cannot be had.
pub(crate) fn unprivileged(folder: &Folder, wrapper: &[&str]) -> Option<Command> {
    const NOBODY: [&str; 3] = ["setpriv", "--reuid=65534", "--clear-groups"];
    let as_nobody: &[&str] = if rustix::process::geteuid().is_root() { &NOBODY } else { &[] };
    let words = || as_nobody.iter().chain(wrapper).copied().chain([VIMAGE]);
    let command = || {
        let mut command = Command::new(words().next().unwrap_or(VIMAGE));
        command.args(words().skip(1)).current_dir(folder.path(""));
        command
    };
    // Others must be able to come here.
    if folder.path("").metadata().unwrap().permissions().mode() & 0o005 == 0 {
        std::fs::set_permissions(folder.path(""), Permissions::from_mode(0o755)).unwrap();
    }
    if command().arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Some(command());
    }
    left_out("the binary cannot be run without the rights of root (setpriv, or where it lies)");
    None
}
