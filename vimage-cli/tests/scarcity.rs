//! What a system can be short of: room on the disk, lengths of files, threads, somebody who reads the messages. It is
//! said as what it is, and nothing stays behind.

#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::PermissionsExt;
use support::{Folder, MIB, Outcome, VIMAGE, namespace::run_on_tmpfs, namespace::unprivileged};
use vimage_fixtures::{Disk, Fill, Run};

/// Converts the disk of 8 MiB that does not compress to much less to a file system of 3 MiB, and lists what is there.
fn fill_up(options: &str, before: &str) -> Option<Outcome> {
    let folder = Folder::with(&["dense"]);
    let source = folder.path("dense.raw");
    let place = tempfile::tempdir().unwrap();
    let convert = format!("\"$VIMAGE\" convert {} {options} -q", source.display());
    run_on_tmpfs(place.path(), "size=3m", &format!("{before}\n{convert}; status=$?; ls -A; exit $status"))
}

#[test]
fn every_kind_says_that_the_disk_is_full_and_leaves_nothing() {
    for options in [
        "out.raw",
        "out.raw --split 1M",
        "out.vmdk -o subformat=monolithicSparse",
        "out.vmdk -o subformat=monolithicFlat",
        "out.vmdk -o subformat=twoGbMaxExtentSparse",
        "out.vmdk -o subformat=twoGbMaxExtentFlat",
        "out.vmdk -o subformat=streamOptimized",
        "out.vmdk --split 1M",
        "out.vmdk --split 1M -o subformat=twoGbMaxExtentFlat",
        "out.qcow2",
        "out.qcow2 -c",
        "out.vdi",
        "out.raw.zst",
        "out.ova",
    ] {
        let Some(outcome) = fill_up(options, "") else { return };
        let outcome = outcome.fails(&["out", "cannot write", "No space left", "hint: free space"]);
        assert_eq!(outcome.stdout, "", "{options}");
    }
}

#[test]
fn what_was_to_be_replaced_is_still_there() {
    for options in ["out.raw --force", "out.vmdk -c --force", "out.vmdk --split 1M --force"] {
        let Some(outcome) = fill_up(options, "echo precious > out.raw; cp out.raw out.vmdk; cp out.raw out-s001.vmdk")
        else {
            return;
        };
        assert_eq!(outcome.fails(&["No space left"]).stdout, "out-s001.vmdk\nout.raw\nout.vmdk\n");
    }
}

/// Room for the files, and none for what a run notes while it gives them their names.
#[test]
fn no_more_files_to_be_had() {
    let folder = Folder::with(&["dense"]);
    let place = tempfile::tempdir().unwrap();
    let convert = format!("\"$VIMAGE\" convert {} out.vmdk --split 3M -q", folder.path("dense.raw").display());
    let script = format!("{convert}; status=$?; ls -A; exit $status");
    // The folder, three extents and their descriptor.
    if let Some(outcome) = run_on_tmpfs(place.path(), "size=20m,nr_inodes=5", &script) {
        assert_eq!(outcome.fails(&["out.vmdk", "No space left"]).stdout, "");
    }
}

/// An image is written anew beside itself: where there is no room for that, it stays as it is.
#[test]
fn an_image_that_cannot_be_compacted_stays_as_it_is() {
    let folder = Folder::with(&["dense"]);
    for (image, options) in [("image.qcow2", ""), ("image.vmdk", "--split 3M"), ("image.raw.001", "--split 3M")] {
        let place = tempfile::tempdir().unwrap();
        let target = image.trim_end_matches(".001");
        let convert = format!("\"$VIMAGE\" convert {} {target} {options} -q", folder.path("dense.raw").display());
        let compact = format!("sum=$(cat image* | cksum)\n\"$VIMAGE\" compact {image} -q; status=$?");
        let script = format!(
            "{convert} || exit 98\n{compact}\n[ \"$sum\" = \"$(cat image* | cksum)\" ] || exit 97\nls -A | grep '^[.]'\nexit $status"
        );
        let Some(outcome) = run_on_tmpfs(place.path(), "size=12m", &script) else { return };
        assert_eq!(outcome.fails(&["image", "No space left"]).stdout, "", "{image}");
    }
}

/// A disk that is just large enough, so that the failures above are of the disk and of nothing else.
#[test]
fn a_disk_that_is_large_enough_fills_up_to_the_end() {
    let folder = Folder::with(&["odd-capacity"]);
    let place = tempfile::tempdir().unwrap();
    let convert = format!("\"$VIMAGE\" convert {} out.vmdk -q && ls -A", folder.path("odd-capacity.raw").display());
    if let Some(outcome) = run_on_tmpfs(place.path(), "size=3m", &convert) {
        outcome.succeeds().says(&["out.vmdk\n"]);
    }
}

/// A limit on the length of files, as batch systems set one, must not end the process halfway.
#[test]
fn a_limit_on_the_length_of_files() {
    let folder = Folder::with(&["dense"]);
    for options in ["out.raw", "out.vmdk", "out.vmdk -c", "out.qcow2", "out.vdi", "out.raw.zst", "out.ova"] {
        let mut command = std::process::Command::new("sh");
        // In blocks of 512 bytes by the standard, of 1024 in some shells: 1 or 2 MiB.
        command.args(["-c", "ulimit -f 2048; exec \"$0\" \"$@\"", VIMAGE, "convert", "dense.raw"]);
        command.args(options.split(' ')).current_dir(folder.path(""));
        let outcome = support::run(command);
        let left: Vec<_> = folder.names().into_iter().filter(|name| name != "dense.raw").collect();
        left.iter().for_each(|name| std::fs::remove_file(folder.path(name)).unwrap());
        assert_eq!(left, [""; 0], "{outcome}");
        outcome.fails(&["out", "File too large", "hint:"]);
    }
}

/// All extents of a disk stay open until the last is whole.
#[test]
fn a_limit_on_open_files() {
    let folder = Folder::with(&["dense"]);
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "ulimit -n 10; exec \"$0\" \"$@\"",
        VIMAGE,
        "convert",
        "dense.raw",
        "out.vmdk",
        "--split",
        "1M",
    ]);
    command.current_dir(folder.path(""));
    support::run(command).fails(&["out", "Too many open files", "hint: ", "ulimit -n"]);
}

/// Where a container allows no more processes, one thread is enough for the work, or else there is an error that says so.
#[test]
fn no_threads_to_be_had() {
    let folder = Folder::with(&["dense"]);
    std::fs::set_permissions(folder.path(""), PermissionsExt::from_mode(0o777)).unwrap();
    let Some(mut command) = unprivileged(&folder, &["prlimit", "--nproc=1"]) else { return };
    command.args(["convert", "dense.raw", "out.vmdk"]);
    let outcome = support::run(command);
    if outcome.status.code() == Some(0) {
        folder.expect(&["out.vmdk"]);
        folder.same("out.vmdk", "dense.raw");
    } else {
        outcome.fails(&["thread"]);
    }
}

/// Nobody reads the messages any more; the work is to be done all the same.
#[test]
fn standard_error_that_is_closed() {
    let folder = Folder::new();
    let runs = vec![Run { offset: 0, len: 12 * MIB, fill: Fill::Text(1) }];
    folder.disk(&Disk { name: "text", size: 12 * MIB, runs });
    let slowly = || {
        let mut command = folder.command("convert text.raw out.vmdk --level 12 -p --force");
        command.env("RAYON_NUM_THREADS", "1");
        command
    };
    folder.expect(&["out.vmdk"]);
    // It takes long enough for progress to be told.
    let told = support::run(slowly()).ends(0);
    assert!(told.stderr.contains("Converting: "), "{told}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    folder.remove("out.vmdk");
    let ended = slowly().stderr(writer).output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    folder.expect(&["out.vmdk"]);
    folder.same("out.vmdk", "text.raw");
}
