//! OVAs: what other tools read in them, and that nothing but the package comes into being.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::{Folder, MIB, left_out};

/// Descriptions by name, each of an appliance called `machine`. The disks are those of [`ground`].
const APPLIANCES: [(&str, &str); 7] = [
    ("one disk", "[[disk]]\nimage = \"sparse.raw\""),
    (
        "a scratch disk",
        "[[disk]]\nimage = \"sparse.raw\"\n[[disk]]\nrole = \"scratch\"\nsize = \"10G\"\n[[disk]]\nrole = \"data\"\nimage = \"dense.raw\"",
    ),
    (
        "EFI",
        "[system]\nfirmware = \"efi\"\nsecure-boot = true\ncpus = 4\nmemory = \"2G\"\n[[disk]]\nimage = \"sparse.raw\"",
    ),
    (
        "properties",
        "transport = [\"guestinfo\", \"iso\"]\n[[disk]]\nimage = \"sparse.raw\"\n[[property]]\nkey = \"hostname\"\ntype = \"string\"\n\
         default = \"a<b>&\\\"c\\\"\"\nlabel = \"Name\"\nuser-configurable = true\n[[property]]\nkey = \"secret\"\npassword = true\n\
         type = \"string\"\nqualifiers = \"MinLen(8)\"",
    ),
    (
        "configurations",
        "[[disk]]\nimage = \"sparse.raw\"\n[[configuration]]\nid = \"small\"\nlabel = \"Small\"\ndescription = \"one\"\ncpus = 1\n\
         [[configuration]]\nid = \"large\"\nlabel = \"Large\"\ndescription = \"many\"\ncpus = 8\nmemory = \"16G\"",
    ),
    (
        "a EULA",
        "eula = [\"EULA.txt\"]\nannotation = \"Log in as root & change <that>.\"\n[[disk]]\nimage = \"sparse.raw\"",
    ),
    ("a size that is no whole mebibyte", "[[disk]]\nimage = \"not-a-sector.raw\""),
];

/// A folder with disks, and the description of `rest`.
fn ground(rest: &str) -> Folder {
    let folder = Folder::with(&["sparse", "dense", "not-a-sector"]);
    folder.put("EULA.txt", "Do what you like.\n\nNo warranty — really; \"none\" & <nothing>.\n");
    describe(&folder, "machine", rest);
    folder
}

fn describe(folder: &Folder, name: &str, rest: &str) {
    folder.put("appliance.toml", format!("name = \"{name}\"\n{rest}\n"));
}

/// Runs a tool in the folder; it must be there, and succeed.
#[track_caller]
fn tool(folder: &Path, command: &[&str]) -> String {
    let output = try_tool(folder, command).unwrap_or_else(|| panic!("there is no {}", command[0]));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn try_tool(folder: &Path, command: &[&str]) -> Option<Output> {
    Command::new(command[0]).args(&command[1..]).env("LC_ALL", "C").current_dir(folder).output().ok()
}

/// A file's bytes in hexadecimal digits of their SHA-256, by a tool that is not ours.
fn sha256(path: &Path) -> String {
    let printed = Command::new("sha256sum").arg(path).output().unwrap().stdout;
    String::from_utf8(printed).unwrap()[..64].to_owned()
}

/// What GNU tar takes out of the archive.
fn untar(folder: &Folder, archive: &str) -> tempfile::TempDir {
    let inside = tempfile::tempdir().unwrap();
    tool(inside.path(), &["tar", "xf", folder.path(archive).to_str().unwrap()]);
    inside
}

#[test]
fn every_appliance_is_a_tar_with_a_manifest_that_holds() {
    for (what, rest) in APPLIANCES {
        let folder = ground(rest);
        folder.makes("pack appliance.toml", &["machine.ova"]).says(&["machine.ova: "]);
        let members: Vec<String> =
            tool(folder.path("").as_path(), &["tar", "tf", "machine.ova"]).lines().map(str::to_owned).collect();
        assert_eq!(members[..2], ["machine.ovf", "machine.mf"], "{what}");
        assert_eq!(members[2], "machine-disk1.vmdk", "{what}");
        let disks = rest.matches("image = ").count();
        assert_eq!(members.len(), 2 + disks, "{what}");
        let inside = untar(&folder, "machine.ova");
        let mut covered = 0;
        for line in fs::read_to_string(inside.path().join("machine.mf")).unwrap().lines() {
            let (name, digest) = line.strip_prefix("SHA256(").unwrap().split_once(")= ").unwrap();
            assert_eq!(digest, sha256(&inside.path().join(name)), "{what}: {name}");
            covered += 1;
        }
        assert_eq!(covered, 1 + disks, "{what}");
    }
}

#[test]
fn the_tar_is_of_the_plainest_kind() {
    let folder = ground(APPLIANCES[1].1);
    folder.makes("pack appliance.toml", &["machine.ova"]);
    let bytes = folder.read("machine.ova");
    assert_eq!(bytes.len() % 10240, 0);
    let listed = tool(&folder.path(""), &["tar", "tvf", "machine.ova", "--utc", "--full-time", "--numeric-owner"]);
    for line in listed.lines() {
        assert!(line.starts_with("-rw-r--r-- 0/0 ") && line.contains(" 1970-01-01 00:00:00 "), "{line}");
    }
    // Each member is where its header ends, and headers are ustar's.
    let (mut at, mut headers) = (0, 0);
    while bytes[at] != 0 {
        assert_eq!(&bytes[at + 257..at + 265], b"ustar\x0000");
        assert_eq!(bytes[at + 156], b'0');
        let size = u64::from_str_radix(std::str::from_utf8(&bytes[at + 124..at + 135]).unwrap(), 8).unwrap() as usize;
        at += 512 + size.next_multiple_of(512);
        headers += 1;
    }
    assert_eq!(headers, listed.lines().count());
    assert!(bytes[at..].len() >= 1024 && bytes[at..].iter().all(|&byte| byte == 0));
}

#[test]
fn descriptors_are_valid_and_tell_what_was_written() {
    let Some(schema) = std::env::var_os("VIMAGE_SCHEMA") else {
        return left_out("VIMAGE_SCHEMA names no folder of schemas");
    };
    let schema = Path::new(&schema).join("dsp8023_1.1.1.xsd");
    for host in ["any", "vmware"] {
        for (what, rest) in APPLIANCES {
            let folder = ground(rest);
            folder.makes(&format!("pack appliance.toml --for {host}"), &["machine.ova"]);
            let inside = untar(&folder, "machine.ova");
            tool(
                inside.path(),
                &["xmllint", "--noout", "--nonet", "--schema", schema.to_str().unwrap(), "machine.ovf"],
            );
            let text = fs::read_to_string(inside.path().join("machine.ovf")).unwrap();
            for disk in (1..=3).map(|number| format!("machine-disk{number}.vmdk")) {
                let Ok(there) = inside.path().join(&disk).metadata() else { continue };
                let size = tool(
                    inside.path(),
                    &[
                        "xmllint",
                        "--xpath",
                        &format!("string(//*[@*[local-name()='href']='{disk}']/@*[local-name()='size'])"),
                        "machine.ovf",
                    ],
                );
                assert_eq!(size.trim(), there.len().to_string(), "{what}: {disk}");
            }
            assert!(text.trim_end().ends_with("</Envelope>"), "{what}");
        }
    }
}

/// Nothing of what other importers would stumble over is in any of them, and what is taken out again is what went in.
#[test]
fn what_is_packed_is_clean_and_comes_out_again() {
    for host in ["any", "vmware", "virtualbox"] {
        for (what, rest) in APPLIANCES {
            let folder = ground(rest);
            folder.makes(&format!("pack -q appliance.toml --for {host}"), &["machine.ova"]);
            // Variants are a risk of their own, which packing tells of too.
            let variants = what == "configurations" && host != "virtualbox";
            let verified = folder.run("verify machine.ova").ends(i32::from(variants));
            assert!(verified.stdout.contains("machine-disk1.vmdk"), "{what}: {verified:?}");
            let risks = ["; nothing to complain of", "; 1 risk"];
            assert!(verified.stdout.contains(risks[usize::from(variants)]), "{what}: {verified:?}");
            let source = rest.split("image = \"").nth(1).unwrap().split('"').next().unwrap();
            if source == "sparse.raw" {
                folder.same(source, "machine.ova:machine-disk1.vmdk");
            }
            folder.makes("unpack -q machine.ova", &["machine"]);
            let inside = untar(&folder, "machine.ova");
            for entry in inside.path().read_dir().unwrap().map(Result::unwrap) {
                let unpacked = folder.path("machine").join(entry.file_name());
                assert!(fs::read(unpacked).unwrap() == fs::read(entry.path()).unwrap(), "{what}: {entry:?}");
            }
            fs::remove_dir_all(folder.path("machine")).unwrap();
            folder.forget(&["machine"]);
        }
    }
}

/// Names that no file can have, and that XML has to spell in another way.
#[test]
fn odd_names() {
    for (name, stem) in [
        ("Größe & <b>'x'</b> \\\"1.0\\\" ", "Gr-e-b-x-b-1.0"),
        ("../../etc/passwd", "etc-passwd"),
        ("虚拟机 server-2", "server-2"),
        ("-rf .hidden", "rf-.hidden"),
        ("CON $(reboot) `id` %n ${x}", "CON-reboot-id-n-x"),
    ] {
        let folder = ground("");
        describe(&folder, name, "[[disk]]\nimage = \"sparse.raw\"\n[[network]]\nname = \"a & b\"");
        let package = format!("{stem}.ova");
        folder.makes("pack appliance.toml", &[&package]);
        let listed = tool(&folder.path(""), &["tar", "tf", &format!("./{package}")]);
        assert_eq!(listed, format!("{stem}.ovf\n{stem}.mf\n{stem}-disk1.vmdk\n"));
        folder.run(&format!("verify {package}")).ends(0);
        let inside = untar(&folder, &package);
        let descriptor = format!("./{stem}.ovf");
        let shown = tool(inside.path(), &["xmllint", "--xpath", "string(//*[local-name()='Name'])", &descriptor]);
        assert_eq!(shown.trim_end_matches('\n'), name.replace("\\\"", "\"").replace("\\\\", "\\"));
        for more in ["-O vmx", "-O libvirt", "-O vagrant"] {
            folder.run(&format!("pack -q appliance.toml out {more}")).succeeds();
            let out = folder.path("out");
            if out.is_dir() { fs::remove_dir_all(out).unwrap() } else { fs::remove_file(out).unwrap() }
        }
    }
}

/// The disks in it are those that went in, as other readers of VMDKs see them.
#[test]
fn disks_read_back_by_qemu_and_7zip() {
    let folder = ground(APPLIANCES[1].1);
    folder.makes("pack appliance.toml", &["machine.ova"]);
    let inside = untar(&folder, "machine.ova");
    for (member, source) in [("machine-disk1.vmdk", "sparse.raw"), ("machine-disk3.vmdk", "dense.raw")] {
        let source = folder.path(source);
        if try_tool(inside.path(), &["qemu-img", "--version"]).is_none() {
            left_out("there is no qemu-img");
        } else {
            let compared = ["qemu-img", "compare", "-f", "raw", "-F", "vmdk", source.to_str().unwrap(), member];
            assert!(tool(inside.path(), &compared).contains("identical"));
        }
        if try_tool(inside.path(), &["7zz"]).is_none() {
            left_out("there is no 7zz");
        } else {
            let raw = fs::File::create(inside.path().join("raw")).unwrap();
            let mut command = Command::new("7zz");
            command.args(["x", "-tvmdk", "-so", member]).current_dir(inside.path()).stdout(Stdio::from(raw));
            assert!(command.status().unwrap().success());
            assert_eq!(sha256(&inside.path().join("raw")), sha256(&source));
        }
    }
}

#[test]
fn cot_reads_what_the_description_says() {
    let Some(python) = std::env::var_os("VIMAGE_PYTHON") else {
        return left_out("VIMAGE_PYTHON names no Python with COT");
    };
    let cot = Path::new(&python).with_file_name("cot");
    for (what, rest) in APPLIANCES {
        let folder = ground(rest);
        folder.makes("pack appliance.toml", &["machine.ova"]);
        let printed = tool(&folder.path(""), &[cot.to_str().unwrap(), "info", "machine.ova"]);
        assert!(printed.contains("machine-disk1.vmdk"), "{what}: {printed}");
        match what {
            "a scratch disk" => assert!(printed.contains("10 GiB"), "{printed}"),
            "properties" => assert!(printed.contains("hostname") && printed.contains("a<b>&\"c\""), "{printed}"),
            "configurations" => assert!(printed.contains("large") && printed.contains("small"), "{printed}"),
            "a EULA" => assert!(printed.contains("End User License"), "{printed}"),
            _ => {}
        }
    }
}

#[test]
fn a_pipe_gets_the_same_bytes_as_a_file() {
    let folder = ground(APPLIANCES[1].1);
    folder.makes("pack appliance.toml", &["machine.ova"]);
    let piped = folder.command("pack appliance.toml -").output().unwrap();
    assert!(piped.status.success() && piped.stderr.is_empty());
    assert!(piped.stdout == folder.read("machine.ova"));
}

#[test]
fn the_same_bytes_on_any_number_of_threads_in_any_folder() {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for package in ["machine.ova", "machine.box"] {
        for threads in ["1", "2", "7"] {
            let folder = ground(APPLIANCES[1].1);
            // Of another day.
            for name in ["sparse.raw", "dense.raw", "appliance.toml"] {
                tool(&folder.path(""), &["touch", "-d", &format!("{threads} days ago"), name]);
            }
            let mut command = folder.command(&format!("pack -q appliance.toml {package}"));
            command.env("RAYON_NUM_THREADS", threads);
            support::run(command).succeeds();
            folder.expect(&[package]);
            let digest = sha256(&folder.path(package));
            assert_eq!(seen.entry(package).or_insert_with(|| digest.clone()), &digest, "{package}, {threads} threads");
        }
    }
}

#[test]
fn times_come_from_source_date_epoch() {
    let folder = ground(APPLIANCES[0].1);
    let mut command = folder.command("pack appliance.toml");
    command.env("SOURCE_DATE_EPOCH", "1700000000");
    support::run(command).succeeds();
    folder.expect(&["machine.ova"]);
    let listed = tool(&folder.path(""), &["tar", "tvf", "machine.ova", "--utc", "--full-time"]);
    assert!(listed.lines().all(|line| line.contains(" 2023-11-14 22:13:20 ")), "{listed}");
    let mut command = folder.command("pack appliance.toml --force");
    command.env("SOURCE_DATE_EPOCH", "yesterday");
    support::run(command).fails(&["SOURCE_DATE_EPOCH", "yesterday"]);
}

/// While it packs, nothing is written but the package itself.
#[test]
fn no_other_file_is_made() {
    let folder = ground(APPLIANCES[1].1);
    if try_tool(&folder.path(""), &["strace", "-V"]).is_none() {
        return left_out("there is no strace");
    }
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-e",
        "trace=open,openat,openat2,creat,memfd_create",
        "-o",
        log.path().to_str().unwrap(),
    ]);
    command.args([support::VIMAGE, "pack", "-q", "appliance.toml"]).current_dir(folder.path(""));
    assert!(command.status().unwrap().success());
    folder.expect(&["machine.ova"]);
    let log = fs::read_to_string(log.path()).unwrap();
    let made: Vec<&str> = log
        .lines()
        .filter(|line| ["O_CREAT", "O_TMPFILE", "creat(", "memfd_create("].iter().any(|word| line.contains(word)))
        .collect();
    assert!(made.len() == 1 && made[0].contains(".machine.ova.") && made[0].contains(".vimage-part"), "{made:?}");
    let written: Vec<&str> = log.lines().filter(|line| line.contains("O_WRONLY") || line.contains("O_RDWR")).collect();
    let other =
        |line: &&&str| !line.contains(".vimage-part") && !line.contains("/proc/self/fd/") && !line.contains("/dev/");
    assert_eq!(written.iter().filter(other).count(), 0, "{written:?}");
}

#[test]
fn memory_stays_small() {
    let folder = ground(APPLIANCES[1].1);
    // 250 MiB for all that is written to.
    folder.run_within(250 << 10, 2, "pack -q appliance.toml").succeeds();
    folder.expect(&["machine.ova"]);
}

/// Over 8 GiB in one member: sizes that eleven octal digits cannot say.
#[test]
fn members_of_more_than_8_gib() {
    let folder = Folder::new();
    // One file of noise, named often enough.
    let mut bytes = vec![0; 64 << 20];
    vimage_fixtures::Fill::Noise(1).read_at(&mut bytes, 0);
    folder.put("noise.bin", &bytes);
    let count = 130;
    let extents: String = (0..count).map(|_| format!("RW {} FLAT \"noise.bin\" 0\n", (64 * MIB) / 512)).collect();
    folder.put(
        "large.vmdk",
        format!(
            "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"twoGbMaxExtentFlat\"\n{extents}"
        ),
    );
    describe(&folder, "large", "[[disk]]\nimage = \"large.vmdk\"\n[[disk]]\nrole = \"data\"\nimage = \"small.raw\"");
    folder.put("small.raw", vec![7; MIB as usize]);
    let mut piped = folder.command("pack appliance.toml - --level 0");
    let mut piped = piped.stdout(Stdio::piped()).spawn().unwrap();
    let listed = Command::new("tar").args(["tv"]).stdin(piped.stdout.take().unwrap()).output().unwrap();
    assert!(piped.wait().unwrap().success() && listed.status.success());
    let listed = String::from_utf8(listed.stdout).unwrap();
    let sizes: Vec<u64> = listed.lines().map(|line| line.split_whitespace().nth(2).unwrap().parse().unwrap()).collect();
    assert_eq!(sizes.len(), 4, "{listed}");
    assert!(sizes[2] > 1 << 33, "{listed}");
    assert!(listed.lines().nth(3).unwrap().ends_with("large-disk2.vmdk"), "{listed}");
}

#[test]
fn signatures_are_what_openssl_verifies() {
    let folder = ground(APPLIANCES[0].1);
    if try_tool(&folder.path(""), &["openssl", "version"]).is_none() {
        return left_out("there is no openssl");
    }
    let request =
        "openssl req -x509 -newkey rsa:3072 -nodes -keyout key.pem -out cert.pem -days 9 -subj /CN=Builder/O=Example";
    tool(&folder.path(""), &request.split(' ').collect::<Vec<_>>());
    folder.expect(&["key.pem", "cert.pem"]);
    folder.makes("pack appliance.toml --sign key.pem --cert cert.pem", &["machine.ova"]);
    fs::write(folder.path("sign.sh"), "exec openssl dgst -sha256 -sign key.pem\n").unwrap();
    let mut command = folder.command("pack appliance.toml other.ova --cert cert.pem");
    command.args(["--sign-with", "sh sign.sh"]);
    support::run(command).succeeds();
    fs::remove_file(folder.path("sign.sh")).unwrap();
    folder.expect(&["other.ova"]);
    assert!(folder.read("machine.ova") == folder.read("other.ova"));

    let inside = untar(&folder, "machine.ova");
    let members = tool(&folder.path(""), &["tar", "tf", "machine.ova"]);
    assert_eq!(members, "machine.ovf\nmachine.mf\nmachine.cert\nmachine-disk1.vmdk\n");
    let text = fs::read_to_string(inside.path().join("machine.cert")).unwrap();
    let (line, certificate) = text.split_once('\n').unwrap();
    let digits = line.strip_prefix("SHA256(machine.mf)= ").unwrap();
    let signature: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    fs::write(inside.path().join("signature"), signature).unwrap();
    fs::write(inside.path().join("cert.pem"), certificate).unwrap();
    let public = tool(inside.path(), &["openssl", "x509", "-in", "cert.pem", "-noout", "-pubkey"]);
    fs::write(inside.path().join("public.pem"), public).unwrap();
    let verify = "openssl dgst -sha256 -verify public.pem -signature signature machine.mf";
    assert!(tool(inside.path(), &verify.split(' ').collect::<Vec<_>>()).contains("Verified OK"));

    // A signature by another key is never shipped.
    let mut command = folder.command("pack appliance.toml wrong.ova --cert cert.pem");
    command.args(["--sign-with", "head -c 384 /dev/zero"]);
    support::run(command).fails(&["does not verify"]);
    let mut command = folder.command("pack appliance.toml wrong.ova --cert cert.pem");
    command.args(["--sign-with", "false"]);
    support::run(command).fails(&["false", "failed"]);
}

#[test]
fn a_disk_alone_becomes_an_ova() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert sparse.raw -O ova", &["sparse.ova"]).says(&["sparse.ova: 64 MiB disk in "]);
    folder.makes("convert sparse.raw again.ova", &["again.ova"]);
    let members = tool(&folder.path(""), &["tar", "tf", "again.ova"]);
    assert_eq!(members, "again.ovf\nagain.mf\nagain-disk1.vmdk\n");
    let piped = folder.command("convert sparse.raw - -O ova").output().unwrap();
    assert!(piped.status.success() && piped.stdout == folder.read("sparse.ova"));
    folder.fails("convert sparse.raw -O ova", &["sparse.ova", "exists"]);
    fs::copy(folder.path("sparse.raw"), folder.path("磁盘.raw")).unwrap();
    folder.expect(&["磁盘.raw"]);
    folder.makes("convert 磁盘.raw named.ova", &["named.ova"]);
    folder.makes("convert 磁盘.raw -O ova", &["appliance.ova"]);
    folder.fails("convert sparse.raw x.ova -o subformat=monolithicSparse", &["-o"]);
}

#[test]
fn a_folder_has_the_same_files() {
    let folder = ground(APPLIANCES[1].1);
    folder.makes("pack appliance.toml", &["machine.ova"]);
    folder.makes("pack appliance.toml -O ovf", &["machine"]);
    let inside = untar(&folder, "machine.ova");
    let names = |path: &Path| {
        let mut names: Vec<_> = path.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(inside.path()), names(&folder.path("machine")));
    for name in names(inside.path()) {
        assert!(fs::read(inside.path().join(&name)).unwrap() == fs::read(folder.path("machine").join(&name)).unwrap());
    }
    folder.fails("pack appliance.toml -O ovf", &["exists"]);
    // One disk fewer, and no signature any more: nothing of the older package stays.
    fs::write(folder.path("machine/machine.cert"), "old").unwrap();
    describe(&folder, "machine", APPLIANCES[0].1);
    folder.run("pack -q appliance.toml -O ovf --force").succeeds();
    assert_eq!(names(&folder.path("machine")), ["machine-disk1.vmdk", "machine.mf", "machine.ovf"]);
    fs::remove_dir_all(folder.path("machine")).unwrap();
    folder.forget(&["machine"]);
}

#[test]
fn what_fails_leaves_nothing() {
    let folder = ground(APPLIANCES[0].1);
    let before = folder.path("sparse.raw").metadata().unwrap().mtime();
    // A disk that does not decode: a stream whose first grain is damaged.
    folder.makes("convert -q sparse.raw broken.vmdk -o subformat=streamOptimized", &["broken.vmdk"]);
    let mut bytes = folder.read("broken.vmdk");
    bytes[65_536 + 12..65_536 + 200].fill(0x55);
    folder.put("broken.vmdk", &bytes);
    describe(
        &folder,
        "machine",
        "[[disk]]\nimage = \"sparse.raw\"\n[[disk]]\nrole = \"data\"\nimage = \"broken.vmdk\"",
    );
    for package in ["-O ova", "-O ovf", "-O vmx", "-O libvirt", "-O vagrant", "-O vagrant --provider libvirt", "-O 7z"]
    {
        folder.fails(&format!("pack appliance.toml {package}"), &["broken.vmdk"]);
    }
    describe(&folder, "machine", "[[disk]]\nimage = \"absent.raw\"");
    folder.fails("pack appliance.toml", &["absent.raw"]);
    describe(
        &folder,
        "machine",
        "[[disk]]\nimage = \"sparse.raw\"\n[[disk]]\nrole = \"data\"\nimage = \"sparse.raw\"\ncontroller = \"nvme\"",
    );
    folder.fails("pack appliance.toml", &["NVMe"]);
    folder.fails("pack appliance.toml machine.ova -O nothing", &["nothing", "ova, ovf, vmx"]);
    folder.fails("pack appliance.toml -O vagrant -", &["pipe"]);
    describe(&folder, "machine", APPLIANCES[5].1);
    for package in ["ova", "7z", "vagrant", "vagrant --provider libvirt"] {
        for source in ["sparse.raw", "appliance.toml", "EULA.txt"] {
            folder.fails(&format!("pack appliance.toml {source} -O {package} --force"), &[source, "source"]);
        }
    }
    folder.fails("pack appliance.toml x -O vmx --sign key.pem --cert cert.pem", &["no manifest"]);
    folder.fails("pack appliance.toml x.ova --split 1G", &["not split"]);
    folder.fails("pack appliance.toml out.ovf", &["-O ovf FOLDER"]);
    assert_eq!(folder.path("sparse.raw").metadata().unwrap().mtime(), before);
}
