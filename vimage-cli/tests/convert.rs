//! `vimage convert`: every kind there and back, where outputs go, and what the options do.

#![allow(clippy::unwrap_used)]

mod support;

use support::{Folder, disk};

/// Every kind of VMDK and the files that it makes of a small disk called `out`.
const KINDS: [(&str, &[&str]); 5] = [
    ("monolithicSparse", &["out.vmdk"]),
    ("monolithicFlat", &["out.vmdk", "out-flat.vmdk"]),
    ("twoGbMaxExtentSparse", &["out.vmdk", "out-s001.vmdk"]),
    ("twoGbMaxExtentFlat", &["out.vmdk", "out-f001.vmdk"]),
    ("streamOptimized", &["out.vmdk"]),
];

#[test]
fn every_kind_and_disk_there_and_back() {
    for name in ["empty", "one-sector", "sparse", "dense", "odd-capacity", "not-a-sector", "grain-edges"] {
        let mut expected = vec![0; disk(name).size as usize];
        disk(name).read_at(&mut expected, 0);
        for (kind, files) in KINDS {
            let folder = Folder::with(&[name]);
            folder.makes(&format!("convert {name}.raw out.vmdk -o subformat={kind}"), files);
            folder.run("info out.vmdk").succeeds().says(&[&format!("vmdk {kind}")]);
            folder.makes("convert out.vmdk back.raw", &["back.raw"]);
            let back = folder.read("back.raw");
            // VMDKs hold whole sectors.
            assert_eq!(back.len(), expected.len().next_multiple_of(512), "{name} {kind}");
            assert!(back[..expected.len()] == expected, "{name} {kind}");
            assert!(back[expected.len()..].iter().all(|&byte| byte == 0), "{name} {kind}");
        }
    }
}

#[test]
fn the_summary_names_the_files_and_sizes() {
    let folder = Folder::with(&["dense", "two-extents"]);
    let outcome = folder.makes("convert dense.raw out.raw", &["out.raw"]);
    outcome.says(&["out.raw: 8 MiB disk in 8 MiB, "]);
    let outcome = folder.makes(
        "convert two-extents.raw -O vmdk --split 2G",
        &["two-extents.vmdk", "two-extents-s001.vmdk", "two-extents-s002.vmdk"],
    );
    outcome.says(&["two-extents.vmdk and its 2 extents, two-extents-s001.vmdk and on: 2049 MiB disk in "]);
    let outcome = folder.makes("convert dense.raw p.raw --split 4M", &["p.raw.001", "p.raw.002"]);
    outcome.says(&["p.raw.001 to p.raw.002: 8 MiB disk in 8 MiB"]);
    assert_eq!(folder.makes("convert dense.raw quiet.raw -q", &["quiet.raw"]).stdout, "");
}

#[test]
fn without_a_target_it_goes_beside_the_source() {
    let folder = Folder::with(&["one-sector"]);
    folder.makes("convert one-sector.raw -O vmdk", &["one-sector.vmdk"]);
    folder.remove("one-sector.raw");
    folder.makes("convert one-sector.vmdk -O raw", &["one-sector.raw"]);
    // Also when the source is named from elsewhere.
    let elsewhere = Folder::new();
    folder.remove("one-sector.vmdk");
    let source = folder.path("one-sector.raw");
    elsewhere.makes(&format!("convert {} -O vmdk", source.display()), &[]);
    folder.expect(&["one-sector.vmdk"]);
}

#[test]
fn without_a_target_pieces_are_named_after_the_disk() {
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw -O raw --split 4M", &["dense.raw.001", "dense.raw.002"]);
    folder.makes("convert dense.raw.001 -O vmdk", &["dense.vmdk"]);
    folder.same("dense.vmdk", "dense.raw");
}

#[test]
fn a_folder_as_target_takes_it_in() {
    let folder = Folder::with(&["one-sector"]);
    std::fs::create_dir(folder.path("images")).unwrap();
    folder.expect(&["images"]);
    folder.makes("convert one-sector.raw images -O vmdk", &[]);
    folder.makes("convert one-sector.raw images/ -O vmdk -c --force", &[]);
    folder.run("info images/one-sector.vmdk").succeeds().says(&["streamOptimized"]);
    assert_eq!(folder.path("images").read_dir().unwrap().count(), 1);
}

#[test]
fn the_target_s_extension_says_the_format() {
    let folder = Folder::with(&["one-sector"]);
    for (name, format) in [("a.raw", "raw"), ("a.img", "raw"), ("a.vmdk", "vmdk"), ("B.VMDK", "vmdk"), ("B.IMG", "raw")]
    {
        folder.makes(&format!("convert one-sector.raw {name}"), &[name]);
        folder.run(&format!("info {name}")).succeeds().says(&[&format!("format         {format}")[..8]]);
        assert_eq!(folder.run(&format!("info {name} --json")).json("info")["format"], format, "{name}");
    }
    // -O counts for more.
    folder.makes("convert one-sector.raw c.vmdk -O raw", &["c.vmdk"]);
    assert_eq!(folder.read("c.vmdk"), folder.read("one-sector.raw"));
    for name in ["a.qed", "a", "a.", ".vmdk"] {
        folder.fails(&format!("convert one-sector.raw {name}"), &["extension", "hint: add -O"]);
    }
}

#[test]
fn neither_target_nor_format() {
    let folder = Folder::with(&["one-sector"]);
    folder.fails("convert one-sector.raw", &["neither a target nor a format", "hint: add -O"]);
    folder.fails("convert one-sector.raw -O raw", &["one-sector.raw", "hint: name the target"]);
    folder.fails("convert one-sector.raw -O qed", &["no format \"qed\"", "hint:", "raw", "vmdk"]);
    folder.fails("convert one-sector.raw -", &["standard output", "which format", "hint: add -O raw"]);
    folder.fails("convert", &["<SOURCE>"]);
}

#[test]
fn qemus_words_are_understood() {
    let folder = Folder::with(&["one-sector"]);
    for (option, word, written) in [
        ("adapter_type=ide", "adapterType", "ide"),
        ("adapter_type=legacyESX", "adapterType", "legacyESX"),
        ("adapter_type=BusLogic", "adapterType", "buslogic"),
        ("hwversion=13", "virtualHWVersion", "13"),
        ("toolsversion=10304", "toolsVersion", "10304"),
        ("subformat=MONOLITHICFLAT,hwversion=7", "virtualHWVersion", "7"),
    ] {
        for kind in ["monolithicFlat", "streamOptimized"] {
            folder.run(&format!("convert one-sector.raw out.vmdk -o subformat={kind} -o {option} --force")).succeeds();
            let bytes = folder.read("out.vmdk");
            let text = String::from_utf8_lossy(&bytes);
            assert!(text.contains(&format!("ddb.{word} = \"{written}\"\n")), "{option}: {text}");
        }
    }
    folder.expect(&["out.vmdk", "out-flat.vmdk"]);
    folder.run("info out.vmdk").succeeds().says(&["hardware version  7"]);
}

#[test]
fn a_descriptor_says_what_vmware_expects_of_it() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert sparse.raw out.vmdk -o subformat=monolithicFlat", &["out.vmdk", "out-flat.vmdk"]);
    let text = folder.text("out.vmdk");
    assert!(text.starts_with("# Disk DescriptorFile\nversion=1\n"), "{text}");
    for line in [
        "parentCID=ffffffff",
        "createType=\"monolithicFlat\"",
        "RW 131072 FLAT \"out-flat.vmdk\" 0",
        "ddb.adapterType = \"lsilogic\"",
        "ddb.geometry.cylinders = \"64\"",
        "ddb.geometry.heads = \"64\"",
        "ddb.geometry.sectors = \"32\"",
        "ddb.virtualHWVersion = \"4\"",
        "ddb.toolsVersion = \"2147483647\"",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
    let cid = text.lines().find_map(|line| line.strip_prefix("CID=")).unwrap();
    assert!(cid.len() == 8 && cid.bytes().all(|digit| digit.is_ascii_hexdigit()), "{cid}");
}

#[test]
fn wrong_options_are_refused_and_the_right_ones_listed() {
    let folder = Folder::with(&["one-sector"]);
    for (options, words) in [
        (
            "-o subformt=streamOptimized",
            &["\"subformt\"", "hint:", "subformat, adapter_type, hwversion, toolsversion"][..],
        ),
        ("-o zeroed_grain=on", &["\"zeroed_grain\"", "subformat"]),
        ("-o subformat=thin", &["\"thin\"", "monolithicSparse", "twoGbMaxExtentFlat", "streamOptimized"]),
        ("-o adapter_type=sata", &["\"sata\"", "ide", "buslogic", "lsilogic", "legacyESX"]),
        ("-o hwversion=new", &["hwversion", "number", "\"new\""]),
        ("-o toolsversion=-1", &["toolsversion", "number"]),
        ("-o streamOptimized", &["\"streamOptimized\""]),
    ] {
        folder.fails(&format!("convert one-sector.raw out.vmdk {options}"), words);
    }
    folder.fails("convert one-sector.raw out.raw -o subformat=monolithicFlat", &["raw has no options", "subformat"]);
}

#[test]
fn compression_by_c_and_by_level() {
    let folder = Folder::with(&["dense"]);
    for options in ["-c", "--level 1", "-c --level 12", "-c -o subformat=streamOptimized"] {
        folder.run(&format!("convert dense.raw out.vmdk --force {options}")).succeeds();
        folder.run("info out.vmdk").succeeds().says(&["streamOptimized", "64 KiB, compressed"]);
    }
    folder.expect(&["out.vmdk"]);
    let size = |level: u32| {
        folder.run(&format!("convert dense.raw out.vmdk --force --level {level}")).succeeds();
        folder.same("out.vmdk", "dense.raw");
        folder.read("out.vmdk").len() as u64
    };
    // Level 0 stores: the disk, a header, and for each grain a marker and its sector.
    let (stored, fast, slow) = (size(0), size(1), size(12));
    assert!(stored > 8 << 20 && stored < 9 << 20, "{stored}");
    assert!(fast < stored * 3 / 4 && slow < fast, "{stored} {fast} {slow}");
}

#[test]
fn compression_where_there_is_none() {
    let folder = Folder::with(&["one-sector"]);
    folder.fails("convert one-sector.raw out.vmdk --level 13", &["level 13", "0 to 12"]);
    folder.fails("convert one-sector.raw out.vmdk --level -1", &["-1"]);
    folder.fails("convert one-sector.raw out.raw -c", &["raw", "not compressed", "hint:", "streamOptimized"]);
    folder.fails("convert one-sector.raw out.raw --level 5", &["raw", "not compressed"]);
    for kind in ["monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"] {
        let line = format!("convert one-sector.raw out.vmdk -c -o subformat={kind}");
        folder.fails(&line, &[kind, "not compressed", "hint:", "streamOptimized"]);
    }
}

#[test]
fn progress_is_shown_where_it_is_asked_for_and_nothing_else() {
    let folder = Folder::with(&["one-sector"]);
    // Too short for a bar.
    folder.makes("convert one-sector.raw out.vmdk -p", &["out.vmdk"]);
    folder.fails("convert one-sector.raw b.vmdk -p -q", &["cannot be used with"]);
    folder.fails("convert one-sector.raw b.vmdk --json -q", &["cannot be used with"]);
}

#[test]
fn help_is_there_for_every_command() {
    let folder = Folder::new();
    for command in ["convert", "info", "compare", "digest"] {
        folder.run("--help").succeeds().says(&[command]);
        folder.run(&format!("{command} --help")).succeeds().says(&["Usage: vimage ", command, "--json", "xample"]);
    }
    folder.run("--help").succeeds().says(&["Exit status"]);
}

#[test]
fn the_version_names_the_program() {
    let version = format!("vimage {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(Folder::new().run("--version").succeeds().stdout, version);
}

/// Also where the parser of the command line finds the fault, which keeps to itself what else an error says.
#[test]
fn a_wrong_value_comes_with_the_right_ones() {
    let folder = Folder::with(&["one-sector"]);
    folder.fails("convert one-sector.raw out.vmdk -o streamOptimized", &["\"streamOptimized\"", "key=value"]);
    folder.fails("digest one-sector.raw -a md5", &["\"md5\"", "content", "sha256"]);
}

/// A name goes into the descriptor as it is, so what a descriptor can write is fine and the rest is refused.
#[test]
fn names_of_all_sorts() {
    let folder = Folder::with(&["one-sector"]);
    let convert = |name: &str| {
        let mut command = folder.command("convert one-sector.raw -O vmdk --split 2G --");
        command.arg(name);
        support::run(command)
    };
    for stem in ["a disk", " blank ", "-dash", "=", "per%s", "quo'te", "d\u{fc}se \u{65e5}\u{672c}", "a.b", "#"] {
        convert(&format!("{stem}.vmdk")).succeeds();
        folder.expect(&[&format!("{stem}.vmdk"), &format!("{stem}-s001.vmdk")]);
        let mut compare = folder.command("compare one-sector.raw --");
        compare.arg(format!("{stem}.vmdk"));
        support::run(compare).succeeds().says(&["identical"]);
    }
    convert("without").succeeds();
    folder.expect(&["without", "without-s001"]);
    folder.same("without", "one-sector.raw");
    for name in ["quo\"te.vmdk", "back\\slash.vmdk", "new\nline.vmdk", "\u{1b}.vmdk"] {
        convert(name).fails(&["cannot be the name of a VMDK", "hint:"]);
    }
}
