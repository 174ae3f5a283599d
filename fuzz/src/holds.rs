//! What must hold of every image, whatever it was read from.

use crate::folder::Folder;
use crate::steps::Counted;
use std::sync::Arc;
use vimage_core::formats::{Format, Source};
use vimage_core::io::outputs::Published;
use vimage_core::io::{Neighbors, ReadAt};
use vimage_core::{
    Comparison, ConvertOptions, Error, ErrorKind, Extents, Image, check, compare, convert, measure, open,
};

/// Disks up to this size are read as a whole.
pub const WHOLE: u64 = 2 << 20;

/// Extents that are looked at: a disk of terabytes may have millions.
const MOST_EXTENTS: usize = 300;

/// Bytes read at the ends of an extent.
const EDGE: usize = 70_000;

/// Lengths of the pieces in which a disk is read once more.
const PIECES: [usize; 7] = [1, 511, 512, 4099, 3, 65_536, 70_001];

/// What `format` says of `bytes`, and reads of them.
pub fn format(format: &dyn Format, bytes: &[u8]) {
    let (counted, neighbors) = (Arc::new(Counted::of(bytes)), Neighbors::none());
    let file: Arc<dyn ReadAt> = counted.clone();
    let source = Source { file, path: "fuzzed".into(), neighbors: &neighbors, snapshot: None };
    let findings = format.check(&source, &());
    counted.assert_bounded("a check");
    let described = format.describe(&source);
    counted.assert_bounded("a description");
    let opened = format.open(&source);
    counted.assert_bounded("opening");
    match (described, opened) {
        (Ok(described), Ok(opened)) => {
            assert_eq!(described.virtual_size, opened.size());
            image(opened.as_ref());
        }
        // Nothing is opened that cannot be described: `open` asks first.
        (Err(_), Ok(_)) => {}
        (_, Err(error)) => {
            // One that is encrypted, or made of something that is not read, may be clean.
            let clean = findings.is_ok_and(|findings| findings.is_clean());
            assert!(!clean || error.kind() != ErrorKind::Corrupt, "a clean image is damaged: {error}");
        }
    }
}

/// An image: its extents tile it, what they call zero is zero, and what was read once is read again, in whatever pieces. Says whether
/// all that was asked for could be read.
pub fn image(image: &dyn Image) -> bool {
    let size = image.size();
    if size > WHOLE {
        return edges(image);
    }
    let mut whole = vec![1; size as usize];
    let read = image.read_exact_at(&mut whole, 0);
    let mut again = vec![2; size as usize];
    let mut at = 0;
    let mut outcome = Ok(());
    for len in PIECES.into_iter().cycle() {
        let end = (at + len).min(again.len());
        outcome = outcome.and(image.read_exact_at(&mut again[at..end], at as u64));
        at = end;
        if at == again.len() {
            break;
        }
    }
    assert_eq!(read.is_ok(), outcome.is_ok(), "as a whole {read:?}, in pieces {outcome:?}");
    assert!(read.is_err() || whole == again, "read again it is something else");
    let tiled = tiles(image, |extent| {
        if read.is_ok() && !extent.content.is_data() {
            let bytes = &whole[extent.range.start as usize..extent.range.end as usize];
            assert!(bytes.iter().all(|&byte| byte == 0), "{extent:?} is not zero");
        }
    });
    read.is_ok() && tiled.is_ok()
}

/// The same of a disk too large to be read: of the ends of its first extents.
fn edges(image: &dyn Image) -> bool {
    let (mut one, mut two) = (vec![1; EDGE], vec![2; EDGE]);
    let mut all = true;
    let tiled = tiles(image, |extent| {
        for from in [extent.range.start, extent.range.end.saturating_sub(3000).max(extent.range.start)] {
            let len = (extent.range.end - from).min(EDGE as u64) as usize;
            let first = image.read_exact_at(&mut one[..len], from);
            let second = image.read_exact_at(&mut two[..len], from);
            assert_eq!(first.is_ok(), second.is_ok(), "{first:?} {second:?}");
            all &= first.is_ok();
            if first.is_ok() {
                assert_eq!(one[..len], two[..len], "read again it is something else");
                assert!(extent.content.is_data() || one[..len].iter().all(|&byte| byte == 0), "{extent:?} is not zero");
            }
        }
    });
    tiled.is_ok() && all
}

fn tiles(image: &dyn Image, mut each: impl FnMut(&vimage_core::Extent)) -> Result<(), Error> {
    let mut at = 0;
    for extent in Extents::of(image).take(MOST_EXTENTS) {
        let extent = extent?;
        assert_eq!(extent.range.start, at, "a gap or an overlap");
        assert!(extent.range.end > at && extent.range.end <= image.size(), "{extent:?} of {}", image.size());
        // The image itself says where it is, whichever byte it is asked of.
        let inner = image.extent_at(extent.range.end - 1)?;
        assert!(inner.range.contains(&(extent.range.end - 1)), "{inner:?} is not around {}", extent.range.end - 1);
        at = extent.range.end;
        each(&extent);
    }
    Ok(())
}

/// Layouts that disks are written in, by number.
pub fn layout(number: u8) -> ConvertOptions {
    let mut options = match number % 13 {
        0 => ConvertOptions::to("raw"),
        1 => ConvertOptions::to("raw").split(1 << 20),
        2 => ConvertOptions::to("vmdk").split(1 << 20),
        3 => ConvertOptions::to("vmdk").with("subformat", "twoGbMaxExtentFlat").split(1 << 20),
        4 => ConvertOptions::to("vmdk").with("subformat", "streamOptimized"),
        5 => ConvertOptions::to("vdi"),
        6 => ConvertOptions::to("qcow2").with("cluster_size", "512"),
        7 => ConvertOptions::to("qcow2").with("extended_l2", "on").with("refcount_bits", "1"),
        8 => ConvertOptions::to("qcow2").with("compression_type", "zstd").level(1),
        9 => ConvertOptions::to("qcow2").with("cluster_size", "4k").level(1),
        10 => ConvertOptions::to("raw.zst"),
        11 => ConvertOptions::to("qcow2"),
        _ => ConvertOptions::to("vmdk"),
    };
    options.create.compress = matches!(number % 13, 8 | 9);
    options.flush = false;
    options
}

/// What is written of `disk` in `layout` holds the same, and is as long as was said before; where it cannot be written, nothing stays
/// behind. Says whether it could be.
pub fn written(disk: &dyn Image, layout: u8) -> bool {
    let (options, folder) = (self::layout(layout), Folder::new("written"));
    let path = folder.path().join("d.img");
    let measured = measure(disk, &path, &options, &());
    let made = match convert(disk, &path, &options, &()) {
        Ok(made) => made,
        Err(_) => {
            assert!(folder.names().is_empty(), "{:?} stay behind", folder.names());
            assert!(measured.is_err(), "what was measured cannot be written");
            return false;
        }
    };
    let lengths = |files: &[Published]| files.iter().map(|file| (file.path.clone(), file.size)).collect::<Vec<_>>();
    assert_eq!(measured.map(|files| lengths(&files)).ok(), Some(lengths(&made.files)));
    let main = if options.format == "raw" { made.files.first() } else { made.files.last() };
    let main = &main.expect("a file").path;
    let opening = vimage_core::OpenOptions { format: Some(options.format), ..Default::default() };
    assert!(check(main, &opening, &()).expect("checked").is_clean());
    assert_eq!(compare(disk, &open(main, &opening).expect("opened"), &()).expect("compared"), Comparison::Identical);
    true
}
