//! Virtual-machine disk images, read and written natively.
//!
//! ```no_run
//! use vimage_core::{ConvertOptions, convert, open};
//!
//! let disk = open("disk.raw", &Default::default())?;
//! let options = ConvertOptions::to("vmdk").split(2 << 30);
//! for file in convert(&disk, "disk.vmdk", &options, &())?.files {
//!     println!("{} {}", file.path.display(), file.size);
//! }
//! # Ok::<(), vimage_core::Error>(())
//! ```
//!
//! Everything read-only about a disk is an [`Image`]; [`open`] makes one of a file with all that lies beneath it. The
//! [`operations`] are what callers ask for. ARCHITECTURE.md has the map of the rest.

pub mod codec;
pub mod digest;
pub mod error;
pub mod extent;
pub mod formats;
pub mod guest;
pub mod image;
pub mod io;
pub mod layers;
pub mod observer;
pub mod operations;
pub mod package;
pub mod pipeline;
pub mod ranges;
pub mod stream;
pub mod target;
pub mod zero;

pub use digest::ContentDigest;
pub use error::{Error, ErrorKind, Result};
pub use extent::{Content, Extent, Extents};
pub use formats::{Backing, CreateOptions, OpenImage, OpenOptions, alike, check, describe, describe_chain, open};
pub use image::{Image, ImageInfo};
pub use observer::{Observer, Phase};
pub use operations::{
    Algorithm, CompactOptions, Compacted, Comparison, ConvertOptions, Converted, Digest, Dropped, PackOptions, Package,
    PackedAppliance, Trim, UnpackOptions, Unpacked, VerifyOptions, compact, compare, convert, digest, measure, pack,
    punch, unpack, verify,
};
pub use stream::{DiskStream, Stretch};
