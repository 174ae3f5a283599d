//! Damaged and lying descriptors, chains of parents, pieces that do not fit, and files that are no images.

#![allow(clippy::unwrap_used)]

mod support;

use support::hostile::descriptor;
use support::{Folder, MIB};
use vimage_fixtures::vmdk::variants;

/// Lays the fixtures' image of that name, the expected names of whose files are given.
fn lay(name: &str, files: &[&str]) -> Folder {
    let folder = Folder::new();
    let variant = variants().into_iter().find(|variant| variant.name == name).unwrap();
    assert!(!variant.sound);
    variant.write(&folder.path("")).unwrap();
    folder.expect(files);
    folder
}

#[test]
fn a_parent_that_was_changed_since() {
    let folder = lay("delta-wrong-cid-sparse", &["child.vmdk", "sparse.vmdk"]);
    folder.refuses("child.vmdk", "sparse.vmdk", &["not the parent", "0badc1d4", "0badc1d5", "hint:"]);
}

#[test]
fn a_parent_that_is_the_child_itself() {
    let folder = lay("delta-self-sparse", &["sparse.vmdk"]);
    folder.refuses("sparse.vmdk", "sparse.vmdk", &["chain of parents"]);
}

#[test]
fn two_parents_in_a_circle() {
    let folder = lay("delta-cycle-sparse", &["child.vmdk", "sparse.vmdk"]);
    folder.refuses("sparse.vmdk", "sparse.vmdk", &["chain of parents"]);
    folder.refuses("child.vmdk", "child.vmdk", &["chain of parents"]);
}

#[test]
fn a_parent_that_is_missing_or_has_no_name() {
    let folder = lay("delta-wrong-cid-sparse", &["child.vmdk", "sparse.vmdk"]);
    folder.remove("sparse.vmdk");
    folder.refuses("child.vmdk", "sparse.vmdk", &["missing", "hint:"]);
    folder.put("child.vmdk", descriptor("RW 8 ZERO").replace("parentCID=ffffffff", "parentCID=00000002"));
    folder.refuses("child.vmdk", "child.vmdk", &["parent", "does not name it"]);
}

#[test]
fn a_chain_of_parents_without_an_end() {
    let folder = Folder::new();
    for number in 0..300 {
        let parent = format!("parentCID=00000001\nparentFileNameHint=\"{}.vmdk\"", number + 1);
        folder.put(&format!("{number}.vmdk"), descriptor("RW 8 ZERO").replace("parentCID=ffffffff", &parent));
    }
    folder.refuses("0.vmdk", "0.vmdk", &["200 images"]);
    folder.put("200.vmdk", descriptor("RW 8 ZERO"));
    folder.run("digest 1.vmdk").succeeds();
}

#[test]
fn a_descriptor_over_a_mebibyte() {
    let folder = Folder::new();
    let comments = "# nobody reads this\n".repeat(MIB as usize / 20 + 1);
    folder.put("disk.vmdk", descriptor("RW 8 ZERO") + &comments);
    folder.refuses("disk.vmdk", "disk.vmdk", &["descriptor of", "1048576 is the most"]);
    // As large a one as is allowed is no trouble either.
    folder.put("disk.vmdk", &(descriptor("RW 8 ZERO") + &comments)[..MIB as usize]);
    folder.run_tight("digest disk.vmdk").succeeds();
    folder.put("disk.vmdk", descriptor("") + &"\n".repeat(MIB as usize - 200));
    folder.refuses("disk.vmdk", "disk.vmdk", &["names no extent"]);
}

#[test]
fn a_disk_that_only_begins_as_a_descriptor() {
    let folder = Folder::new();
    folder.put("disk.img", descriptor("RW 8 ZERO"));
    std::fs::File::options().write(true).open(folder.path("disk.img")).unwrap().set_len(1 << 40).unwrap();
    // A NUL ends a text, so this is one; said to be raw it is a disk of 1 TiB.
    folder.run_tight("info disk.img").succeeds().says(&["vmdk"]);
    folder.run_tight("info -f raw disk.img").succeeds().says(&["raw", "1 TiB"]);
}

#[test]
fn a_line_that_begins_as_an_extent_and_is_none() {
    let folder = Folder::new();
    for line in ["RW 8", "RW -8 ZERO", "RW 8 NOVEL \"x\"", "RW 8 FLAT \"x", "RW 8 FLAT \"x\" 0 0", "rdonly x ZERO"] {
        folder.describe("disk.vmdk", &format!("RW 8 ZERO\n{line}"));
        folder.refuses("disk.vmdk", "disk.vmdk", &["line 7", &line.replace('"', "\\\"")]);
    }
}

#[test]
fn a_descriptor_without_extents() {
    let folder = Folder::new();
    folder.describe("disk.vmdk", "");
    folder.refuses("disk.vmdk", "disk.vmdk", &["names no extent"]);
    folder.put("disk.vmdk", "# Disk DescriptorFile\n");
    folder.refuses("disk.vmdk", "disk.vmdk", &["names no extent"]);
}

#[test]
fn identifiers_that_are_no_numbers() {
    let folder = Folder::new();
    for key in ["CID", "parentCID"] {
        folder.put("disk.vmdk", descriptor(&format!("{key}=none\nRW 8 ZERO")));
        folder.refuses("disk.vmdk", "disk.vmdk", &[key, "\"none\""]);
    }
}

/// A name that is printed as it is could rename a terminal's window, or erase the line that complains of it.
#[test]
fn control_characters_are_not_passed_on_to_the_terminal() {
    let (evil, folder) = ("\u{1b}]0;owned\u{7}", Folder::new());
    let named = descriptor(&format!("RW 8 FLAT \"{evil}\" 0"));
    let texts = [
        ("a file's name", named.clone()),
        ("a file's name that may not be read", named.replace("RW", "NOACCESS")),
        ("a file's name and its offset", named.replace("\" 0", "\" 18446744073709551615")),
        ("the kind of disk", descriptor("RW 8 ZERO").replace("custom", evil)),
        ("the hardware", descriptor(&format!("ddb.virtualHWVersion = \"{evil}\"\nRW 8 ZERO"))),
        ("the parent", descriptor(&format!("parentCID=1\nparentFileNameHint=\"{evil}\"\nRW 8 ZERO"))),
        ("an identifier", descriptor(&format!("CID={evil}\nRW 8 ZERO"))),
        ("no extent at all", descriptor(&format!("RW 8 {evil}"))),
    ];
    let mut passed = Vec::new();
    for (what, text) in texts {
        folder.put("disk.vmdk", text);
        for line in ["info disk.vmdk", "digest disk.vmdk", "info disk.vmdk --json"] {
            let mut command = folder.command(line);
            // As on a terminal: otherwise escape sequences are taken out, ours too.
            command.env("CLICOLOR_FORCE", "1");
            let outcome = support::run(command);
            if outcome.stdout.contains(['\u{7}']) || outcome.stderr.contains(['\u{7}']) {
                passed.push(format!("{line}: {what}"));
            }
        }
    }
    assert_eq!(passed, [""; 0]);
}

#[test]
fn a_later_piece_opened_by_itself() {
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw pieces --split 3M -O raw", &["pieces.001", "pieces.002", "pieces.003"]);
    folder.refuses("pieces.002", "pieces.002", &["one piece of several", "hint: name the first, pieces.001"]);
    folder.run("info pieces.003").fails(&["pieces.003", "pieces.001"]);
}

/// Also right behind the first: what is left must not pass for the whole disk.
#[test]
fn pieces_with_a_gap() {
    for (there, missing, behind) in [(&[1, 2, 4][..], 3, 4), (&[1, 3], 2, 3), (&[1, 3, 4, 5], 2, 3)] {
        let folder = Folder::new();
        for number in there {
            folder.put(&format!("disk.raw.{number:03}"), [1; 1024]);
        }
        let [missing, behind] = [missing, behind].map(|number| format!("disk.raw.{number:03}"));
        folder.refuses("disk.raw.001", &missing, &["missing", &format!("{behind} is there"), "hint:"]);
    }
}

#[test]
fn pieces_of_odd_lengths() {
    for (one, two, three) in [(1024, 512, 1024), (1024, 2048, 1024), (1024, 1024, 2048), (1024, 0, 1024), (0, 1024, 1)]
    {
        let folder = Folder::new();
        for (number, length) in [(1, one), (2, two), (3, three)] {
            folder.put(&format!("disk.raw.{number:03}"), vec![number; length]);
        }
        folder.refuses("disk.raw.001", "disk.raw.00", &[&format!("{one} bytes"), "hint:"]);
    }
}

#[test]
fn what_is_no_file_at_all() {
    let folder = Folder::new();
    folder.refuses("nowhere.raw", "nowhere.raw", &["No such file"]);
    folder.run_tight("info nowhere.raw").fails(&["nowhere.raw", "No such file"]);
    folder.run_tight("info /dev/zero").fails(&["/dev/zero", "not a file", "hint:"]);
    folder.run_tight("info .").fails(&["directory", "hint:"]);
    std::process::Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap();
    folder.expect(&["pipe"]);
    folder.refuses("pipe", "pipe", &["is a pipe", "hint:"]);
    folder.run_tight("info -").fails(&["-"]);
    folder.run_tight("convert - out.raw").fails(&["standard input"]);
}

#[test]
fn an_image_that_is_not_of_the_format_it_is_said_to_be() {
    let folder = Folder::with(&["one-sector"]);
    folder.run_tight("digest -f vmdk one-sector.raw").fails(&["one-sector.raw", "names no extent"]);
    folder.run_tight("info -f qcow2 one-sector.raw").fails(&["one-sector.raw", "is no qcow2 image"]);
    folder.run_tight("info -f vdi one-sector.raw").fails(&["one-sector.raw", "is no VDI"]);
    folder.run_tight("info -f qed one-sector.raw").fails(&[
        "no format \"qed\"",
        "hint:",
        "qcow2",
        "vmdk",
        "vdi",
        "raw",
    ]);
}
