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
//! Several outputs of one run, each as it would be alone:
//!
//! ```no_run
//! use vimage_core::operations::{Everywhere, Output, Place, What};
//! use vimage_core::pipeline::Disk;
//! use vimage_core::{convert_all, open};
//!
//! let disk = open("disk.raw", &Default::default())?;
//! let output = |format: &str| Output {
//!     what: What::Image { format: format.into(), create: Default::default() },
//!     place: Place::Path(format!("disk.{format}").into()),
//! };
//! let everywhere = Everywhere { verify: true, ..Everywhere::default() };
//! convert_all(Disk::Image(&disk), &[output("vmdk"), output("qcow2")], &everywhere, &())?;
//! # Ok::<(), vimage_core::Error>(())
//! ```
//!
//! Everything read-only about a disk is an [`Image`]; [`open`] makes one of a file with all that lies beneath it. What
//! comes out of a pipe is a [`DiskStream`]: [`formats::open_stream`]. The
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
pub mod limits;
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
    PackedAppliance, Trim, UnpackOptions, Unpacked, VerifyOptions, compact, compare, convert, convert_all, digest,
    measure, pack, punch, unpack, verify,
};
pub use stream::{DiskStream, Stretch};
