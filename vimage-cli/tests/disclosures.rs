//! Published attacks on what converts and inspects disk images, each by its number: an image that names a file of the host, whose
//! bytes would then be in the output. None of them gets a byte out, in a second of time and within the memory of a small image.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use support::hostile::descriptor;
use support::laid::{DISK, QCOW2};
use support::{Folder, disk, left_out};
use tempfile::TempDir;
use vimage_fixtures::qcow2::{Options, Parent, lay};

/// What the host's file holds, over and over.
const SECRET: &str = "bytes that nobody else may have; ";

/// The longest that a command may take to refuse.
const SOON: Duration = Duration::from_secs(1);

/// A folder with hostile images in it, and a file elsewhere on the host that they name.
struct Host {
    folder: Folder,
    elsewhere: TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Host { folder: Folder::new(), elsewhere: tempfile::tempdir().unwrap() };
        host.keep_secret();
        host
    }

    /// As many bytes as the disk of the images has, so that it would do for their parent, data or extent.
    fn keep_secret(&self) {
        let size = disk(DISK).size as usize;
        let bytes: Vec<u8> = SECRET.bytes().cycle().take(size).collect();
        std::fs::write(self.secret(), bytes).unwrap();
    }

    fn secret(&self) -> PathBuf {
        self.elsewhere.path().join("secret")
    }

    fn secret_name(&self) -> String {
        self.secret().display().to_string()
    }

    /// The same file by a way up from the folder and down again.
    fn up_to_secret(&self) -> String {
        let ups = self.folder.path("").components().count();
        format!("{}{}", "../".repeat(ups), self.secret_name())
    }

    /// Every command that reads the disk refuses `image` with all of `words`, and those that need no other file say nothing of its
    /// bytes.
    #[track_caller]
    fn gives_nothing(&self, image: &str, words: &[&str]) {
        for line in ["convert -O raw", "convert -O qcow2", "convert -c -O vmdk", "convert -O raw --split 1M"] {
            self.soon(&format!("{line} {image} out"), Some(words));
        }
        for line in ["digest", "map", "map --json", "measure -O raw", "measure -c -O qcow2"] {
            self.soon(&format!("{line} {image}"), Some(words));
        }
        self.soon(&format!("compare {image} {image}"), Some(words));
        for line in [
            "info",
            "info --json",
            "info --allow-external",
            "info --chain",
            "check",
            "check --json",
            "check --allow-external",
        ] {
            self.soon(&format!("{line} {image}"), None);
        }
    }

    /// Runs the words of `line`, within a second: they fail with all of `words`, or end in any orderly way where there are none.
    #[track_caller]
    fn soon(&self, line: &str, words: Option<&[&str]>) {
        let run = || {
            let begun = Instant::now();
            (self.folder.run_tight(line), begun.elapsed())
        };
        // Another process may have the machine for a moment.
        let (outcome, took) = Some(run()).filter(|(_, took)| *took < SOON).unwrap_or_else(run);
        assert!(took < SOON, "{took:?}: {outcome}");
        assert!(!outcome.stdout.contains("nobody else") && !outcome.stderr.contains("nobody else"), "{outcome}");
        assert!(!outcome.stdout.contains("root:") && !outcome.stderr.contains("root:"), "{outcome}");
        match words {
            Some(words) => outcome.fails(words),
            None => {
                let status = outcome.status.code().unwrap_or(-1);
                outcome.ends(status.clamp(0, 2))
            }
        };
        self.folder.check();
    }

    /// Runs `qemu-img` with `words` in the folder, where it makes `image`; whether it is there.
    fn qemu_img(&self, words: &[&str], image: &str) -> bool {
        let made = Command::new("qemu-img").args(words).current_dir(self.folder.path("")).output();
        match made {
            Ok(made) => {
                assert!(made.status.success(), "{made:?}");
                self.folder.expect(&[image]);
                true
            }
            Err(_) => {
                left_out("qemu-img is not there");
                false
            }
        }
    }
}

fn over(name: &str, format: Option<&str>) -> Vec<u8> {
    let parent = Parent { disk: Some(&disk(DISK)), name, format };
    lay(&disk(DISK), &Options { parent: Some(parent), ..Options::default() }).bytes
}

fn data_in(name: &str) -> Vec<u8> {
    lay(&disk(DISK), &Options { data_file: Some(name), ..Options::default() }).bytes
}

/// A descriptor of one flat extent, which is the file `name`.
fn flat(name: &str) -> String {
    let sectors = disk(DISK).size / 512;
    descriptor(&format!("RW {sectors} FLAT \"{name}\" 0")).replace("custom", "monolithicFlat")
}

/// Glance: a qcow2 image whose backing file is a file of the host, taken for a raw disk.
#[test]
fn cve_2015_5163_a_backing_file_of_the_host() {
    let host = Host::new();
    for name in [&host.secret_name(), &host.up_to_secret(), "/etc/passwd"] {
        for format in [Some("raw"), Some("qcow2"), None] {
            host.folder.put(QCOW2, over(name, format));
            host.gives_nothing(QCOW2, &["not a plain file name", name, "hint:", QCOW2]);
        }
    }
    host.folder.put(QCOW2, over(&format!("file:{}", host.secret_name()), Some("raw")));
    host.gives_nothing(QCOW2, &["not a plain file name", "hint:", QCOW2]);
    if host.qemu_img(&["create", "-q", "-f", "qcow2", "-F", "raw", "-b", &host.secret_name(), QCOW2], QCOW2) {
        host.gives_nothing(QCOW2, &["not a plain file name", &host.secret_name(), "hint:", QCOW2]);
    }
}

/// Cinder, Glance and Nova: a VMDK that is a text alone, whose flat extent is a file of the host.
#[test]
fn cve_2022_47951_an_extent_of_the_host() {
    let host = Host::new();
    for name in [&host.secret_name(), &host.up_to_secret(), "/etc/passwd"] {
        for text in
            [flat(name), flat(name).replace("FLAT", "VMFS"), flat(name).replace("monolithicFlat", "streamOptimized")]
        {
            host.folder.put("disk.vmdk", text);
            host.gives_nothing("disk.vmdk", &["not a plain file name", name, "hint:", "disk.vmdk"]);
        }
    }
    // Behind one that is fine, and as a parent.
    let sectors = disk(DISK).size / 512;
    let second = format!("RW {sectors} ZERO\nRW {sectors} FLAT \"{}\" 0", host.secret_name());
    host.folder.put("disk.vmdk", descriptor(&second));
    host.gives_nothing("disk.vmdk", &["not a plain file name", "disk.vmdk"]);
    let hint = format!("parentCID=00000002\nparentFileNameHint=\"{}\"", host.secret_name());
    host.folder.put("disk.vmdk", descriptor("RW 8 ZERO").replace("parentCID=ffffffff", &hint));
    host.gives_nothing("disk.vmdk", &["not a plain file name", &host.secret_name(), "disk.vmdk"]);
}

/// Nova: a qcow2 image that keeps its data in another file, which is one of the host.
#[test]
fn cve_2024_32498_a_data_file_of_the_host() {
    let host = Host::new();
    for name in [&host.secret_name(), &host.up_to_secret(), "/etc/passwd"] {
        host.folder.put(QCOW2, data_in(name));
        host.gives_nothing(QCOW2, &["not a plain file name", name, "hint:", QCOW2]);
    }
    for raw in ["on", "off"] {
        let (size, name) = (disk(DISK).size.to_string(), host.secret_name());
        let options = format!("data_file={name},data_file_raw={raw}");
        if !host.qemu_img(&["create", "-q", "-f", "qcow2", "-o", &options, QCOW2, &size], QCOW2) {
            return;
        }
        host.keep_secret();
        host.gives_nothing(QCOW2, &["not a plain file name", &name, "hint:", QCOW2]);
    }
}

/// QEMU: the name of the data file is a description in JSON of what to open, and asking what the image is opens it.
#[test]
fn cve_2024_4467_a_data_file_in_json() {
    let host = Host::new();
    let file = format!("json:{{\"driver\":\"file\",\"filename\":\"{}\"}}", host.secret_name());
    let null = "json:{\"driver\":\"null-co\",\"size\":\"4294967296\"}";
    for name in [&file, null, "json:{", "JSON:{}"] {
        host.folder.put(QCOW2, data_in(name));
        host.gives_nothing(QCOW2, &["not a plain file name", "hint:", QCOW2]);
        // Asking what the image is tells the name, and opens nothing: `info_alone.rs` holds that.
        host.folder.run_tight(&format!("info {QCOW2}")).succeeds().says(&["DATA", &name[..5]]);
        // Not even for who trusts it.
        host.folder.run_tight(&format!("digest --allow-external {QCOW2}")).fails(&["not a file", QCOW2]);
    }
    let size = disk(DISK).size.to_string();
    if !host.qemu_img(&["create", "-q", "-f", "qcow2", "-o", "data_file=data", QCOW2, &size], QCOW2) {
        return;
    }
    let doubled = format!("data_file={}", file.replace(',', ",,"));
    host.qemu_img(&["amend", "-q", "-f", "qcow2", "-o", &doubled, QCOW2], QCOW2);
    std::fs::remove_file(host.folder.path("data")).unwrap();
    host.gives_nothing(QCOW2, &["not a plain file name", "json:", "hint:", QCOW2]);
}

/// Nova: a raw disk into which its guest wrote the header of a qcow2 image, on a host that does not say that it is raw.
#[test]
fn cve_2026_24708_a_raw_disk_that_its_guest_made_a_qcow2_image() {
    let host = Host::new();
    for guest in [over(&host.secret_name(), Some("raw")), data_in(&host.secret_name())] {
        host.folder.put("disk.raw", &guest);
        // Who says that it is raw gets the guest's bytes, and nothing in them is looked at.
        host.folder.makes("convert -f raw disk.raw out.raw -q", &["out.raw"]);
        assert!(host.folder.read("out.raw") == guest);
        host.folder.run("compare --strict -f raw -F raw disk.raw out.raw").succeeds();
        let info = host.folder.run_tight("info --json -f raw disk.raw").succeeds().json("info");
        assert_eq!((&info["format"], &info["parent"]), (&"raw".into(), &serde_json::Value::Null));
        host.folder.remove("out.raw");
        // Who does not gets no byte of the host, is told what to say, and nothing is written to the disk.
        host.gives_nothing("disk.raw", &["not a plain file name", "hint:", "-f raw", "disk.raw"]);
        host.soon("compact disk.raw", Some(&["not a plain file name", "-f raw"]));
        assert!(host.folder.read("disk.raw") == guest);
        // By any other name it is a qcow2 image.
        host.folder.put("disk.img.qcow2", &guest);
        let outcome = host.folder.run_tight("digest disk.img.qcow2").fails(&["not a plain file name"]);
        assert!(!outcome.stderr.contains("-f raw"), "{outcome}");
        host.folder.remove("disk.img.qcow2");
    }
}

/// What a name can be besides a path: of a device, of an open file, of a server; with what ends a text or a line in it.
#[test]
fn names_of_what_is_no_file() {
    let host = Host::new();
    for name in [
        "/dev/stdin",
        "/dev/zero",
        "/dev/fd/0",
        "/proc/self/fd/0",
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
        "nbd:unix:/run/socket",
        "nbd://127.0.0.1:10809/disk",
        "http://127.0.0.1/disk",
        "https:disk",
        "ssh://host/disk",
        "host_device:/dev/sda",
    ] {
        for image in [over(name, Some("raw")), over(name, None), data_in(name)] {
            host.folder.put(QCOW2, image);
            host.gives_nothing(QCOW2, &["not a plain file name", QCOW2]);
        }
        host.folder.put("disk.vmdk", flat(name));
        host.gives_nothing("disk.vmdk", &["not a plain file name", "disk.vmdk"]);
    }
    for end in ["\0", "\n"] {
        let name = format!("{}{end}disk", host.secret_name());
        for image in [over(&name, Some("raw")), data_in(&name), flat(&name).into_bytes()] {
            host.folder.put("disk", image);
            host.gives_nothing("disk", &["disk"]);
        }
        // A name that is plain but for that is quoted, so that it ends no line.
        host.folder.put("disk", over(&format!("a{end}b"), Some("raw")));
        let outcome = host.folder.run_tight("digest disk").fails(&["a\\"]);
        assert!(!outcome.stderr.contains(&format!("a{end}b")), "{outcome}");
    }
}

#[test]
fn things_of_the_folder_that_are_no_files() {
    let host = Host::new();
    let folder = host.folder.path("");
    std::os::unix::fs::symlink(host.secret(), folder.join("link")).unwrap();
    std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
    let mut names = vec!["link", "socket", "pipe"];
    assert!(Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap().success());
    let zero = Command::new("mknod").arg(folder.join("zero")).args(["c", "1", "5"]).output();
    match zero.is_ok_and(|made| made.status.success()) {
        true => names.push("zero"),
        false => left_out("device nodes cannot be made here (mknod needs root)"),
    }
    host.folder.expect(&names);
    for name in names {
        for image in [over(name, Some("raw")), over(name, None), data_in(name), flat(name).into_bytes()] {
            host.folder.put("disk", image);
            host.gives_nothing("disk", &["the image refers to", name]);
        }
    }
}

/// A differencing VDI names no file: what bears its parent's UUIDs in the folder is taken, unless that leads out of it.
#[test]
fn the_parent_of_a_vdi_is_no_link() {
    use vimage_fixtures::vdi;
    let host = Host::new();
    let ids = [[0x41; 16], [0x42; 16]];
    let base = vdi::lay(&disk(DISK), &vdi::Options { ids, ..vdi::Options::default() }).bytes;
    std::fs::write(host.secret(), &base).unwrap();
    let parent = vdi::Parent { disk: &disk(DISK), ids };
    host.folder.put(
        "child.vdi",
        vdi::lay(&disk(DISK), &vdi::Options { parent: Some(parent), ..vdi::Options::default() }).bytes,
    );
    std::os::unix::fs::symlink(host.secret(), host.folder.path("parent.vdi")).unwrap();
    host.folder.expect(&["parent.vdi"]);
    host.gives_nothing("child.vdi", &["no .vdi file in its folder is that parent", "child.vdi"]);
    // The very bytes do as a file of the folder.
    host.folder.remove("parent.vdi");
    host.folder.put("parent.vdi", &base);
    host.folder.run("digest child.vdi").succeeds();
}

/// Parents that come back, and more of them than are followed.
#[test]
fn chains_without_an_end() {
    let host = Host::new();
    let hint = |own: &str, beneath: &str, name: &str| {
        let text = descriptor("RW 8 ZERO").replace("CID=00000001", &format!("CID={own}"));
        text.replace("parentCID=ffffffff", &format!("parentCID={beneath}\nparentFileNameHint=\"{name}\""))
    };
    host.folder.put("self.vmdk", hint("00000001", "00000001", "self.vmdk"));
    host.gives_nothing("self.vmdk", &["comes back to", "self.vmdk"]);
    host.folder.put("a.vmdk", hint("00000001", "00000002", "b.vmdk"));
    host.folder.put("b.vmdk", hint("00000002", "00000001", "a.vmdk"));
    host.gives_nothing("a.vmdk", &["comes back to", "a.vmdk"]);
    for number in 0..=201 {
        host.folder.put(&format!("{number}.vmdk"), hint("00000001", "00000001", &format!("{}.vmdk", number + 1)));
    }
    host.gives_nothing("0.vmdk", &["more than 200 images"]);
    host.folder.put("a.qcow2", over("b.qcow2", None));
    host.folder.put("b.qcow2", over("a.qcow2", Some("qcow2")));
    host.gives_nothing("a.qcow2", &["comes back to", "a.qcow2"]);
}
