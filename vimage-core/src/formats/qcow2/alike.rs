//! The options that make an image like a given one.

use super::header::Header;
use super::layout::incompatible;
use super::{reader, snapshots};
use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::extent::{Content, Extents};
use crate::formats::{Backing, CreateOptions, Settings, Source};

/// How the image was made. Snapshots are not told of: see [`ImageInfo::snapshots`](crate::ImageInfo::snapshots). The backing
/// file's format is empty where the image does not name it.
pub(super) fn alike(source: &Source<'_>) -> Result<CreateOptions> {
    let header = Header::read(source.file.as_ref())?;
    if header.external() {
        return Err(Error::unsupported("keeps its data in another file, and such images are not written")
            .with_hint("compact the data file itself, if it is raw (data-file-raw), or convert the image"));
    }
    if let Some((count, ..)) = header.extensions.bitmaps {
        return Err(Error::unsupported(format!("has {count} bitmaps of what changed, which would be lost"))
            .with_hint("qemu-img bitmap --remove takes away those that no backup needs"));
    }
    if header.incompatible & incompatible::CORRUPT != 0 {
        return Err(Error::unsupported("is marked as corrupt").with_hint("qemu-img check -r all repairs it"));
    }
    // Those that cannot be read would be lost unseen.
    snapshots::read(source.file.as_ref(), &header)?;
    let switch = |on: bool| if on { "on" } else { "off" };
    let mut settings = Settings::default()
        .with("compat", if header.version == 2 { "0.10" } else { "1.1" })
        .with("cluster_size", header.cluster().to_string());
    if header.version > 2 {
        settings = settings
            .with("compression_type", if header.codec == Codec::Zstd { "zstd" } else { "zlib" })
            .with("refcount_bits", header.refcount_bits.to_string())
            .with("extended_l2", switch(header.extended()))
            .with("lazy_refcounts", switch(header.lazy_refcounts()));
    }
    let own = reader::open(source)?;
    let mut compress = false;
    // Compressed clusters are written by converting, so an image has many or none; the first settles it.
    for extent in Extents::of(own.as_ref()) {
        if extent?.content == Content::Packed {
            compress = true;
            break;
        }
    }
    let format = header.extensions.backing_format.unwrap_or_default();
    let backing = header.backing.map(|name| Backing { name, format });
    Ok(CreateOptions { settings, compress, backing, ..CreateOptions::default() })
}
