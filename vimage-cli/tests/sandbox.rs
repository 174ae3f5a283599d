//! The sandbox: the system itself keeps a run to the files that it needs, and every command does its work in it.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use support::hostile::descriptor;
use support::laid::{DISK, QCOW2};
use support::{Folder, Outcome, VIMAGE, disk, left_out, namespace::unprivileged, run};
use vimage_fixtures::qcow2::{Options, Parent, lay};

/// Whether the kernel confines; a test that asks is left out where it does not.
fn confines() -> bool {
    let folder = Folder::with(&["one-sector"]);
    let outcome = folder.run("info --sandbox one-sector.raw");
    if outcome.status.code() != Some(0) {
        left_out(&format!("the kernel has no Landlock, or an old one: {}", outcome.stderr));
    }
    outcome.status.code() == Some(0)
}

/// Images that say that all of the disk is in the file `name`, each with its own name.
fn naming(name: &str) -> [(&'static str, Vec<u8>); 3] {
    let parent = Parent { disk: Some(&disk(DISK)), name, format: Some("raw") };
    let over = lay(&disk(DISK), &Options { parent: Some(parent), ..Options::default() }).bytes;
    let data = lay(&disk(DISK), &Options { data_file: Some(name), ..Options::default() }).bytes;
    let extent = descriptor(&format!("RW {} FLAT \"{name}\" 0", disk(DISK).size / 512));
    [(QCOW2, over), ("data.qcow2", data), ("flat.vmdk", extent.into_bytes())]
}

/// Every check of ours is passed by trusting the image: what is left is the kernel.
#[test]
fn what_a_trusted_image_names_elsewhere_the_kernel_refuses() {
    if !confines() {
        return;
    }
    let (folder, elsewhere) = (Folder::new(), Folder::with(&[DISK]));
    let name = elsewhere.path(&format!("{DISK}.raw")).display().to_string();
    for (image, bytes) in naming(&name) {
        folder.put(image, bytes);
        for line in ["digest", "map", "convert -O vdi", "measure -O vdi", "compact --dry-run"] {
            let words = [name.as_str(), "cannot open", "Permission denied", "hint: the sandbox", "--sandbox=auto"];
            folder.fails(&format!("{line} --allow-external --sandbox=on {image}"), &words);
        }
        let fault = folder.run(&format!("--sandbox digest --json --allow-external {image}")).ends(2).json("error");
        assert_eq!(fault["error"]["path"], name.as_str());
        assert!(fault["error"]["hint"].as_str().unwrap().contains("the sandbox"), "{fault}");
        // It is there to be read, by who asks for no more than what can be.
        for sandbox in ["", "--sandbox=auto", "--sandbox=off"] {
            folder.run(&format!("digest --allow-external {sandbox} {image}")).succeeds();
        }
        folder.fails(&format!("digest --sandbox=on {image}"), &["not a plain file name"]);
    }
    // Beneath the folder of the image it may lie.
    fs::create_dir(folder.path("sub")).unwrap();
    fs::copy(&name, folder.path("sub/x")).unwrap();
    folder.expect(&["sub"]);
    for (image, bytes) in naming("sub/x") {
        folder.put(image, bytes);
        folder.run(&format!("digest --allow-external --sandbox=on {image}")).succeeds();
    }
    fs::remove_dir_all(folder.path("sub")).unwrap();
    folder.forget(&["sub"]);
}

/// What a run says of its sandbox.
fn said(folder: &Folder, line: &str) -> String {
    folder.run(line).ends(0).stderr
}

#[test]
fn it_is_told_of_where_that_is_asked_for() {
    if !confines() {
        return;
    }
    let folder = Folder::with(&["one-sector"]);
    let on = "note: the sandbox is on, by Landlock ";
    let text = said(&folder, "info -v one-sector.raw");
    assert!(text.starts_with(on) && text.ends_with("read: one-sector.raw; written: nothing\n"), "{text}");
    let text = said(&folder, "-v digest one-sector.raw");
    assert!(text.starts_with(on) && text.ends_with("read: ./, one-sector.raw; written: nothing\n"), "{text}");
    fs::create_dir(folder.path("out")).unwrap();
    let text = said(&folder, "convert --verbose --sandbox=on one-sector.raw out/x.vdi");
    assert!(text.starts_with(on) && text.ends_with("read: ./, one-sector.raw, out/; written: out/\n"), "{text}");
    fs::remove_dir_all(folder.path("out")).unwrap();
    let text = said(&folder, "digest -v --allow-external one-sector.raw");
    assert!(text.starts_with(on) && text.contains("read: anything, by --allow-external;"), "{text}");
    let text = said(&folder, "digest -v --sandbox=off one-sector.raw");
    assert_eq!(text, "note: the sandbox is off: --sandbox=off\n");
    for line in ["digest one-sector.raw", "digest --sandbox=on one-sector.raw", "digest --sandbox=off one-sector.raw"] {
        folder.run(line).succeeds();
    }
    folder.fails("digest --sandbox=perhaps one-sector.raw", &["perhaps"]);
}

/// A kernel without Landlock is one whose first call for it fails.
#[test]
fn without_landlock() {
    let folder = Folder::with(&["one-sector"]);
    let without = |words: &str| {
        let mut command = Command::new("strace");
        command.args(["-f", "--quiet=all", "-o", "/dev/null", "-e", "trace=landlock_create_ruleset"]);
        command.args(["-e", "inject=landlock_create_ruleset:error=EOPNOTSUPP", VIMAGE]).args(words.split(' '));
        command.current_dir(folder.path(""));
        command
    };
    if !without("--version").output().is_ok_and(|output| output.status.success()) {
        return left_out("strace is not there, cannot trace here, or does not know Landlock");
    }
    let refused = run(without("--sandbox=on info one-sector.raw"));
    refused.fails(&["cannot confine it to files", "Landlock", "hint: --sandbox=auto"]);
    run(without("info one-sector.raw")).succeeds();
    let told = run(without("info -v one-sector.raw")).ends(0);
    assert_eq!(told.stderr, "note: the sandbox is off: the kernel has no Landlock\n");
    run(without("convert one-sector.raw out.vmdk -q")).succeeds();
    folder.expect(&["out.vmdk"]);
}

#[test]
fn a_command_that_signs_cannot_be_confined() {
    let folder = Folder::with(&["one-sector"]);
    folder.put("vm.toml", "name = \"vm\"\n[[disk]]\nimage = \"one-sector.raw\"\n");
    let request = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 9 -subj /CN=Builder";
    let mut words = request.split(' ');
    let made = Command::new(words.next().unwrap()).args(words).current_dir(folder.path("")).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return left_out("there is no openssl");
    }
    folder.expect(&["key.pem", "cert.pem"]);
    folder.put("sign.sh", "exec openssl dgst -sha256 -sign key.pem\n");
    let signed = |options: &str| {
        let mut command = folder.command(&format!("pack vm.toml vm.ova -q --force --cert cert.pem {options}"));
        command.args(["--sign-with", "sh sign.sh"]);
        run(command)
    };
    signed("--sandbox=on").fails(&["--sign-with", "hint: --sign KEY", "--sandbox=auto"]);
    folder.check();
    let told = signed("-v").ends(0).stderr;
    assert_eq!(told, "note: the sandbox is off: --sign-with runs a command, which may need anything\n");
    folder.expect(&["vm.ova"]);
    // A key is read before.
    folder.run("pack vm.toml vm.ova -q --force --cert cert.pem --sign key.pem --sandbox=on").succeeds();
    folder.run("verify vm.ova --sandbox=on").ends(0).says(&["signed", "CN=Builder"]);
}

/// A folder with two disks in it, and an empty one to write to.
struct Ground {
    folder: Folder,
    out: Folder,
}

impl Ground {
    fn new() -> Option<Self> {
        let ground = Ground { folder: Folder::with(&["sparse", "one-sector"]), out: Folder::new() };
        confines().then_some(ground)
    }

    /// Runs the words of `line`, in which `OUT` is the other folder, in a sandbox: it must succeed, and make `files` there.
    #[track_caller]
    fn makes(&self, line: &str, files: &[&str]) -> Outcome {
        let out = self.out.path("").display().to_string();
        let outcome = self.folder.run(&format!("{} --sandbox=on", line.replace("OUT", out.trim_end_matches('/'))));
        let outcome = outcome.succeeds();
        self.out.expect(files);
        self.out.check();
        self.folder.check();
        outcome
    }

    /// What a shell makes of `script`, in which `VIMAGE` converts in a sandbox, and `OUT` is the other folder.
    #[track_caller]
    fn shell(&self, script: &str) {
        let out = self.out.path("").display().to_string();
        let script = script.replace("OUT", out.trim_end_matches('/'));
        let mut command = Command::new("sh");
        command.args(["-c", &script.replace("VIMAGE", &format!("'{VIMAGE}' --sandbox=on"))]);
        run({
            command.current_dir(self.folder.path(""));
            command
        })
        .succeeds();
    }

    #[track_caller]
    fn same(&self, made: &str, disk: &str) {
        self.folder.same(&self.out.path(made).display().to_string(), disk);
    }
}

#[test]
fn images_are_converted_in_it() {
    let Some(ground) = Ground::new() else { return };
    ground.makes("convert sparse.raw OUT/a.qcow2 -q", &["a.qcow2"]);
    ground.makes("convert sparse.raw OUT/a.qcow2 -q --force --verify -c", &[]);
    ground.makes(
        "convert sparse.raw OUT/s.vmdk --split 32M -q",
        &["s.vmdk", "s-s001.vmdk", "s-s002.vmdk", "s-s003.vmdk"],
    );
    ground.makes("convert OUT/s.vmdk OUT/s.raw --split 32M -q", &["s.raw.001", "s.raw.002"]);
    ["a.qcow2", "s.vmdk", "s.raw.001"].iter().for_each(|made| ground.same(made, "sparse.raw"));
    let several = ["sparse.vmdk", "sparse.qcow2", "sparse.vdi", "sparse.ova"];
    let digests = several.map(|name| format!("{name}.sha256"));
    let all: Vec<&str> = several.into_iter().chain(digests.iter().map(String::as_str)).collect();
    ground.makes("convert sparse.raw OUT -O vmdk,qcow2,vdi,ova --digest sha256 --verify -q", &all);
    several.iter().for_each(|made| ground.same(made, "sparse.raw"));
    // Over a base in another folder than the output's.
    let base = ground.folder.path("sparse.raw").display().to_string();
    ground.makes(&format!("convert sparse.raw OUT/over.qcow2 -B {base} -F raw -q"), &["over.qcow2"]);
    ground.makes("info --chain OUT/a.qcow2", &[]);
    for line in ["map OUT/a.qcow2", "check OUT/s.vmdk", "measure OUT/s.raw.001 -O vdi", "digest OUT/a.qcow2 sparse.raw"]
    {
        ground.makes(line, &[]);
    }
}

#[test]
fn pipes_and_what_is_spooled_go_through_it() {
    let Some(ground) = Ground::new() else { return };
    let read = |name: &str| ground.folder.read(name);
    ground.shell("VIMAGE convert one-sector.raw -O raw - > OUT/a.raw");
    ground.shell("cat one-sector.raw | VIMAGE convert -f raw - OUT/b.raw -q");
    ground.shell("VIMAGE convert -f raw - OUT/c.raw -q < one-sector.raw");
    ground.out.expect(&["a.raw", "b.raw", "c.raw"]);
    ["a.raw", "b.raw", "c.raw"].iter().for_each(|made| assert!(ground.out.read(made) == read("one-sector.raw")));
    ground.makes("convert sparse.raw OUT/d.qcow2 -q", &["d.qcow2"]);
    fs::create_dir(ground.out.path("spool")).unwrap();
    ground.shell("cat OUT/d.qcow2 | VIMAGE convert - OUT/e.vdi --spool OUT/spool -q");
    fs::remove_dir(ground.out.path("spool")).unwrap();
    ground.out.expect(&["e.vdi"]);
    ground.same("e.vdi", "sparse.raw");
    if !Command::new("gzip").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return left_out("there is no gzip");
    }
    let temporary = Folder::new();
    ground.shell("gzip -c OUT/d.qcow2 > OUT/f.qcow2.gz");
    ground.out.expect(&["f.qcow2.gz"]);
    for line in ["digest", "info", "convert -O vdi"] {
        let mut command = ground.folder.command(&format!("{line} --sandbox=on"));
        command.arg(ground.out.path("f.qcow2.gz")).env("TMPDIR", temporary.path(""));
        run(command).succeeds();
    }
    ground.out.expect(&["f.vdi"]);
    ground.same("f.vdi", "sparse.raw");
}

#[test]
fn images_are_made_smaller_in_it() {
    let Some(ground) = Ground::new() else { return };
    ground.makes(
        "convert sparse.raw OUT/a.vmdk --split 32M -q",
        &["a.vmdk", "a-s001.vmdk", "a-s002.vmdk", "a-s003.vmdk"],
    );
    ground.makes("compact OUT/a.vmdk -q", &[]);
    ground.makes("convert sparse.raw OUT/b.qcow2 -q", &["b.qcow2"]);
    symlink(ground.out.path("b.qcow2"), ground.folder.path("link")).unwrap();
    ground.folder.expect(&["link"]);
    ground.makes("compact link -q", &[]);
    assert!(ground.folder.path("link").is_symlink());
    ground.makes("compact link --dry-run", &[]);
    ground.makes("compact link -o OUT/c.qcow2 -q", &["c.qcow2"]);
    let zeros = vec![0; 1 << 20];
    ground.out.put("d.raw", &zeros);
    ground.makes("compact --punch OUT/d.raw -q", &[]);
    assert!(ground.out.read("d.raw") == zeros);
    ["a.vmdk", "b.qcow2", "c.qcow2"].iter().for_each(|made| ground.same(made, "sparse.raw"));
}

#[test]
fn packages_are_made_and_taken_apart_in_it() {
    let Some(ground) = Ground::new() else { return };
    // The disk lies in another folder than the description, and what it is packed to in a third.
    let disk = ground.folder.path("sparse.raw").display().to_string();
    ground.out.put("vm.toml", format!("name = \"vm\"\n[[disk]]\nimage = \"{disk}\"\n"));
    ground.makes("pack OUT/vm.toml OUT/vm.ova -q", &["vm.ova"]);
    ground.makes("pack OUT/vm.toml OUT/vm.box -q", &["vm.box"]);
    ground.makes("pack OUT/vm.toml OUT/vm.7z --of ovf -q", &["vm.7z"]);
    for kind in ["ovf", "vmx", "libvirt"] {
        // One that is not there, and one that is.
        ground.makes(&format!("pack OUT/vm.toml OUT/{kind} -O {kind} -q"), &[kind]);
        ground.makes(&format!("pack OUT/vm.toml OUT/{kind} -O {kind} -q --force"), &[]);
    }
    ground.shell("VIMAGE pack OUT/vm.toml - -q > OUT/piped.ova");
    ground.shell("cat OUT/vm.toml | VIMAGE pack /dev/stdin OUT/read.ova -q");
    ground.out.expect(&["piped.ova", "read.ova"]);
    for package in ["vm.ova", "vm.box", "piped.ova", "ovf/vm.ovf"] {
        ground.makes(&format!("info OUT/{package}"), &[]);
        ground.makes(&format!("verify OUT/{package}"), &[]);
    }
    for (index, package) in ["vm.ova", "vm.box", "vm.7z", "ovf/vm.ovf"].into_iter().enumerate() {
        let [whole, converted] = ["whole", "converted"].map(|name| format!("{name}{index}"));
        ground.makes(&format!("unpack OUT/{package} OUT/{whole} -q"), &[&whole]);
        ground.makes(&format!("unpack OUT/{package} OUT/{converted} -O raw -q"), &[&converted]);
    }
    ground.makes("unpack OUT/vm.ova -q", &["vm"]);
    ground.makes("convert OUT/vm.ova:vm-disk1.vmdk OUT/disk.vdi -q", &["disk.vdi"]);
    ground.same("disk.vdi", "sparse.raw");
    ground.makes("pack --init sparse.raw OUT/first.toml -q", &["first.toml"]);
    let folders = ["ovf", "vmx", "libvirt", "vm"].map(str::to_owned);
    let made = (0..4).flat_map(|index| ["whole", "converted"].map(|name| format!("{name}{index}")));
    for folder in folders.into_iter().chain(made) {
        fs::remove_dir_all(ground.out.path(&folder)).unwrap();
        ground.out.forget(&[&folder]);
    }
}

/// By a relative path, through links, from standard input by its name, out of a folder that cannot be written to.
#[test]
fn files_are_found_by_any_way_that_leads_to_them() {
    let Some(ground) = Ground::new() else { return };
    let (folder, out) = (&ground.folder, &ground.out);
    let there = |line: &str| {
        let mut command = out.command(&format!("{line} --sandbox=on"));
        command.stdin(File::open(folder.path("sparse.raw")).unwrap());
        command
    };
    symlink(folder.path("sparse.raw"), out.path("file")).unwrap();
    symlink(folder.path(""), out.path("folder")).unwrap();
    out.expect(&["file", "folder"]);
    let name = folder.path("").file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    for path in [&format!("../{name}/sparse.raw"), "file", "folder/sparse.raw", &format!("folder/../{name}/sparse.raw")]
    {
        run(there(&format!("digest {path}"))).succeeds();
    }
    let named = there("digest /dev/stdin").output().unwrap();
    assert_eq!(named.status.code(), Some(0), "{named:?}");
    run(there("digest nothing")).fails(&["nothing", "cannot open", "No such file"]);
    run(there("digest folder")).fails(&["folder", "is a directory"]);
    run(there("digest /dev/zero")).fails(&["/dev/zero", "is not a file"]);
    run(there("convert file /dev/null -O raw --force")).fails(&["/dev/null", "not a regular file"]);
    run(there("convert file /nowhere/x.vdi")).fails(&["/nowhere"]);
    let Some(mut command) = unprivileged(folder, &[]) else { return };
    let before = folder.path("").metadata().unwrap().permissions();
    fs::set_permissions(folder.path(""), PermissionsExt::from_mode(0o555)).unwrap();
    command.args(["digest", "--sandbox=on", "sparse.raw"]);
    let outcome = run(command);
    fs::set_permissions(folder.path(""), before).unwrap();
    outcome.succeeds();
}
