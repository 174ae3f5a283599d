//! Somebody who may write where an image lies swaps what its names lead to while it is opened: never does a byte of another place get
//! into what is read.

#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::hostile::descriptor;
use support::laid::{DISK, QCOW2};
use support::{Folder, disk};
use vimage_fixtures::qcow2::{Options, Parent, lay};

/// How long each swap is raced against.
const TIME: Duration = Duration::from_secs(2);

/// Runs `swap` over and over while `look` is run again and again, 20 times at least.
fn racing(swap: impl Fn() + Sync, mut look: impl FnMut()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                swap();
            }
        });
        let (begun, mut times) = (Instant::now(), 0);
        // A failure must end the other thread, too.
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while times < 20 || begun.elapsed() < TIME {
                look();
                times += 1;
            }
        }));
        done.store(true, Ordering::Relaxed);
        looked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// Puts a symbolic link to `to` in the place of `at`, in one step.
fn link_over(at: &Path, to: &Path) {
    let between = at.with_extension("next");
    symlink(to, &between).unwrap();
    std::fs::rename(&between, at).unwrap();
}

/// What `vimage digest` printed: the digest, and the name that the image has.
fn digest_in(text: &str) -> String {
    text.split(' ').next().unwrap().to_owned()
}

fn digest(folder: &Folder, image: &str) -> String {
    digest_in(&folder.run(&format!("digest {image}")).succeeds().stdout)
}

fn over(name: &str) -> Vec<u8> {
    let parent = Parent { disk: Some(&disk(DISK)), name, format: Some("raw") };
    lay(&disk(DISK), &Options { parent: Some(parent), ..Options::default() }).bytes
}

/// The file that an image names is a link out of the folder every other moment.
#[test]
fn a_file_that_is_swapped_for_a_link() {
    let (folder, elsewhere) = (Folder::with(&[DISK]), Folder::new());
    let size = disk(DISK).size as usize;
    elsewhere.put("secret", vec![b'S'; size]);
    let inside = folder.read(&format!("{DISK}.raw"));
    let data = lay(&disk(DISK), &Options { data_file: Some("named"), ..Options::default() }).bytes;
    let flat = descriptor(&format!("RW {} FLAT \"named\" 0", size / 512));
    for (image, bytes) in [("over.qcow2", over("named")), ("data.qcow2", data), ("flat.vmdk", flat.into_bytes())] {
        folder.put(image, bytes);
        folder.put("named", &inside);
        let wanted = digest(&folder, image);
        let (named, secret) = (folder.path("named"), elsewhere.path("secret"));
        let swap = || {
            link_over(&named, &secret);
            let between = named.with_extension("file");
            std::fs::write(&between, &inside).unwrap();
            std::fs::rename(&between, &named).unwrap();
        };
        let (mut read, mut refused) = (0, 0);
        racing(swap, || {
            let outcome = folder.run(&format!("digest {image}"));
            match outcome.status.code() {
                Some(0) => {
                    assert_eq!(digest_in(&outcome.stdout), wanted);
                    read += 1;
                }
                _ => {
                    outcome.fails(&["named: the image refers to a symbolic link"]);
                    refused += 1;
                }
            }
        });
        assert!(read + refused >= 20, "{read} {refused}");
        folder.put("named", &inside);
    }
}

/// The path of the folder is a link that leads to one of two folders, each with an image and what it names: what is read is one of
/// the two, and never a top from here over a base from there.
#[test]
fn a_folder_that_is_swapped_for_another() {
    let folder = Folder::new();
    let own = disk(DISK);
    let mut wanted = Vec::new();
    for (name, byte) in [("one", b'1'), ("two", b'2')] {
        std::fs::create_dir(folder.path(name)).unwrap();
        let base = vec![byte; own.size as usize];
        std::fs::write(folder.path(name).join("base.raw"), &base).unwrap();
        // Its own bytes tell it apart, too: an overlay that stores only a run of its digit in the middle of the disk.
        let top = vimage_fixtures::Disk {
            name: "top",
            size: own.size,
            runs: vec![vimage_fixtures::Run { offset: 0, len: 65_536, fill: vimage_fixtures::Fill::Byte(byte) }],
        };
        let empty = vimage_fixtures::Disk { name: "empty", size: own.size, runs: vec![] };
        let parent = Parent { disk: Some(&empty), name: "base.raw", format: Some("raw") };
        let image = lay(&top, &Options { parent: Some(parent), ..Options::default() }).bytes;
        std::fs::write(folder.path(name).join(QCOW2), image).unwrap();
        folder.expect(&[name]);
        wanted.push(digest(&folder, &format!("{name}/{QCOW2}")));
    }
    assert_ne!(wanted[0], wanted[1]);
    link_over(&folder.path("way"), Path::new("one"));
    folder.expect(&["way"]);
    let way = folder.path("way");
    let swap = || {
        link_over(&way, Path::new("two"));
        link_over(&way, Path::new("one"));
    };
    racing(swap, || {
        let found = digest(&folder, &format!("way/{QCOW2} --sandbox=off"));
        assert!(wanted.contains(&found), "{found} is neither of {wanted:?}");
    });
    // In a sandbox, that of the two may be read to which the way led first, and perhaps it leads to the other by then.
    racing(swap, || {
        let outcome = folder.run(&format!("digest way/{QCOW2}"));
        match outcome.status.code() {
            Some(0) => assert!(wanted.contains(&digest_in(&outcome.stdout)), "{outcome}"),
            _ => drop(outcome.fails(&["cannot open", "Permission denied"])),
        }
    });
    for name in ["one", "two"] {
        std::fs::remove_dir_all(folder.path(name)).unwrap();
    }
    folder.forget(&["one", "two"]);
}
