//! Outputs: nothing that exists is touched unasked, a source never, and what fails leaves nothing behind.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, hard_link};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;
use support::namespace::{run_on_tmpfs, unprivileged};
use support::{Folder, VIMAGE, disk, run};

const KINDS: [&str; 5] =
    ["monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized"];

#[test]
fn an_output_that_exists_is_left_alone() {
    let folder = Folder::with(&["dense"]);
    folder.put("out.raw", "precious");
    folder.put("out.vmdk", "precious");
    for line in ["out.raw", "out.vmdk", "out.vmdk -c", "out.vmdk --split 2G", "out.vmdk -o subformat=monolithicFlat"] {
        folder.fails(&format!("convert dense.raw {line}"), &["exists already", "hint: --force", &line[..6]]);
    }
    assert_eq!((folder.text("out.raw"), folder.text("out.vmdk")), ("precious".into(), "precious".into()));
}

#[test]
fn any_one_of_several_outputs_counts() {
    for (there, options) in [
        ("out-s002.vmdk", "out.vmdk --split 3M"),
        ("out-f003.vmdk", "out.vmdk --split 3M -o subformat=twoGbMaxExtentFlat"),
        ("out-flat.vmdk", "out.vmdk -o subformat=monolithicFlat"),
        ("out.raw.003", "out.raw --split 3M"),
    ] {
        let folder = Folder::with(&["dense"]);
        folder.put(there, "precious");
        folder.fails(&format!("convert dense.raw {options}"), &[there, "exists already"]);
        assert_eq!(folder.text(there), "precious");
    }
}

#[test]
fn force_replaces_what_exists() {
    for kind in KINDS {
        let folder = Folder::with(&["dense", "one-sector"]);
        folder.run(&format!("convert one-sector.raw out.vmdk -o subformat={kind} -q")).succeeds();
        folder.names().iter().for_each(|name| folder.expect(&[name]));
        folder.makes(&format!("convert dense.raw out.vmdk -o subformat={kind} --force"), &[]);
        folder.same("out.vmdk", "dense.raw");
    }
}

#[test]
fn a_failure_leaves_the_old_output_as_it_was() {
    let folder = Folder::new();
    folder.lay_sparse();
    let entry = folder.entry();
    folder.poke_u32(entry, u32::MAX);
    folder.put("out.raw", "precious");
    folder.fails("convert odd-capacity.vmdk out.raw --force", &["past the end"]);
    assert_eq!(folder.text("out.raw"), "precious");
}

#[test]
fn a_source_is_never_overwritten() {
    let folder = Folder::with(&["dense"]);
    let before = folder.read("dense.raw");
    hard_link(folder.path("dense.raw"), folder.path("other.raw")).unwrap();
    folder.expect(&["other.raw"]);
    for target in ["dense.raw", "./dense.raw", "other.raw"] {
        folder.fails(&format!("convert dense.raw {target} --force"), &["never overwritten", "hint:"]);
        folder.fails(&format!("convert dense.raw {target} --force -O vmdk"), &["never overwritten"]);
    }
    assert!(folder.read("dense.raw") == before);
}

#[test]
fn nor_is_any_file_that_a_source_is_made_of() {
    let folder = Folder::with(&["dense"]);
    let split = ["split.vmdk", "split-s001.vmdk", "split-s002.vmdk", "split-s003.vmdk"];
    folder.makes("convert dense.raw split.vmdk --split 3M", &split);
    let pieces = ["p.001", "p.002", "p.003"];
    folder.makes("convert dense.raw p -O raw --split 3M", &pieces);
    let before: Vec<_> = split.iter().chain(&pieces).map(|name| folder.read(name)).collect();
    for target in split {
        folder.fails(&format!("convert split.vmdk {target} --force -O raw"), &[target, "never overwritten"]);
    }
    folder.fails("convert split.vmdk split.vmdk --split 4M --force", &["never overwritten"]);
    for target in pieces {
        folder.fails(&format!("convert p.001 {target} --force -O raw"), &[target, "never overwritten"]);
    }
    folder.fails("convert p.001 p -O raw --split 4M --force", &["never overwritten"]);
    // Not even as a surplus piece of the new output.
    folder.fails("convert p.001 p -O raw --split 1G --force", &["never overwritten"]);
    let after: Vec<_> = split.iter().chain(&pieces).map(|name| folder.read(name)).collect();
    assert!(before == after);
}

#[test]
fn nor_is_a_parent() {
    let folder = Folder::new();
    let variant = vimage_fixtures::vmdk::variants().into_iter().find(|variant| variant.name == "delta-hosted-sparse");
    variant.unwrap().write(&folder.path("")).unwrap();
    folder.expect(&["child.vmdk", "sparse.vmdk"]);
    folder.fails("convert child.vmdk sparse.vmdk --force", &["sparse.vmdk", "never overwritten"]);
}

#[test]
fn a_link_is_replaced_and_not_what_it_points_to() {
    let folder = Folder::with(&["one-sector"]);
    folder.put("precious", "precious");
    for target in ["precious", "one-sector.raw", "nowhere"] {
        symlink(target, folder.path("out.raw")).unwrap();
        folder.expect(&["out.raw"]);
        folder.fails("convert one-sector.raw out.raw", &["exists already"]);
        folder.makes("convert one-sector.raw out.raw --force", &[]);
        assert!(folder.path("out.raw").symlink_metadata().unwrap().is_file());
        folder.remove("out.raw");
    }
    assert_eq!(folder.text("precious"), "precious");
}

#[test]
fn a_device_or_a_pipe_is_no_target() {
    let folder = Folder::with(&["one-sector"]);
    for options in ["", "--force"] {
        folder.fails(
            &format!("convert one-sector.raw /dev/null -O raw {options}"),
            &["/dev/null", "not a regular file", "hint:"],
        );
    }
    std::process::Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap();
    folder.expect(&["pipe"]);
    folder.fails("convert one-sector.raw pipe -O vmdk --force", &["pipe", "not a regular file"]);
    fs::create_dir(folder.path("folder-flat.vmdk")).unwrap();
    folder.expect(&["folder-flat.vmdk"]);
    folder.fails(
        "convert one-sector.raw folder.vmdk -o subformat=monolithicFlat --force",
        &["folder-flat.vmdk", "not a regular file"],
    );
}

#[test]
fn a_folder_that_is_missing() {
    let folder = Folder::with(&["dense"]);
    for kind in KINDS {
        let line = format!("convert dense.raw no/out.vmdk -o subformat={kind}");
        folder.fails(&line, &["no/out", "folder no", "No such file"]);
    }
    folder.fails("convert dense.raw no/out.raw", &["no/out.raw", "folder no", "No such file"]);
    folder.fails("convert dense.raw dense.raw/out.raw", &["Not a directory"]);
}

#[test]
fn a_folder_named_as_target_that_is_missing() {
    let folder = Folder::with(&["dense"]);
    let outcome = folder.fails("convert dense.raw no/ -O raw", &["no/"]);
    assert!(outcome.stderr.contains("director") || outcome.stderr.contains("folder"), "{outcome}");
    assert!(!outcome.stderr.contains("finished output"), "found only once the work was done: {outcome}");
}

#[test]
fn a_name_as_long_as_names_may_be() {
    let folder = Folder::with(&["one-sector"]);
    let name = format!("{}.vmdk", "n".repeat(250));
    folder.makes(&format!("convert one-sector.raw {name}"), &[&name]);
    folder.fails(&format!("convert one-sector.raw n{name}"), &["name too long"]);
}

#[test]
fn a_folder_that_cannot_be_written_to() {
    let source = Folder::with(&["one-sector"]);
    let path = source.path("one-sector.raw");
    let place = tempfile::tempdir().unwrap();
    let script = format!("\"$VIMAGE\" convert {} out.vmdk; status=$?; ls -A; exit $status", path.display());
    if let Some(outcome) = run_on_tmpfs(place.path(), "ro", &script) {
        let outcome = outcome.fails(&["out.vmdk", "cannot write in the folder", "Read-only file system"]);
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn a_folder_that_one_may_not_write_to() {
    let folder = Folder::with(&["one-sector"]);
    let closed = folder.path("closed");
    fs::create_dir(&closed).unwrap();
    folder.expect(&["closed"]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let Some(mut command) = unprivileged(&folder, &[]) else { return };
    command.args(["convert", "one-sector.raw", "closed/out.raw"]);
    run(command).fails(&["closed/out.raw", "cannot write in the folder", "Permission denied"]);
    assert_eq!(closed.read_dir().unwrap().count(), 0);
}

#[test]
fn a_source_that_one_may_not_read() {
    let folder = Folder::with(&["one-sector"]);
    fs::set_permissions(folder.path("one-sector.raw"), fs::Permissions::from_mode(0o000)).unwrap();
    let Some(mut command) = unprivileged(&folder, &[]) else { return };
    command.args(["convert", "one-sector.raw", "out.vmdk"]);
    run(command).fails(&["one-sector.raw", "cannot open", "Permission denied"]);
}

/// As any new file: what the user's mask leaves.
#[test]
fn an_output_has_the_rights_of_a_new_file() {
    let folder = Folder::with(&["one-sector"]);
    for (mask, mode) in [("022", 0o644), ("027", 0o640), ("077", 0o600)] {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("umask {mask}; exec \"$0\" \"$@\""), VIMAGE]).current_dir(folder.path(""));
        command.args(["convert", "one-sector.raw", "out.vmdk", "--split", "2G", "--force"]);
        run(command).succeeds();
        for name in ["out.vmdk", "out-s001.vmdk"] {
            folder.expect(&[name]);
            assert_eq!(folder.path(name).metadata().unwrap().permissions().mode() & 0o777, mode, "{name}");
        }
    }
}

/// A temporary file is nothing that anybody asked for, and its name no cause.
#[test]
fn messages_name_no_temporary_file() {
    let folder = Folder::with(&["one-sector"]);
    let outcome = folder.fails("convert one-sector.raw no/out.raw", &["no/out.raw"]);
    assert!(!outcome.stderr.contains("vimage-part"), "{outcome}");
}

/// The files whose names begin with `out`, and their bytes.
fn outputs(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    let names = folder.names().into_iter().filter(|name| name.starts_with("out"));
    names.map(|name| (name.clone(), folder.read(&name))).collect()
}

/// Of two at once that may replace what is there, each gives all of its names or none: in the end, all is of one of them.
#[test]
fn two_runs_that_replace() {
    for options in ["out.raw --split 1M --digest sha256", "out.raw --split 3M", "out.vmdk --split 1M"] {
        let folder = Folder::with(&["dense", "odd-capacity"]);
        let command = |source: &str| folder.command(&format!("convert {source}.raw {options} --force -q"));
        let clear = || outputs(&folder).keys().for_each(|name| fs::remove_file(folder.path(name)).unwrap());
        let alone = ["dense", "odd-capacity"].map(|source| {
            run(command(source)).succeeds();
            let made = outputs(&folder);
            clear();
            made
        });
        for round in 0..12 {
            let new = outputs(&folder).is_empty();
            let both = ["dense", "odd-capacity"].map(|source| command(source).stderr(Stdio::piped()).spawn().unwrap());
            let both = both.map(|child| child.wait_with_output().unwrap());
            let codes = both.each_ref().map(|output| output.status.code().unwrap());
            assert!(codes.iter().all(|code| [0, 2].contains(code)) && (!new || codes.contains(&0)), "{both:?}");
            let there = outputs(&folder);
            // Extents of a longer disk that no descriptor names may be there, too.
            let of = |made: &&BTreeMap<_, _>| made.iter().all(|(name, bytes)| there.get(name) == Some(bytes));
            let one = alone.iter().find(of);
            assert!(one.is_some_and(|one| options.contains("vmdk") || *one == there), "{options}: {:?}", there.keys());
            assert!(!folder.names().iter().any(|name| name.starts_with('.')), "{:?}", folder.names());
            if round % 3 != 0 {
                clear();
            }
        }
        clear();
    }
}

/// Of two at once, one wins and the other says so; what is there is whole, and of one of them.
#[test]
fn two_runs_for_one_output() {
    for options in ["out.raw", "out.vmdk --split 1M", "out.vmdk -c"] {
        let folder = Folder::with(&["dense", "odd-capacity"]);
        let start = |source: &str| {
            let mut command = folder.command(&format!("convert {source}.raw {options} -q"));
            command.stderr(Stdio::piped()).spawn().unwrap()
        };
        let both = [start("dense"), start("odd-capacity")].map(|child| child.wait_with_output().unwrap());
        let codes = both.each_ref().map(|output| output.status.code().unwrap());
        assert!(codes == [0, 2] || codes == [2, 0], "{options}: {both:?}");
        let (winner, loser) = if codes[0] == 0 { ("dense", &both[1]) } else { ("odd-capacity", &both[0]) };
        assert!(String::from_utf8_lossy(&loser.stderr).contains("out"), "{both:?}");
        folder.same(options.split(' ').next().unwrap(), &format!("{winner}.raw"));
        let made = folder.names();
        assert!(made.iter().all(|name| !name.starts_with('.')), "{made:?}");
        if options.contains("split") {
            let each = 1 << 20;
            assert!(made.len() as u64 <= 3 + disk(winner).size.div_ceil(each * 8 / 10), "{made:?}");
        }
        made.iter().for_each(|name| folder.expect(&[name]));
    }
}
